//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pooler starts two instances at once on an empty database behind PgBouncer in transaction mode, and lets eight writers use
// both: no request may fail. Nothing is cancelled here, which PgBouncer 1.18 does not always survive.
func pooler(ctx context.Context, l *lab) (err error) {
	pg, err := l.postgres()
	if err != nil {
		return err
	}
	direct, err := pg.database("pooler")
	if err != nil {
		return err
	}
	address, stop, err := startPgBouncer(ctx, l, pg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var servers [2]*instance
	started := make(chan error, len(servers))
	for i := range servers {
		if servers[i], err = l.newInstance(address, "MIGRATION_DATABASE_URL="+direct); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers[i].kill()) }()
		go func() { started <- servers[i].start(ctx) }()
	}
	for range servers {
		err = errors.Join(err, <-started)
	}
	if err != nil {
		return err
	}
	load, err := newLoad(ctx, servers[0], parallelWriters)
	if err != nil {
		return err
	}
	for i, w := range load.writers {
		w.url = servers[i%len(servers)].url()
	}
	load.begin(ctx)
	time.Sleep(8 * time.Second) // of writes
	if err := load.pause(ctx); err != nil {
		return err
	}
	fmt.Printf("  through PgBouncer: %s; %d patients\n", load.stats, load.patients())
	if load.stats.unavailable+load.stats.unanswered > 0 {
		return errors.New("requests failed")
	}
	return errors.Join(servers[0].stop(), servers[1].stop())
}

// startPgBouncer runs PgBouncer in front of a cluster until stop. The address is that of the database pooler.
func startPgBouncer(ctx context.Context, l *lab, pg *cluster) (address string, stop func() error, err error) {
	program, root, err := l.installed(ctx, "pgbouncer", "pgbouncer", "libc-ares2")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(l.dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 8\n", pg.port, port)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // whom it runs as must read it
		return "", nil, err
	}
	args := []string{file}
	if os.Geteuid() == 0 { // which it refuses to run as
		args = []string{"-u", "nobody", file}
		if err := os.Chmod(l.dir, 0o711); err != nil { //nolint:gosec // the same
			return "", nil, err
		}
	}
	said, stop, err := l.launch(program, root, args...)
	if err != nil {
		return "", nil, err
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err == nil {
			return "postgres://postgres@" + at + "/pooler?sslmode=disable", stop, conn.Close()
		}
		if time.Since(began) > 10*time.Second {
			return "", nil, errors.Join(fmt.Errorf("PgBouncer: %w\n%s", err, said), stop())
		}
	}
}
