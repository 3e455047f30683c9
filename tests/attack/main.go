//go:build programs

// Command attack plays attackers against a server under a calm load, and fails unless the others hardly notice:
//
//	go run -tags programs ./tests/attack [-program FILE] [-databases sqlite,postgres] [-patience 250ms] ATTACK...
//
// The attacks are those of the list attacks, and all. Each has a fresh server with its default limits, on the same
// database, and prints how the others were answered before and during it, how the attackers were, and the server's peak
// of memory. What is promised is in promises.go. It knows the product from outside only: its program and its API, and
// its tables, to fill them. What it starts listens on loopback and is stopped by its process id. It needs Linux: /proc, and
// all of 127.0.0.0/8 to come from.
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

// options are the command line, and what is the same for both databases.
type options struct {
	dir     string // for temporary files
	program string // the product
	attacks []attack
	// within which 99 of a hundred of the others' answers must come
	patience time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context) (err error) {
	o := &options{}
	flag.StringVar(&o.program, "program", "", "the product's executable; built when not given")
	databases := flag.String("databases", "sqlite,postgres", "which to attack")
	flag.DurationVar(&o.patience, "patience", 250*time.Millisecond, "99 of a hundred of the others' answers come within it")
	limit := flag.Duration("limit", 140*time.Second, "for everything")
	flag.Parse()
	if o.attacks, err = named(flag.Args()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if o.dir, err = os.MkdirTemp("", "clinic-attack-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if o.program == "" {
		if err := o.build(ctx); err != nil {
			return fmt.Errorf("building the server: %w", err)
		}
	}
	var broken []string
	for _, kind := range strings.Split(*databases, ",") {
		of, err := o.attackAll(ctx, kind)
		broken = append(broken, of...)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", kind, err), verdict(broken))
		}
	}
	return verdict(broken)
}

func verdict(broken []string) error {
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("promises are broken:\n  %s", strings.Join(broken, "\n  "))
}

// named finds attacks by their names.
func named(names []string) ([]attack, error) {
	if slices.Contains(names, "all") {
		return attacks, nil
	}
	var found []attack
	for _, name := range names {
		i := slices.IndexFunc(attacks, func(a attack) bool { return a.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no attack %q", name)
		}
		found = append(found, attacks[i])
	}
	if len(found) == 0 {
		known := []string{}
		for _, a := range attacks {
			known = append(known, a.name)
		}
		return nil, fmt.Errorf("say which: %s or all", strings.Join(known, ", "))
	}
	return found, nil
}

// build makes the program as a release is made.
func (o *options) build(ctx context.Context) error {
	o.program = filepath.Join(o.dir, "healthcare")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", o.program, "healthcare") //nolint:gosec // our own folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// attackAll plays the attacks on one database, and prints their table.
func (o *options) attackAll(ctx context.Context, kind string) (broken []string, err error) {
	db, err := newDatabase(ctx, kind, o.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	site, err := prepare(ctx, o, db)
	if err != nil {
		return nil, err
	}
	var scenes []*scene
	for _, a := range o.attacks {
		s := &scene{attack: a}
		if err = s.play(ctx, o, site); err != nil {
			err = fmt.Errorf("%s: %w", a.name, err)
			break
		}
		scenes = append(scenes, s)
	}
	broken = judge(kind, o.patience, &site.before, scenes)
	return broken, err
}
