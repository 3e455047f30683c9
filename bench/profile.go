//go:build programs

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// profiled are the Go benchmarks of tests/bench_test.go that a profile is taken of.
var profiled = []string{"one patient", "list of 20", "search", "mappings", "doctors of a patient", "update", "create"}

// parts are what the server's time is spent on. The first one that any function of a stack belongs to counts, so that
// what GORM calls in the driver is the driver's.
var parts = []struct {
	name      string
	functions []string
}{
	{"garbage", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.gcAssistAlloc"}},
	{"JSON", []string{"encoding/json."}},
	{"database and driver", []string{"database/sql.", "jackc/pgx", "modernc.org/", "glebarez/go-sqlite"}},
	{"GORM", []string{"gorm.io/"}},
	{"log", []string{"log/slog."}},
	{"models", []string{"healthcare/models."}},
	{"routes, middleware, controllers", []string{"gin-gonic/gin.", "healthcare/routes.", "healthcare/middleware.", "healthcare/controllers."}},
}

// measureProfile prints where the server's CPU time goes, by kind of request.
func measureProfile(ctx context.Context, o *options, db string) error {
	head := []string{"request"}
	for _, p := range parts {
		head = append(head, p.name+" %")
	}
	table := [][]string{head}
	for _, name := range profiled {
		shares, err := o.profile(ctx, db, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line := []string{name}
		for _, s := range shares {
			line = append(line, fmt.Sprintf("%.0f", s*100))
		}
		table = append(table, line)
	}
	fmt.Printf("\n%s, where the server's CPU time goes:\n\n", databaseNames[db])
	printTable(table)
	return nil
}

// profile runs one Go benchmark and tells what share of its CPU time each part has.
func (o *options) profile(ctx context.Context, db, name string) ([]float64, error) {
	file, binary := filepath.Join(o.dir, "cpu.out"), filepath.Join(o.dir, "tests.test")
	bench := "API/" + db + "/" + strings.ReplaceAll(name, " ", "_") + "$"
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", bench, "-benchtime", o.seconds.String(),
		"-cpuprofile", file, "-o", binary, "./tests")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	cmd = exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", binary, file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return sharesOf(out), nil
}

// sharesOf reads the stacks that pprof lists: a line of dashes, then the time and the innermost function, then the
// others, one a line. What belongs to no part is the measurement's own.
func sharesOf(traces []byte) []float64 {
	times, total := make([]time.Duration, len(parts)), time.Duration(0)
	var took time.Duration
	var stack []string
	finish := func() {
		if i := partOf(stack); i >= 0 {
			times[i] += took
			total += took
		}
		took, stack = 0, nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(traces)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case strings.HasPrefix(lines.Text(), "-----"):
			finish()
		case len(words) > 1 && took == 0:
			took, _ = time.ParseDuration(words[0])
			stack = append(stack, words[1])
		case len(words) > 0:
			stack = append(stack, words[0])
		}
	}
	finish()
	shares := make([]float64, len(parts))
	for i := range parts {
		shares[i] = float64(times[i]) / float64(max(total, 1))
	}
	return shares
}

func partOf(stack []string) int {
	for i, p := range parts {
		for _, function := range stack {
			for _, f := range p.functions {
				if strings.Contains(function, f) {
					return i
				}
			}
		}
	}
	return -1
}
