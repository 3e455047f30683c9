// Command bench measures the server: it fills databases of several sizes, sends every kind of request and prints the
// tables of docs/performance.md. Run it from the top of the repository: go run ./bench
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the command line, and what is the same for all that is measured.
type options struct {
	kinds   []string // sqlite, postgres
	sizes   []int    // patients
	seconds time.Duration
	conns   int
	rounds  int
	starts  int
	only    []string
	keep    bool

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
	o := &options{}
	db := flag.String("db", "both", "sqlite, postgres or both; PostgreSQL is the server at TEST_DATABASE_URL or 127.0.0.1:5432")
	sizes := flag.String("sizes", "1000,1000000", "how many patients, for each database to make")
	seconds := flag.Float64("seconds", 2, "how long each kind of request is sent in each round")
	only := flag.String("only", "", "the kinds of request to send, separated by commas; all unless set")
	env := flag.String("env", "", "more settings for the server, as NAME=value separated by commas")
	flag.IntVar(&o.conns, "c", 16, "how many connections send requests")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured, in turns; medians are printed")
	flag.IntVar(&o.starts, "starts", 3, "how often the server is started for its start-up time")
	flag.BoolVar(&o.keep, "keep", false, "keep the databases")
	overload := flag.Bool("overload", false, "measure instead: four times the load it can carry, and slow clients")
	flood := flag.Bool("flood", false, "measure instead: other requests while logins flood in")
	flag.Parse()

	if o.kinds = []string{*db}; *db == "both" {
		o.kinds = []string{"postgres", "sqlite"}
	}
	if slices.ContainsFunc(o.kinds, func(k string) bool { return k != "sqlite" && k != "postgres" }) {
		return errors.New("-db: sqlite, postgres or both")
	}
	for s := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1000 || n%1000 != 0 {
			return errors.New("-sizes: thousands of patients")
		}
		o.sizes = append(o.sizes, n)
	}
	o.seconds = time.Duration(*seconds * float64(time.Second))
	o.only, o.env = fieldsOf(*only), fieldsOf(*env)

	if o.dir, err = os.MkdirTemp("", "clinic-bench-"); err != nil {
		return err
	}
	if !o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if o.binary, err = build(ctx, o.dir); err != nil {
		return fmt.Errorf("building the server: %w", err)
	}
	fmt.Printf("%s, %s; %d connections, medians of %d rounds of %.2g s.\n", time.Now().Format("2 January 2006"), machine(), o.conns, o.rounds, *seconds)
	for _, kind := range o.kinds {
		switch {
		case *overload:
			err = measureOverload(ctx, o, kind)
		case *flood:
			err = measureFlood(ctx, o, kind)
		default:
			err = measure(ctx, o, kind)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
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
