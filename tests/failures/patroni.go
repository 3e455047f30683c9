//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// patroniBack is how long after the kill all clients write again: Patroni's ttl, its election, and a second for us.
const patroniBack = 8 * time.Second

// patroniFailover kills a primary and the Patroni beside it under 24 clients. Nobody is told: the other Patroni notices when
// the leader's key in etcd ends, after its ttl of 5 s, and promotes its synchronous standby. Then all must be as after a
// promotion by hand.
func patroniFailover(ctx context.Context, l *lab) (err error) {
	pair, end, err := l.patroniPair(ctx)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return err
	}
	primary, spare := pair[0], pair[1]
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nthe two of Patroni say:\n%s\n%s", err, primary.said, spare.said)
		}
	}()
	if _, err := primary.database("clinic"); err != nil {
		return err
	}
	work, err := l.newClinic(ctx, fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/clinic?sslmode=disable&connect_timeout=2", primary.port, spare.port))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.server.kill()) }()
	work.begin(ctx)
	before, err := work.measured(ctx)
	if err != nil {
		return err
	}
	// Under load, too, it must be this one that dies, and the other one that has all.
	if err := errors.Join(primary.api.await(ctx, "/primary", http.StatusOK, time.Second), spare.api.await(ctx, "/sync", http.StatusOK, 5*time.Second)); err != nil {
		return err
	}
	began := time.Now()
	if err := errors.Join(primary.patroni.Process.Kill(), primary.signal(syscall.SIGKILL)); err != nil {
		return err
	}
	first, all, err := work.back(ctx, began.Add(100*time.Millisecond)) // what was acknowledged before may be on its way
	if err != nil {
		return err
	}
	after, err := work.measured(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  %d requests a second before, and %d after; after the kill, the first write took %.1f s, and the last client's %.1f s; %s\n",
		before, after, first.Seconds(), all.Seconds(), work.stats)
	if limit := patroniBack + l.patience; all > limit {
		return fmt.Errorf("writes were not back within %s", limit)
	}
	return work.proved(ctx, l.patience)
}

// node is one PostgreSQL, under a Patroni of its own.
type node struct {
	*cluster
	api     *instance // Patroni's, of which there is only the port
	patroni *exec.Cmd
	said    *log
}

// patroniPair makes a primary and its synchronous standby, under Patroni and one etcd. All of it is stopped by end.
func (l *lab) patroniPair(ctx context.Context) (pair [2]*node, end func() error, err error) {
	var ends []func() error
	end = func() (err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			err = errors.Join(err, ends[i]())
		}
		return err
	}
	etcd, stop, err := l.startEtcd(ctx)
	if err != nil {
		return pair, end, err
	}
	ends = append(ends, stop)
	program, root, err := l.installed(ctx, "patroni", "patroni", "python3-cdiff", "python3-click", "python3-colorama", "python3-dateutil", "python3-dnspython", "python3-etcd",
		"python3-pkg-resources", "python3-prettytable", "python3-psutil", "python3-psycopg2", "python3-six", "python3-urllib3", "python3-wcwidth", "python3-yaml")
	if err != nil {
		return pair, end, err
	}
	for i, role := range []string{"/primary", "/sync"} {
		n := &node{said: &log{}, patroni: exec.Command(program, "patroni.yml")} //nolint:gosec // Debian's
		n.patroni.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + filepath.Join(root, "usr/lib/python3/dist-packages")}
		pair[i] = n
		if err := l.startNode(n, i, etcd); err != nil {
			return pair, end, err
		}
		ends = append(ends, n.end)
		if err := n.api.await(ctx, role, http.StatusOK, time.Minute); err != nil {
			return pair, end, fmt.Errorf("node %d: %w\n%s", i, err, n.said)
		}
	}
	return pair, end, nil
}

// end stops Patroni, which stops PostgreSQL, and what is left of it if Patroni was killed.
func (n *node) end() error {
	_ = n.patroni.Process.Signal(syscall.SIGTERM) // it may be dead
	timer := time.AfterFunc(15*time.Second, func() { _ = n.patroni.Process.Kill() })
	defer timer.Stop()
	_ = n.patroni.Wait()
	if err := n.stop("immediate"); err != nil && n.tool("pg_ctl", "-D", n.data(), "status") == nil {
		return err
	}
	return nil
}

func (l *lab) startEtcd(ctx context.Context) (port int, stop func() error, err error) {
	program, root, err := l.installed(ctx, "etcd", "etcd-server")
	if err != nil {
		return 0, nil, err
	}
	peers, err := freePort()
	if err != nil {
		return 0, nil, err
	}
	if port, err = freePort(); err != nil {
		return 0, nil, err
	}
	url, peer := fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("http://127.0.0.1:%d", peers)
	said, stop, err := l.launch(program, root, "--data-dir", filepath.Join(l.dir, "etcd"), "--name", "one", "--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "one="+peer)
	if err != nil {
		return 0, nil, err
	}
	if err := (&instance{port: port}).await(ctx, "/health", http.StatusOK, 20*time.Second); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("etcd: %w\n%s", err, said), stop())
	}
	return port, stop, nil
}

// patroniConfig has the shortest times that Patroni's rule allows: ttl >= loop_wait + 2 * retry_timeout.
const patroniConfig = `scope: clinic
name: node%[1]d
restapi: {listen: "127.0.0.1:%[2]d", connect_address: "127.0.0.1:%[2]d"}
etcd3: {host: "127.0.0.1:%[3]d"}
watchdog: {mode: "off"}
bootstrap:
  dcs: {ttl: 5, loop_wait: 1, retry_timeout: 2, synchronous_mode: true, postgresql: {parameters: {max_connections: 200}}}
  initdb: [{encoding: UTF8}, {locale: C}, {auth: trust}, no-sync]
postgresql:
  listen: "127.0.0.1:%[4]d"
  connect_address: "127.0.0.1:%[4]d"
  data_dir: "%[5]s/data"
  bin_dir: "%[6]s"
  pgpass: "%[5]s/pgpass"
  authentication: {superuser: {username: postgres}, replication: {username: postgres}}
  parameters: {unix_socket_directories: "%[5]s"}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
`

func (l *lab) startNode(n *node, number, etcd int) (err error) {
	n.cluster = &cluster{dir: filepath.Join(l.dir, fmt.Sprint("patroni", number))}
	if n.bin, err = binaries(); err != nil {
		return err
	}
	if n.port, err = freePort(); err != nil {
		return err
	}
	n.api = &instance{}
	if n.api.port, err = freePort(); err != nil {
		return err
	}
	file := filepath.Join(n.dir, "patroni.yml")
	config := fmt.Sprintf(patroniConfig, number, n.api.port, etcd, n.port, n.dir, n.bin)
	if err := errors.Join(os.Mkdir(n.dir, 0o700), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		return err
	}
	n.patroni.Dir, n.patroni.Stdout, n.patroni.Stderr = n.dir, n.said, n.said
	if os.Geteuid() == 0 { // as a cluster of ours
		who, err := asPostgres(l.dir, n.dir)
		if err != nil {
			return err
		}
		n.patroni.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	}
	return n.patroni.Start()
}

// asPostgres gives a folder to the user postgres, who must pass the one around it.
func asPostgres(around, dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	err = errors.Join(os.Chmod(around, 0o711), os.Chown(dir, int(uid), int(gid)), os.Chown(filepath.Join(dir, "patroni.yml"), int(uid), int(gid))) //nolint:gosec // the user postgres must pass
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
