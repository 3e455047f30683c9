//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// proxy is a load balancer of Debian's, with the configuration of deploy/.
type proxy struct {
	name, file string            // in deploy/
	packages   []string          // of Debian
	replace    map[string]string // what of the file is for another machine; %d is our port
	args       []string          // before the file's name
}

var proxies = []proxy{
	{
		name: "haproxy", file: "haproxy.cfg",
		packages: []string{"haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"},
		replace: map[string]string{
			"    log /dev/log local0\n": "", "    log global\n": "", "    user haproxy\n": "", "    group haproxy\n": "", "    bind :80\n": "",
			":443 ssl crt /etc/haproxy/clinic.pem alpn h2,http/1.1":               "127.0.0.1:%d",
			"    http-request redirect scheme https code 308 unless { ssl_fc }\n": "",
		},
		args: []string{"-db", "-f"},
	},
	{
		name: "caddy", file: "Caddyfile", packages: []string{"caddy"},
		replace: map[string]string{"\nclinic.example.org {": "\n{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n\nhttp://127.0.0.1:%d {"},
		args:    []string{"run", "--adapter", "caddyfile", "--config"},
	},
}

// installed is a program: the machine's, or one that is unpacked from Debian's packages into a folder of ours, so that no
// service is started. The second value is that folder, or "/".
func (l *lab) installed(ctx context.Context, name string, packages ...string) (program, root string, err error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, "/", nil
	}
	dir := filepath.Join(l.dir, name+"-packages")
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // apt's own user must read it
		return "", "", err
	}
	script := `set -e; cd "$0"; apt-get download -qq "$@" 2>err || { apt-get update -qq && apt-get download -qq "$@"; }; for p in *.deb; do dpkg -x "$p" root; done`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, dir}, packages...)...) //nolint:gosec // our own words
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("%s is not installed, and cannot be: %w: %s", name, err, out)
	}
	root = filepath.Join(dir, "root")
	found, _ := filepath.Glob(filepath.Join(root, "usr/*bin", name))
	if len(found) != 1 {
		return "", "", fmt.Errorf("%s is not in its package", name)
	}
	return found[0], root, nil
}

// launch runs an installed program until stop, and keeps what it says.
func (l *lab) launch(program, root string, args ...string) (said *log, stop func() error, err error) {
	libraries, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	said = &log{}
	cmd := exec.Command(program, args...) //nolint:gosec // Debian's
	cmd.Env = []string{"HOME=" + l.dir, "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, said, said
	stop = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait() // with a code that says it was stopped
		return err
	}
	return said, stop, cmd.Start()
}

// start runs the proxy in front of instances until stop, and gives its address.
func (p proxy) start(ctx context.Context, l *lab, behind []*instance) (url string, stop func() error, err error) {
	program, root, err := l.installed(ctx, p.name, p.packages...)
	if err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile(filepath.Join("deploy", p.file))
	if err != nil {
		return "", nil, fmt.Errorf("run it in the project's folder: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	config := string(text)
	for from, to := range p.replace {
		if !strings.Contains(config, from) {
			return "", nil, fmt.Errorf("deploy/%s no longer holds %q", p.file, from)
		}
		config = strings.Replace(config, from, strings.ReplaceAll(to, "%d", fmt.Sprint(port)), 1)
	}
	for i, s := range behind {
		config = strings.ReplaceAll(config, fmt.Sprintf("10.0.0.1%d:8000", i+1), fmt.Sprintf("127.0.0.1:%d", s.port))
	}
	file := filepath.Join(l.dir, p.file)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", nil, err
	}
	said, stop, err := l.launch(program, root, append(p.args, file)...)
	if err != nil {
		return "", nil, err
	}
	front := &instance{port: port}
	if err := front.await(ctx, "/readyz", 200, 10*time.Second); err != nil {
		return "", nil, errors.Join(fmt.Errorf("%s: %w\n%s", p.name, err, said), stop())
	}
	return front.url(), stop, nil
}
