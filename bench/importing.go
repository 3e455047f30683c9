//go:build programs

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// importedPatients is how many rows the measured file has.
const importedPatients = 100_000

// measureImport imports a file with the command line while others read, create and update over HTTP.
func measureImport(ctx context.Context, o *options, db string) error {
	file := filepath.Join(o.dir, "patients.csv")
	if err := writePatients(file); err != nil {
		return err
	}
	return onSite(ctx, o, db, func(a *asker) error {
		table := [][]string{{"request", "p50 ms", "p99 ms", "p50 ms during the import", "p99 ms during the import"}}
		kinds := []string{"list, first page", "one patient", "update", "create"}
		quiet, err := a.beside(ctx, kinds, func(context.Context) error { time.Sleep(o.seconds); return nil })
		if err != nil {
			return err
		}
		began := time.Now()
		var lasted time.Duration
		busy, err := a.beside(ctx, kinds, func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, o.binary, "import", "patients", file, "--owner", "few")
			cmd.Dir, cmd.Env = o.dir, append(os.Environ(), "DATABASE_URL="+a.db.url, "JWT_SECRET="+jwtSecret)
			said, err := cmd.CombinedOutput()
			if lasted = time.Since(began); err != nil {
				return fmt.Errorf("%w: %.500s", err, said)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, name := range kinds {
			table = append(table, []string{name, millis(quiet[i].p50), millis(quiet[i].p99), millis(busy[i].p50), millis(busy[i].p99)})
		}
		fmt.Printf("\n%s, %s patients imported in %.1f s, %.0f a second, while 20 requests of each kind a second come:\n\n",
			databaseNames[db], thousands(importedPatients), lasted.Seconds(), importedPatients/lasted.Seconds())
		printTable(table)
		return nil
	})
}

// people send a request every so often.
const peopleSend = 50 * time.Millisecond

// beside sends each of these kinds of request over one connection, as people would, until some work has ended.
func (a *asker) beside(ctx context.Context, kinds []string, work func(context.Context) error) ([]result, error) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	results, failed := make([]result, len(kinds)), make([]error, len(kinds)+1)
	var wait sync.WaitGroup
	for i, name := range kinds {
		k := kindNamed(name)
		build := k.request
		k.request = func(a *asker, n int) request {
			time.Sleep(peopleSend)
			return build(a, n)
		}
		wait.Go(func() { results[i], failed[i] = a.run(sending, k, 1, time.Hour) })
	}
	failed[len(kinds)] = work(ctx)
	stop()
	wait.Wait()
	i := slices.IndexFunc(failed, func(err error) bool { return err != nil })
	if i >= 0 {
		return nil, failed[i]
	}
	return results, nil
}

// writePatients writes a file as a clinic's spreadsheet saves it.
func writePatients(file string) error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var text strings.Builder
	text.WriteString("File number;First name;Last name;Birth date;Sex;Phone;E-mail;Address;Blood group\n")
	for n := range importedPatients {
		born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, random.IntN(33_000))
		fmt.Fprintf(&text, "F-%d;Ada%d;Byron-%d;%s;f;+49 30 %07d;ada%d@example.org;Weg %d, Berlin;A+\n",
			n, n%977, n, born.Format(time.DateOnly), random.IntN(10_000_000), n, n)
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}
