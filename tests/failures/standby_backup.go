//go:build programs

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"time"
)

// standbyBackup backs a hot standby up, which takes no writes, while its primary is written to, and once more when that
// has ended: then the manifest must be that of the primary's own backup.
func standbyBackup(ctx context.Context, l *lab) (err error) {
	primary, err := newCluster(filepath.Join(l.dir, "backup-primary"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, primary.stop("immediate")) }()
	hot, err := primary.newStandby()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hot.stop("immediate")) }()
	address, err := primary.database("clinic")
	if err != nil {
		return err
	}
	for _, setting := range []string{"synchronous_standby_names = '*'", "synchronous_commit = 'remote_apply'"} { // so that the standby shows what is acknowledged
		if err := primary.query("ALTER SYSTEM SET " + setting); err != nil {
			return err
		}
	}
	if err := primary.query("SELECT pg_reload_conf()"); err != nil {
		return err
	}
	s, err := l.newInstance(address)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	w, err := newAcknowledged(ctx, s)
	if err != nil {
		return err
	}
	if err := w.write(ctx, time.Second); err != nil {
		return err
	}
	other, err := l.newInstance(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/clinic?sslmode=disable", hot.port))
	if err != nil {
		return err
	}
	run := func(on *instance, args ...string) error {
		out, err := on.command(args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", args, err, out)
		}
		if noted := !bytes.Contains(out, []byte("not noted")); noted != (on == s) {
			return fmt.Errorf("%s: the primary notes it, and a standby says that it cannot: %s", args, out)
		}
		return nil
	}
	busy, standbys, own := filepath.Join(l.dir, "busy.zip"), filepath.Join(l.dir, "standby.zip"), filepath.Join(l.dir, "primary.zip")
	writing := make(chan error)
	go func() { writing <- w.write(ctx, 4*time.Second) }()
	err = errors.Join(run(other, "backup", busy), <-writing, s.stop(), run(other, "backup", standbys), run(s, "backup", own), run(s, "backup", "--check", busy),
		run(s, "backup", "--check", standbys))
	if err != nil {
		return err
	}
	tables, err := tablesOf(standbys)
	if err != nil {
		return err
	}
	same, err := tablesOf(own)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(tables, same) || len(tables) == 0 {
		return fmt.Errorf("the standby's backup has %v, and the primary's %v", tables, same)
	}
	fmt.Printf("  two backups of a standby, one under %d writes: as the primary's own\n", w.stats.writes())
	return nil
}

// tablesOf is what a backup's manifest tells of its tables.
func tablesOf(file string) (map[string]any, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }()
	text, err := fs.ReadFile(z, "manifest.json")
	if err != nil {
		return nil, err
	}
	var manifest struct{ Tables map[string]any }
	err = json.Unmarshal(text, &manifest)
	return manifest.Tables, err
}
