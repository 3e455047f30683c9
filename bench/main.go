//go:build programs

// Command bench measures the server: it fills databases of several sizes, sends every kind of request and prints the
// tables of docs/performance.md. Run it from the top of the repository: go run -tags programs ./bench
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the command line, and what is the same for all that is measured.
type options struct {
	databases []string // sqlite, postgres
	sizes     []int    // patients
	seconds   time.Duration
	conns     int
	rounds    int
	starts    int
	only      []string
	keep      bool

	dir    string // for the program, its logs and its embedded databases
	binary string
	env    []string // more settings for the server
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		logf("FAILED: %v", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(ctx context.Context) (err error) {
	o, measure, err := parseOptions()
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "clinic-bench-"); err != nil {
		return err
	}
	if !o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if o.binary, err = build(ctx, o.dir); err != nil {
		return fmt.Errorf("building the server: %w", err)
	}
	fmt.Printf("%s, %s; %d connections, %v a run.\n", time.Now().Format("2 January 2006"), machine(), o.conns, o.seconds)
	for _, db := range o.databases {
		if err := measure(ctx, o, db); err != nil {
			return fmt.Errorf("%s: %w", db, err)
		}
	}
	return nil
}

// measurement is one of those that the command line chooses from.
type measurement func(ctx context.Context, o *options, db string) error

func parseOptions() (*options, measurement, error) {
	o := &options{}
	db := flag.String("db", "both", "sqlite, postgres or both; PostgreSQL is the server at TEST_DATABASE_URL or 127.0.0.1:5432")
	sizes := flag.String("sizes", "1000,1000000", "how many patients, for each database to make")
	seconds := flag.Float64("seconds", 2, "how long each kind of request is sent in each round")
	only := flag.String("only", "", "the kinds of request to send, by parts of their names, separated by commas; all unless set")
	env := flag.String("env", "", "more settings for the server, as NAME=value separated by commas")
	flag.IntVar(&o.conns, "c", 16, "how many connections send requests")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured, in turns; medians are printed")
	flag.IntVar(&o.starts, "starts", 3, "how often the server is started for its start-up time")
	flag.BoolVar(&o.keep, "keep", false, "keep the databases")
	overload := flag.Bool("overload", false, "measure instead: four times the load it can carry, and slow clients")
	flood := flag.Bool("flood", false, "measure instead: reads while logins flood in")
	importing := flag.Bool("import", false, "measure instead: an import of 100,000 patients, and others meanwhile")
	profile := flag.Bool("profile", false, "measure instead: where the server's CPU time goes, from profiles of the Go benchmarks")
	flag.Parse()

	chosen := measure
	switch {
	case *overload:
		chosen = measureOverload
	case *flood:
		chosen = measureFlood
	case *importing:
		chosen = measureImport
	case *profile:
		chosen = measureProfile
	}
	if o.databases = []string{*db}; *db == "both" {
		o.databases = []string{"postgres", "sqlite"}
	} else if databaseNames[*db] == "" {
		return nil, nil, errors.New("-db: sqlite, postgres or both")
	}
	for s := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n != 1000 && (n < largeFrom || n%1000 != 0) {
			return nil, nil, errors.New("-sizes: 1000, or thousands from 10000 on")
		}
		o.sizes = append(o.sizes, n)
	}
	o.seconds = time.Duration(*seconds * float64(time.Second))
	o.only, o.env = fieldsOf(*only), fieldsOf(*env)
	return o, chosen, nil
}

func fieldsOf(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// logf tells how it goes, apart from the tables.
func logf(format string, args ...any) { _, _ = fmt.Fprintf(os.Stderr, format+"\n", args...) }

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
