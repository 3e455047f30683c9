package backup

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"healthcare/config"
	"healthcare/models"
)

// dumpPostgres runs pg_dump on the very snapshot that the sums are of.
func dumpPostgres(ctx context.Context, from config.Database, data string, progress Progress) (map[string]TableSum, error) {
	pc, err := models.DirectConfig(ctx, from)
	if err != nil {
		return nil, err
	}
	path, err := findTool("pg_dump")
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*pc)
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	var snapshot string
	if err := tx.QueryRowContext(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "--no-password", "--format=custom", "--no-owner", "--no-privileges", "--snapshot="+snapshot, "--file="+data)
	cmd.Env = append(os.Environ(), libpqEnviron(from.Direct(), pc)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_dump: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return sum(ctx, tx, "C", progress)
}

// libpqVariables are the parameters of DATABASE_URL that pgx and libpq both know, and libpq's variables for them.
// pgx's own are not for libpq, and what is left are settings of the server, which pg_dump sets itself.
var libpqVariables = map[string]string{
	"application_name": "PGAPPNAME", "channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
	"krbsrvname": "PGKRBSRVNAME", "max_protocol_version": "PGMAXPROTOCOLVERSION", "min_protocol_version": "PGMINPROTOCOLVERSION",
	"options": "PGOPTIONS", "require_auth": "PGREQUIREAUTH", "service": "PGSERVICE", "servicefile": "PGSERVICEFILE",
	"sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslmode": "PGSSLMODE", "sslnegotiation": "PGSSLNEGOTIATION",
	"sslrootcert": "PGSSLROOTCERT", "sslsni": "PGSSLSNI", "target_session_attrs": "PGTARGETSESSIONATTRS",
}

// libpqEnviron connects libpq to where pgx connects. Variables hide the password from whoever lists processes, and
// an older libpq ignores those that it does not know.
func libpqEnviron(address string, pc *pgx.ConnConfig) []string {
	var hosts, ports []string
	add := func(host string, port uint16) {
		hosts, ports = append(hosts, host), append(ports, strconv.Itoa(int(port)))
	}
	add(pc.Host, pc.Port)
	for _, f := range pc.Fallbacks {
		if f.Host != hosts[len(hosts)-1] || strconv.Itoa(int(f.Port)) != ports[len(ports)-1] { // not the same without TLS
			add(f.Host, f.Port)
		}
	}
	environ := []string{
		"PGHOST=" + strings.Join(hosts, ","), "PGPORT=" + strings.Join(ports, ","),
		"PGUSER=" + pc.User, "PGPASSWORD=" + pc.Password, "PGDATABASE=" + pc.Database,
	}
	if u, err := url.Parse(address); err == nil { // as pgx has done
		for name, values := range u.Query() {
			if variable, ok := libpqVariables[name]; ok {
				environ = append(environ, variable+"="+values[0])
			}
		}
	}
	return environ
}

// restorePostgres fills the configured database, or another one.
func restorePostgres(ctx context.Context, to config.Database, file string, fill fillFunc, progress Progress) (*Manifest, error) {
	pc, err := models.DirectConfig(ctx, to)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "healthcare-restore-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, backupData)
	m, err := unpack(file, data, "postgres")
	if err != nil {
		return nil, err
	}
	return m, fill(ctx, pc, data, m, progress)
}

type fillFunc func(ctx context.Context, pc *pgx.ConnConfig, data string, m *Manifest, progress Progress) error

// fillConfigured does all in one transaction: unless the tables are as the manifest tells, none of it stays.
func fillConfigured(ctx context.Context, pc *pgx.ConnConfig, data string, m *Manifest, progress Progress) (err error) {
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // the end that was asked for, not the connection or the transaction that it broke
		}
	}()
	db := stdlib.OpenDB(*pc)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := emptyPostgres(ctx, tx); err != nil {
		return err
	}
	if err := conn.Raw(func(c any) error { return replay(ctx, c.(*stdlib.Conn).Conn().PgConn(), data) }); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "RESET ALL"); err != nil { // the dump sets the search path
		return err
	}
	sums, err := sum(ctx, tx, "C", progress)
	if err != nil {
		return err
	}
	if err := m.compare(sums); err != nil {
		return err
	}
	return tx.Commit()
}

// emptyPostgres refuses a database that has something with the name of what a backup brings, whoever made it.
func emptyPostgres(ctx context.Context, tx *sql.Tx) error {
	names, err := tableNames()
	if err != nil {
		return err
	}
	var there string
	err = tx.QueryRowContext(ctx, "SELECT concat_ws(', ', (SELECT string_agg(name, ', ') FROM unnest(string_to_array($1, ',')) AS name"+
		" WHERE to_regclass(name) IS NOT NULL), to_regprocedure('append_only()')::text)", strings.Join(names, ",")).Scan(&there)
	if err == nil && there != "" {
		err = fmt.Errorf("the configured database is not empty: it has %s; a backup is only restored where none of its names is taken", there)
	}
	return err
}

// fillThrowaway fills a database of its own on the same server, and removes it again.
func fillThrowaway(ctx context.Context, pc *pgx.ConnConfig, data string, m *Manifest, progress Progress) error {
	server := stdlib.OpenDB(*pc)
	defer func() { _ = server.Close() }()
	there := pc.Copy()
	there.Database = "healthcare_check_" + strings.ToLower(rand.Text())
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+there.Database+" TEMPLATE template0"); err != nil {
		return fmt.Errorf("a throw-away database cannot be made: %w", err)
	}
	defer func() {
		_, _ = server.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+there.Database+" WITH (FORCE)")
	}()
	return fillConfigured(ctx, there, data, m, progress)
}

func findTool(tool string) (string, error) {
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + tool)
	if len(found) == 0 {
		return "", fmt.Errorf("%s is not installed; it comes with PostgreSQL's client programs (Debian: postgresql-client)", tool)
	}
	return slices.Max(found), nil
}
