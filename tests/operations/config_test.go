package operations

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

const secret = "7c1f90b2e4d85a3684af0d17c93be652" // just 32 bytes

// load reads a configuration from NAME=value pairs and, unless it is empty, the text of a .env file.
func load(t *testing.T, dotenv string, environ ...string) (*config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), ".env")
	if dotenv != "" {
		require.NoError(t, os.WriteFile(file, []byte(dotenv), 0o600))
	}
	return config.Load(environ, file)
}

func TestConfigurationHasDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, err := load(t, "")
	require.NoError(t, err)
	assert.NoFileExists(t, "healthcare.db.secret")
	require.NoError(t, cfg.KeepSecret())
	assert.Len(t, string(cfg.JWTSecret), 64) // made at random
	cfg.JWTSecret = ""
	assert.Equal(t, &config.Config{
		Host: "127.0.0.1", Port: 8000, Database: config.Database{SQLite: "healthcare.db"}, MaxConns: 16, MaxIdle: 16, MinPassword: 8,
		AccessTokenTTL: 15 * time.Minute, RefreshTokenTTL: 168 * time.Hour, RefreshGrace: 10 * time.Second,
		Registration: "open", PatientAccess: "own", AuthRateLimit: 120, AccountRateLimit: 6000, AuditSealFile: "healthcare.db.seal", SpoolDir: ".", RequestTimeout: 10 * time.Second, LogLevel: slog.LevelInfo, HashMemory: 19 * 1024,
		ACMEDirectoryURL: "https://acme-v02.api.letsencrypt.org/directory",
		MigrationTimeout: 5 * time.Minute, LogFormat: "text", SlowRequest: time.Second,
	}, cfg)
}

func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, "", "HOST=::1", "PORT=80", "DATABASE_URL=postgresql://u:pw@db.example.org:5433/clinic", "JWT_SECRET="+secret, "DB_MAX_CONNS=5", "DB_MAX_IDLE_CONNS=0",
		"PASSWORD_MIN_LENGTH=15", "ACCESS_TOKEN_TTL=1h30m", "REFRESH_TOKEN_TTL=24h", "REFRESH_GRACE=0s", "AUDIT_KEY="+secret, "AUDIT_OLD_KEYS=one, \"t,wo\",,\nchangemechangeme", "REGISTRATION=closed", "AUTH_RATE_LIMIT=0", "ACCOUNT_RATE_LIMIT=9", "AUDIT_SEAL_FILE=/x", "SPOOL_DIR=/y", "REQUEST_TIMEOUT=30s", "DRAIN_DELAY=10s", "LOG_LEVEL=WARN",
		"MIGRATION_TIMEOUT=1m", "LOG_FORMAT=json", "SLOW_REQUEST=0s", "METRICS_ADDR=:9090",
		"CORS_ALLOWED_ORIGINS=https://app.example.org, http://localhost:3000/", "TRUSTED_PROXIES=10.1.2.3/8, ::1,192.0.2.7",
		"PATIENT_ACCESS=clinic", "PUBLIC_URL=https://Clinic.example.org/", "SMTP_URL=smtp://clinic:p%40ss@mail.example.org", "MAIL_FROM=Clinic <clinic@example.org>",
		"TLS_DOMAINS=Clinic.example.org, www.xn--bcher-kva.example", "TLS_CACHE_DIR=/tls", "TLS_REDIRECT_PORT=8080", "ACME_DIRECTORY_URL=https://ca.example.org:14000/dir", "ACME_EMAIL=it@example.org")
	require.NoError(t, err)
	assert.Equal(t, &config.Config{
		Host: "::1", Port: 80, Database: config.Database{Postgres: "postgresql://u:pw@db.example.org:5433/clinic"}, JWTSecret: secret, AuditKey: secret, AuditOldKeys: config.Secrets{"one", "t,wo", "changemechangeme"}, MaxConns: 5, MinPassword: 15, RefreshTokenTTL: 24 * time.Hour,
		AccessTokenTTL: 90 * time.Minute, Registration: "closed", AuthRateLimit: 0, AccountRateLimit: 9, AuditSealFile: "/x", SpoolDir: "/y", RequestTimeout: 30 * time.Second, DrainDelay: 10 * time.Second, LogLevel: slog.LevelWarn, HashMemory: 19 * 1024,
		MigrationTimeout: time.Minute, LogFormat: "json", MetricsAddr: "127.0.0.1:9090",
		PatientAccess: "clinic", PublicURL: "https://clinic.example.org", MailFrom: "Clinic <clinic@example.org>",
		SMTP:       config.SMTP{Host: "mail.example.org", Port: 587, User: "clinic", Password: "p@ss"},
		TLSDomains: []config.Domain{"clinic.example.org", "www.xn--bcher-kva.example"}, TLSCacheDir: "/tls", TLSRedirectPort: 8080,
		ACMEDirectoryURL: "https://ca.example.org:14000/dir", ACMEEmail: "it@example.org",
		CORSAllowedOrigins: []config.Origin{"https://app.example.org", "http://localhost:3000"},
		TrustedProxies:     []config.Network{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}, {Prefix: netip.MustParsePrefix("192.0.2.7/32")}},
	}, cfg)
	assert.Equal(t, "PostgreSQL, database clinic at db.example.org:5433", cfg.Database.String())
	kit.Absent(t, fmt.Sprint(cfg.JWTSecret, cfg.AuditOldKeys, " ", cfg.Database), secret, "pw", "one", "changeme")
}

func TestAWrongVariableIsNamedAndItsValueIsNot(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for variable, cases := range map[string]map[string][]string{
		"HOST":           {"IP address or a host name": {"two words", "http://x", "-"}},
		"PATIENT_ACCESS": {"one of: own, clinic": {"all", "Own"}},
		"PUBLIC_URL":     {"without a path": {"clinic.example.com", "https://x.org/a", "https://u:p@x.org", "ftp://x.org"}},
		"SMTP_URL":       {"smtp://user": {"mail.example.org", "http://mail.example.org", "smtp://h?x=1", "smtp://u:p%zz@h"}, "port": {"smtp://h:0", "smtp://h:99999"}},
		"MAIL_FROM":      {"one address": {"no-address", "a@example.com, b@example.com"}},
		"PORT":           {"whole number": {"web", "80.5", "99999999999999999999"}, "at least 0": {"-1"}, "at most 65535": {"65536"}},
		"DATABASE_URL": {"postgres:// or sqlite:": {"mysql://x", "healthcare.db", "file:x"}, "path of a file": {"sqlite:", "sqlite::memory:", "sqlite:///", "sqlite:x.db?mode=ro", "sqlite:file:x.db", "sqlite://file:x.db", "sqlite:file:///x.db?mode=memory"}, "this is a folder": {"sqlite:" + filepath.Dir(missing)}, "must name a database": {"postgres:///", "postgresql://u:hunter2@x:5432/", "postgres:///?host=/run"},
			"postgres://user:password@host": {"postgres://p:a%zz@h/x", "postgres://u:hunter2@h/x?sslmode=foo", "postgres://h:port/x"}, "does not exist": {"sqlite:" + missing + "/x.db"}},
		"READ_DATABASE_URL":      {"is for PostgreSQL": {"sqlite:x.db"}, "must name a database": {"postgres://x"}, "postgres:// or sqlite:": {"mysql://x"}},
		"MIGRATION_DATABASE_URL": {"is for PostgreSQL": {"sqlite:x.db"}, "postgres://user:password@host": {"postgres://h/x?sslmode=foo"}, "postgres:// or sqlite:": {"mysql://x"}},
		"DB_MAX_CONNS":           {"at least 1": {"0", "-5"}, "at most 1000": {"1001"}, "whole number": {"many"}},
		"DB_MAX_IDLE_CONNS":      {"at least 0": {"-1"}, "whole number": {"1e3"}},
		"JWT_SECRET":             {"at least 32 bytes": {"hunter2", strings.Repeat("x", 31)}, "must not repeat itself": {strings.Repeat("changeme", 4)}},
		"AUDIT_KEY":              {"at least 32 bytes": {"hunter2"}, "must not repeat itself": {strings.Repeat("changeme", 4)}},
		"PASSWORD_MIN_LENGTH":    {"at least 8": {"7"}, "at most 128": {"129"}},
		"ACCESS_TOKEN_TTL":       {"a duration": {"15", "15 minutes", "1d"}, "at least 1s": {"0s", "-1m", "10ms"}, "at most 24h": {"25h"}},
		"REGISTRATION":           {"one of: open, closed": {"yes", "OPEN"}},
		"AUTH_RATE_LIMIT":        {"at least 0": {"-1"}, "whole number": {"120/m"}, "at most": {"1000001"}},
		"ACCOUNT_RATE_LIMIT":     {"at least 0": {"-1"}, "whole number": {"100/s"}, "at most": {"50000001"}},
		"CORS_ALLOWED_ORIGINS":   {"origins such as": {"*", "https://*.example.net", "clinic.example.net", "https://clinic.example.net/path", "https://a.org,ftp://b.org", "https://u:p@a.org", "https://a.org?x", "://", "https://:443"}, "ports up to 65535": {"https://a.org:65536"}, "xn--": {"https://bücher.example"}},
		"TRUSTED_PROXIES":        {"CIDR": {"*", "proxy.example.org", "10.0.0.0/33", "10.0.0.1,nonsense"}},
		"REQUEST_TIMEOUT":        {"a duration": {"soon"}, "at least 100ms": {"1ms"}, "at most 5m": {"6m"}},
		"DRAIN_DELAY":            {"a duration": {"soon"}, "at least 0s": {"-1s"}, "at most 5m": {"6m"}},
		"LOG_LEVEL":              {"debug, info, warn, error": {"loud", "verbose"}},
		"TLS_DOMAINS":            {"names such as": {"*.example.org", "localhost", "192.0.2.1", "https://clinic.example.org", "clinic.example.org:443", "bücher.example", "-a.example.org", strings.Repeat("a", 64) + ".org"}},
		"TLS_REDIRECT_PORT":      {"whole number": {"http"}, "at least 0": {"-1"}, "at most 65535": {"65536"}, "needs TLS_CERT_FILE or TLS_DOMAINS": {"80"}},
		"ACME_DIRECTORY_URL":     {"https://": {"http://ca.example.org/dir", "ca.example.org", "https://u:p@ca.example.org/dir"}},
		"ACME_EMAIL":             {"one address": {"nobody", "Clinic <a@example.org>"}},
		"METRICS_ADDR":           {"host and a port": {"9090", "http://127.0.0.1:9090", "two words:1", ":99999", "localhost:", ":web"}, "another port than PORT": {":8000", "0.0.0.0:08000"}},
		"LOG_FORMAT":             {"one of: text, json": {"xml", "JSON"}},
		"SLOW_REQUEST":           {"at least 0": {"-1s"}, "at most 1h": {"2h"}, "duration": {"1"}},
		"MIGRATION_TIMEOUT":      {"at least 1s": {"0s"}, "at most 24h": {"25h"}, "duration": {"soon"}},
	} {
		for says, values := range cases {
			for _, value := range values {
				cfg, err := load(t, "", "DATABASE_URL=postgres://x/y", "JWT_SECRET="+secret, variable+"="+value)
				var wrong config.Errors
				if assert.ErrorAs(t, err, &wrong, "%s=%s", variable, value) && assert.Len(t, wrong, 1, "%s=%s", variable, value) {
					assert.True(t, strings.HasPrefix(wrong[0], variable+": "), wrong[0])
					assert.Contains(t, wrong[0], says, "%s=%s", variable, value)
					if len(value) > 5 && value != "sqlite:" {
						assert.NotContains(t, wrong[0], value)
					}
				}
				assert.Nil(t, cfg)
			}
		}
	}
}

func TestOriginsAreWrittenAsBrowsersDo(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, "", "DATABASE_URL=postgres://x/y", "JWT_SECRET="+secret,
		"CORS_ALLOWED_ORIGINS=HTTPS://App.Example.org, https://a.org:443/,http://B.org:80,https://c.org:80,http://d.org:0443,https://e.org:, http://[2001:DB8::A]:80")
	require.NoError(t, err)
	assert.Equal(t, []config.Origin{
		"https://app.example.org", "https://a.org", "http://b.org", "https://c.org:80", "http://d.org:443", "https://e.org", "http://[2001:db8::a]",
	}, cfg.CORSAllowedOrigins)
}

func TestAllWrongVariablesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "LOG_LEVEL=loud\n", "PORT=web", "DATABASE_URL=mysql://root:hunter2@x", "JWT_SECRET=hunter2", "REGISTRATION=maybe", "TRUSTED_PROXIES=x", "ACCESS_TOKEN_TTL=0s")
	var wrong config.Errors
	require.ErrorAs(t, err, &wrong)
	named := []string{}
	for _, says := range wrong {
		name, _, _ := strings.Cut(says, ":")
		named = append(named, name)
	}
	assert.ElementsMatch(t, []string{"LOG_LEVEL", "PORT", "DATABASE_URL", "JWT_SECRET", "REGISTRATION", "TRUSTED_PROXIES", "ACCESS_TOKEN_TTL"}, named)
	kit.Absent(t, err.Error(), "hunter2", "maybe", "mysql")
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	dotenv := "# a comment\nexport PORT=1111\nHOST='0.0.0.0'\nDATABASE_URL=postgres://file/clinic\nJWT_SECRET=\"" + secret + "\"\nREGISTRATION=closed\n"
	cfg, err := load(t, dotenv, "PORT=2222", "REGISTRATION=", "NOISE", "=x", "AUTH_RATE_LIMIT= ")
	require.NoError(t, err)
	assert.Equal(t, 2222, cfg.Port)
	assert.Equal(t, "0.0.0.0", cfg.Host)
	assert.Equal(t, config.Secret(secret), cfg.JWTSecret)
	assert.Equal(t, "open", cfg.Registration) // set to nothing is unset, and still wins over the file
	assert.EqualValues(t, 120, cfg.AuthRateLimit)
}

func TestABrokenFileIsToldByItsLineOnly(t *testing.T) {
	t.Parallel()
	for line, dotenv := range map[int]string{
		1: "hunter2\n",
		2: "PORT=8000\nJWT_SECRET hunter2\nHOST=::1\n",
		3: "# comment\n\nJWT_SECRET=\"hunter2\nPORT=8000\n",
		4: "\n\n\nJWT_$ECRET=hunter2\n",
		5: "\n\n\n\nJWT_SECRET=hun\x00ter2\n",
	} {
		_, err := load(t, dotenv)
		var wrong config.Errors
		require.ErrorAs(t, err, &wrong)
		assert.Len(t, wrong, 1)
		assert.Regexp(t, fmt.Sprintf(`\.env: line %d is not of the form NAME=value$`, line), wrong[0])
		kit.Absent(t, err.Error(), "hunter2")
	}
	_, err := config.Load(nil, t.TempDir())
	assert.ErrorContains(t, err, "cannot be read")
}

func TestADollarInTheFileIsADollar(t *testing.T) {
	t.Parallel()
	const dollars = "7c1f$HOME90b2$PORT.e4d8$(5a36)84af${PORT}0d$$17c9 3be6$52$"
	for name, c := range map[string]struct{ line, want string }{
		"plain":         {dollars, dollars},
		"in ''":         {"'" + dollars + "'", dollars},
		`in ""`:         {`"` + dollars + `"`, dollars},
		"with comment":  {dollars + " # $PORT", dollars},
		"quoted, too":   {`"` + dollars + ` # $PORT" # comment`, dollars + " # $PORT"},
		"of many lines": {`"` + dollars + "\n" + dollars + `"`, dollars + "\n" + dollars},
		"escaped":       {`"` + strings.ReplaceAll(dollars, "$", `\$`) + `"`, dollars},
		"backslash":     {`a\` + dollars, `a\` + dollars},
	} {
		cfg, err := load(t, "PORT=1111\nexport JWT_SECRET="+c.line+"\r\nAUDIT_KEY="+c.line+"\n")
		require.NoError(t, err, name)
		assert.Equal(t, c.want, string([]byte(cfg.JWTSecret)), name)
		assert.Equal(t, c.want, string([]byte(cfg.AuditKey)), name)
		assert.Equal(t, 1111, cfg.Port)
	}
}

func TestPostgresNeedsASecret(t *testing.T) {
	t.Parallel()
	_, err := load(t, "", "DATABASE_URL=postgres://u:hunter2@x/y")
	assert.ErrorContains(t, err, "JWT_SECRET: required with PostgreSQL")
	kit.Absent(t, err.Error(), "hunter2")
}

// keep is load for whoever opens the database.
func keep(t *testing.T, environ ...string) (*config.Config, error) {
	t.Helper()
	cfg, err := load(t, "", environ...)
	require.NoError(t, err)
	err = cfg.KeepSecret()
	return cfg, err
}

func TestTheEmbeddedDatabaseKeepsASecretBesideIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := "DATABASE_URL=sqlite:" + filepath.Join(dir, "clinic.db")
	file := filepath.Join(dir, "clinic.db.secret")
	secrets := make(chan config.Secret, 8)
	for range 8 { // at once, and all use the same
		go func() {
			cfg, err := keep(t, database)
			assert.NoError(t, err)
			secrets <- cfg.JWTSecret
		}()
	}
	first := <-secrets
	for range 7 {
		assert.Equal(t, first, <-secrets)
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(kept))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1) // no temporary file is left

	cfg, err := keep(t, database, "JWT_SECRET="+secret)
	require.NoError(t, err)
	assert.Equal(t, config.Secret(secret), cfg.JWTSecret)

	require.NoError(t, os.WriteFile(file, []byte("short"), 0o600))
	_, err = keep(t, database)
	require.ErrorContains(t, err, "JWT_SECRET: not set")
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	_, err = keep(t, database)
	require.ErrorContains(t, err, "JWT_SECRET: not set")
}

func TestDatabaseAddresses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for address, want := range map[string]string{
		"sqlite:x.db": "x.db", "sqlite:///x.db": "/x.db", "sqlite://x.db": "x.db", "sqlite:" + dir + "/x.db": dir + "/x.db", "sqlite://" + dir + "/x.db": dir + "/x.db",
	} {
		var d config.Database
		require.NoError(t, d.UnmarshalText([]byte(address)))
		assert.Equal(t, config.Database{SQLite: want}, d, address)
		absolute, err := filepath.Abs(want)
		require.NoError(t, err)
		assert.Equal(t, "SQLite, file "+absolute, d.String())
	}
	assert.Equal(t, "PostgreSQL, database d", config.Database{Postgres: "postgres:///d?host=/run"}.String())
	assert.Equal(t, "PostgreSQL, database d at h", config.Database{Postgres: "postgres://h?dbname=d"}.String())
	assert.Equal(t, "PostgreSQL", config.Database{Postgres: "postgres://u:p%zz@h/d"}.String())
}

func TestVariablesThatDoNotFitEachOtherAreNamed(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "x.db")
	_, err := load(t, "", database, "PATIENT_ACCESS=clinic")
	assert.ErrorContains(t, err, "REGISTRATION: must be closed where PATIENT_ACCESS is clinic")
	_, err = load(t, "", database, "PATIENT_ACCESS=clinic", "REGISTRATION=closed")
	assert.NoError(t, err)
	_, err = load(t, "", database, "SMTP_URL=smtps://mail.example.org")
	assert.ErrorContains(t, err, "PUBLIC_URL: required with SMTP_URL")
	assert.ErrorContains(t, err, "MAIL_FROM: required with SMTP_URL")
	for says, environ := range map[string][]string{
		"TLS_KEY_FILE: required with TLS_CERT_FILE":                    {"TLS_CERT_FILE=cert.pem"},
		"TLS_CERT_FILE: required with TLS_KEY_FILE":                    {"TLS_KEY_FILE=key.pem"},
		"TLS_DOMAINS: must not be set with TLS_CERT_FILE":              {"TLS_CERT_FILE=cert.pem", "TLS_KEY_FILE=key.pem", "TLS_DOMAINS=clinic.example.org"},
		"TLS_REDIRECT_PORT: must be another than PORT":                 {"TLS_DOMAINS=clinic.example.org", "PORT=443", "TLS_REDIRECT_PORT=443"},
		"METRICS_ADDR: must have another port than PORT and TLS_REDIR": {"TLS_DOMAINS=clinic.example.org", "PORT=443", "TLS_REDIRECT_PORT=80", "METRICS_ADDR=:80"},
		"TLS_CACHE_DIR: required with TLS_DOMAINS and PostgreSQL; the": {"TLS_DOMAINS=clinic.example.org", "DATABASE_URL=postgres://x/y", "JWT_SECRET=" + secret},
	} {
		_, err := load(t, "", append([]string{database}, environ...)...)
		var wrong config.Errors
		require.ErrorAs(t, err, &wrong, says)
		assert.Len(t, wrong, 1)
		assert.ErrorContains(t, err, says)
	}
	cfg, err := load(t, "", database, "TLS_DOMAINS=clinic.example.org")
	require.NoError(t, err)
	assert.Equal(t, cfg.Database.SQLite+".acme", cfg.TLSCacheDir)
}

func TestTracesGoByHTTPAlone(t *testing.T) {
	t.Parallel()
	const to = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
	for _, wrong := range []string{"OTEL_TRACES_EXPORTER=jaeger", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"} {
		name, _, _ := strings.Cut(wrong, "=")
		_, err := load(t, "", to, wrong)
		require.ErrorContains(t, err, name+": must be ")
		_, err = load(t, "", wrong)
		require.NoError(t, err, "of no importance where no traces are sent")
	}
	cfg, err := load(t, "", to, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_TRACES_EXPORTER=otlp")
	require.NoError(t, err)
	assert.True(t, cfg.OpenTelemetry.Traces())
}
