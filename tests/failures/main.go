//go:build programs

// Command failures breaks things under a running server, and proves that nothing acknowledged is lost:
//
//	go run -tags programs ./tests/failures [-program FILE] [-rounds 10] [-patience 5s] COMMAND...
//
// The commands are crash-sqlite and crash-postgres (kill -9 under eight writers), pgstop (PostgreSQL is stopped, and
// then frozen, under the same load), standby (the synchronous standby stops, and is promoted), standby-backup (backups of a
// standby), promotion (of a standby after the primary was killed under 24 clients), patroni (which promotes by itself, with
// etcd), lossy (a standby that lacks the newest writes is promoted), replica (lists are read from a standby that is paused,
// frozen, killed and promoted), spool (PostgreSQL is frozen while the server stops), restarts (of three instances behind
// HAProxy and Caddy, under load), instances (eight start at once on one empty database), pooler (two behind PgBouncer in
// transaction mode), disk (no space left, and a file that may not be written), and all. HAProxy, Caddy, PgBouncer, etcd and
// Patroni are Debian's: where they are not installed, their packages are unpacked for a while.
// It knows the product from outside only: its program and its API. What it
// starts listens on loopback, is stopped by its process id, and lives below one temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// lab is what all commands share.
type lab struct {
	dir      string // for temporary files
	program  string // the product
	rounds   int
	requests int           // at least, of restarts
	fails    int           // of lossy
	patience time.Duration // of promotion and patroni
	pg       *cluster      // started when first needed
}

type command struct {
	name string
	run  func(context.Context, *lab) error
}

var commands = []command{
	{"crash-sqlite", crashSQLite},
	{"crash-postgres", crashPostgres},
	{"pgstop", pgStop},
	{"standby", standby},
	{"promotion", promotion},
	{"patroni", patroniFailover},
	{"lossy", lossy},
	{"replica", replica},
	{"spool", spool},
	{"restarts", restarts},
	{"standby-backup", standbyBackup},
	{"instances", instances},
	{"pooler", pooler},
	{"disk", disk},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	program := flag.String("program", "", "the product's executable; built when not given")
	rounds := flag.Int("rounds", 10, "how often each crash command kills the server")
	requests := flag.Int("requests", 0, "how many requests restarts makes behind each proxy, at least")
	fails := flag.Int("fails", 2, "how often lossy fails over")
	patience := flag.Duration("patience", 0, "how much later than promised writes may be back after a fail-over, and answers may come: for a busy machine")
	limit := flag.Duration("limit", 8*time.Minute, "for everything")
	flag.Parse()
	wanted := flag.Args()
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	if slices.Contains(wanted, "all") {
		wanted = names
	}
	if len(wanted) == 0 {
		return errors.New("say which: " + strings.Join(names, ", ") + " or all")
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	l := &lab{program: *program, rounds: *rounds, requests: *requests, fails: *fails, patience: *patience}
	if l.dir, err = os.MkdirTemp("", "clinic-failures-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if l.program == "" {
		l.program = filepath.Join(l.dir, "healthcare")
		build := exec.CommandContext(ctx, "go", "build", "-o", l.program, "healthcare")
		build.Stdout, build.Stderr = os.Stdout, os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("go build: %w", err)
		}
	}
	for _, name := range wanted {
		i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
		if i < 0 {
			return fmt.Errorf("there is no command %q", name)
		}
		began := time.Now()
		if err := commands[i].run(ctx, l); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("%s: passed in %.1f s\n", name, time.Since(began).Seconds())
	}
	return nil
}

// postgres is this run's own PostgreSQL.
func (l *lab) postgres() (*cluster, error) {
	if l.pg != nil {
		return l.pg, nil
	}
	var err error
	l.pg, err = newCluster(filepath.Join(l.dir, "pg"))
	return l.pg, err
}

func (l *lab) close() error {
	var err error
	if l.pg != nil {
		err = l.pg.stop("immediate")
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}
