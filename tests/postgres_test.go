package tests

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// postgres is the server that the tests make their databases on.
type postgres struct {
	admin *sql.DB
	url   *url.URL
	stop  func()
}

// findPostgres looks for a server: at TEST_DATABASE_URL, at the usual local address, or started for this run from
// installed binaries. One that refuses the login counts as none. The error tells all that was tried.
func findPostgres() (*postgres, error) {
	if set := os.Getenv("TEST_DATABASE_URL"); set != "" {
		pg, err := connect(set)
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return pg, nil
	}
	pg, usual := connect("postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")
	if usual == nil {
		return pg, nil
	}
	pg, started := startPostgres()
	if started == nil {
		return pg, nil
	}
	return nil, fmt.Errorf("TEST_DATABASE_URL is not set; at 127.0.0.1:5432: %w; starting one: %w", usual, started)
}

func connect(address string) (*postgres, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("no login: %w", err)
	}
	return &postgres{admin: db, url: u, stop: func() { _ = db.Close() }}, nil
}

// startPostgres makes a cluster in a temporary folder and starts a server on a free port. The server refuses to run
// as root, so root starts it as the user postgres.
func startPostgres() (*postgres, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "clinic-pg-")
	if err != nil {
		return nil, err
	}
	run := func(name string, args ...string) error {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		if os.Geteuid() == 0 {
			words := []string{filepath.Join(bin, name)}
			for _, a := range args {
				words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
			}
			cmd = exec.Command("su", "postgres", "-s", "/bin/sh", "-c", strings.Join(words, " "))
		}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c max_connections=300", port, dir)
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	stop := func() {
		_ = run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
		_ = os.RemoveAll(dir)
	}
	pg, err := connect(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
	if err != nil {
		stop()
		return nil, err
	}
	closeAdmin := pg.stop
	pg.stop = func() { closeAdmin(); stop() }
	return pg, nil
}

// postgresBinaries finds the folder that holds initdb and pg_ctl.
func postgresBinaries() (string, error) {
	var folders []string
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // the newest first
		folders = append(folders, found...)
	}
	for _, f := range folders {
		if _, err := os.Stat(filepath.Join(f, "initdb")); err == nil {
			return f, nil
		}
	}
	return "", fmt.Errorf("no initdb and pg_ctl are installed")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// database gives the address of a database on this server.
func (pg *postgres) database(name string) string {
	u := *pg.url
	u.Path = "/" + name
	return u.String()
}

// create makes a database, empty or as a copy of another that nobody is connected to.
func (pg *postgres) create(name, template string) error {
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template + " STRATEGY file_copy"
	}
	_, err := pg.admin.Exec(statement)
	return err
}

func (pg *postgres) drop(name string) error {
	_, err := pg.admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
	return err
}
