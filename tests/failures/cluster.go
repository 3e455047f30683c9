//go:build programs

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// cluster is a PostgreSQL server of our own.
type cluster struct {
	bin, dir string
	port     int
}

// newCluster makes a cluster and starts it. PostgreSQL refuses to run as root, so root runs it as the user postgres.
func newCluster(dir string) (*cluster, error) {
	pg := &cluster{dir: dir}
	var err error
	if pg.bin, err = binaries(); err != nil {
		return nil, err
	}
	if pg.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // the user postgres must pass
			return nil, err
		}
		if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil { //nolint:gosec // our own folder
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	err = pg.tool("initdb", "-D", pg.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return nil, err
	}
	return pg, pg.start()
}

func (pg *cluster) data() string { return filepath.Join(pg.dir, "data") }

func (pg *cluster) start() error {
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c max_connections=200", pg.port, pg.dir)
	return pg.tool("pg_ctl", "-D", pg.data(), "-w", "-l", filepath.Join(pg.dir, "log"), "-o", options, "start")
}

func (pg *cluster) stop(mode string) error {
	return pg.tool("pg_ctl", "-D", pg.data(), "-w", "-m", mode, "stop")
}

// database makes an empty database and gives its address.
func (pg *cluster) database(name string) (string, error) {
	err := pg.tool("createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(pg.port), "-U", "postgres", name)
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", pg.port, name), err
}

// signal sends a signal to the server and all its processes.
func (pg *cluster) signal(what syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(pg.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	children, err := exec.Command("ps", "-o", "pid=", "--ppid", first).Output() //nolint:gosec // a number
	if err != nil {
		return err
	}
	pids := []int{postmaster} // first, so that it starts no more
	for _, word := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, what); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

func (pg *cluster) tool(name string, args ...string) error {
	words := append([]string{filepath.Join(pg.bin, name)}, args...)
	if os.Geteuid() == 0 {
		for i, w := range words {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = []string{"su", "postgres", "-s", "/bin/sh", "-c", strings.Join(words, " ")}
	}
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec // PostgreSQL's own tools
	cmd.Dir = pg.dir
	out, err := os.CreateTemp("", "clinic-"+name+"-*") // no pipe: the server would keep it open
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return nil
}

// binaries finds the folder that holds initdb and pg_ctl.
func binaries() (string, error) {
	var folders []string
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(found) // the newest first
	for _, f := range append(folders, found...) {
		if _, err := os.Stat(filepath.Join(f, "initdb")); err == nil {
			return f, nil
		}
	}
	return "", errors.New("no initdb and pg_ctl are installed")
}
