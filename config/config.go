// Package config turns the environment and an optional .env file into one struct.
package config

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"
)

// Config is everything that can be set from outside. The `env` tag is the variable's name; durations are written
// as Go writes them (15m, 10s). Every variable is explained in .env.example.
type Config struct {
	Host     string   `env:"HOST" envDefault:"127.0.0.1" validate:"ip|hostname"`
	Port     int      `env:"PORT" envDefault:"8000" validate:"min=0,max=65535"`
	Database Database `env:"DATABASE_URL" envDefault:"sqlite:healthcare.db"`
	// MigrationDatabase becomes Database.Migration.
	MigrationDatabase Database `env:"MIGRATION_DATABASE_URL"`
	// ReadDatabase becomes Database.Replica.
	ReadDatabase Database `env:"READ_DATABASE_URL"`
	MaxConns     int      `env:"DB_MAX_CONNS" envDefault:"16" validate:"min=1,max=1000"`
	MaxIdle      int      `env:"DB_MAX_IDLE_CONNS" envDefault:"16" validate:"min=0,max=1000"`
	JWTSecret    Secret   `env:"JWT_SECRET"`
	AuditKey     Secret   `env:"AUDIT_KEY"`
	// AuditOldKeys are what AuditKey was before, and former JWT_SECRETs that took its place: they prove what they sealed.
	AuditOldKeys Secrets `env:"AUDIT_OLD_KEYS"`
	// AuditSealFile is where the newest seal is remembered; unless set, beside an embedded database.
	AuditSealFile string `env:"AUDIT_SEAL_FILE"`
	// SpoolDir is where events that could not be stored wait for the next start; unless set, beside an embedded database.
	SpoolDir    string `env:"SPOOL_DIR"`
	MinPassword int    `env:"PASSWORD_MIN_LENGTH" envDefault:"8" validate:"min=8,max=128"`

	AccessTokenTTL time.Duration `env:"ACCESS_TOKEN_TTL" envDefault:"15m" validate:"min=1s,max=24h"`
	// A spent refresh token that is presented again within RefreshGrace gets the same successor again; 0 is off.
	RefreshTokenTTL time.Duration `env:"REFRESH_TOKEN_TTL" envDefault:"168h" validate:"min=1m,max=8760h"`
	RefreshGrace    time.Duration `env:"REFRESH_GRACE" envDefault:"10s" validate:"min=0,max=5m"`

	Registration  string `env:"REGISTRATION" envDefault:"open" validate:"oneof=open closed"`
	PatientAccess string `env:"PATIENT_ACCESS" envDefault:"own" validate:"oneof=own clinic"`
	AuthRateLimit int64  `env:"AUTH_RATE_LIMIT" envDefault:"120" validate:"min=0,max=1000000"`
	// AccountRateLimit is 50 times AuthRateLimit unless it is set.
	AccountRateLimit int64 `env:"ACCOUNT_RATE_LIMIT" validate:"min=0,max=50000000"`

	PublicURL PublicURL `env:"PUBLIC_URL"`
	SMTP      SMTP      `env:"SMTP_URL"`
	MailFrom  Mailbox   `env:"MAIL_FROM"`

	// TLS is with the certificate in two files, or with those that an ACME server gives for TLSDomains. TLSCacheDir, where
	// these are kept, is beside an embedded database unless it is set. TLSRedirectPort 0 is none.
	TLSCertFile      string    `env:"TLS_CERT_FILE"`
	TLSKeyFile       string    `env:"TLS_KEY_FILE"`
	TLSDomains       []Domain  `env:"TLS_DOMAINS"`
	TLSCacheDir      string    `env:"TLS_CACHE_DIR"`
	TLSRedirectPort  int       `env:"TLS_REDIRECT_PORT" envDefault:"0" validate:"min=0,max=65535"`
	ACMEDirectoryURL Directory `env:"ACME_DIRECTORY_URL" envDefault:"https://acme-v02.api.letsencrypt.org/directory"`
	ACMEEmail        string    `env:"ACME_EMAIL" validate:"omitempty,email"`

	CORSAllowedOrigins []Origin      `env:"CORS_ALLOWED_ORIGINS"`
	TrustedProxies     []Network     `env:"TRUSTED_PROXIES"`
	RequestTimeout     time.Duration `env:"REQUEST_TIMEOUT" envDefault:"10s" validate:"min=100ms,max=5m"`
	DrainDelay         time.Duration `env:"DRAIN_DELAY" envDefault:"0s" validate:"min=0s,max=5m"`
	// MigrationTimeout is how long a start waits for another instance that changes the tables.
	MigrationTimeout time.Duration `env:"MIGRATION_TIMEOUT" envDefault:"5m" validate:"min=1s,max=24h"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"text" validate:"oneof=text json"`
	// A request that takes SlowRequest or longer is a warning in the log; 0 is off.
	SlowRequest time.Duration `env:"SLOW_REQUEST" envDefault:"1s" validate:"min=0s,max=1h"`
	// MetricsAddr is where Prometheus may ask; "" is nowhere.
	MetricsAddr Listen `env:"METRICS_ADDR"`

	// OpenTelemetry has its own variables, see there.
	OpenTelemetry OpenTelemetry `env:"-"`

	// HashMemory is what one password hash takes, in KiB: OWASP's 19 MiB. Only tests choose less.
	HashMemory uint32 `env:"-"`
	// StockGORM leaves the plugin of package fastgorm out: the server does the same, only slower. Only tests choose it.
	StockGORM bool `env:"-"`
	// Migrated says that the tables are up to date. Only tests do, of a copy of a database that they have just migrated.
	Migrated bool `env:"-"`
}

// Errors holds one sentence for each wrong variable; each begins with the variable's name and never quotes its value.
type Errors []string

func (e Errors) Error() string { return strings.Join(e, "\n") }

// Load reads environ (as os.Environ gives it) and the file dotenv; the environment wins and a missing file is
// fine. An empty variable counts as unset. Everything that is wrong is reported at once, as Errors.
//
// Load makes no file. An embedded database without JWT_SECRET has a secret beside it: see KeepSecret.
func Load(environ []string, dotenv string) (*Config, error) {
	vars, err := readDotenv(dotenv)
	if err != nil {
		return nil, err
	}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			vars[name] = value
		}
	}
	for name, value := range vars {
		if strings.TrimSpace(value) == "" {
			delete(vars, name)
		}
	}

	cfg := &Config{HashMemory: 19 * 1024, OpenTelemetry: openTelemetry(vars)}
	errs := explain(env.ParseWithOptions(cfg, env.Options{Environment: vars}))
	errs = append(errs, check(cfg, errs)...)
	errs = append(errs, cfg.OpenTelemetry.check()...)
	cfg.derive(vars)
	if cfg.JWTSecret == "" && cfg.Database.Postgres != "" && !errs.names("JWT_SECRET") {
		errs = append(errs, "JWT_SECRET: required with PostgreSQL; make one with: openssl rand -base64 48")
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return cfg, nil
}

// derive sets what is not set, where that depends on other variables.
func (c *Config) derive(vars map[string]string) {
	c.Database.Migration, c.Database.Replica = c.MigrationDatabase.Postgres, c.ReadDatabase.Postgres
	if database := c.Database.SQLite; database != "" {
		c.AuditSealFile = cmp.Or(c.AuditSealFile, database+".seal")
		c.SpoolDir = cmp.Or(c.SpoolDir, filepath.Dir(database))
		if len(c.TLSDomains) > 0 {
			c.TLSCacheDir = cmp.Or(c.TLSCacheDir, database+".acme")
		}
	}
	if vars["ACCOUNT_RATE_LIMIT"] == "" {
		c.AccountRateLimit = 50 * c.AuthRateLimit
	}
}

func (e Errors) names(variable string) bool {
	return slices.ContainsFunc(e, func(s string) bool { return strings.HasPrefix(s, variable+":") })
}

// explain puts the parser's errors into words that name the variable.
func explain(err error) Errors {
	var errs Errors
	var all env.AggregateError
	if !errors.As(err, &all) {
		return errs
	}
	for _, err := range all.Errors {
		var pe env.ParseError
		if !errors.As(err, &pe) {
			errs = append(errs, err.Error())
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(pe.Name)
		message := pe.Err.Error() // of our own types, which quote nothing
		switch field.Type {
		case reflect.TypeFor[int](), reflect.TypeFor[int64]():
			message = "must be a whole number"
		case reflect.TypeFor[time.Duration]():
			message = "must be a duration such as 15m, 30s or 1h30m"
		case reflect.TypeFor[slog.Level]():
			message = "must be one of: debug, info, warn, error"
		}
		errs = append(errs, variable(field)+": "+message)
	}
	return errs
}

func variable(f reflect.StructField) string { return f.Tag.Get("env") }

// check tells which values are of the right type but out of range.
func check(cfg *Config, known Errors) Errors {
	v := validator.New()
	v.RegisterTagNameFunc(variable)
	var errs Errors
	var failed validator.ValidationErrors
	errors.As(v.Struct(cfg), &failed)
	for _, f := range failed {
		if known.names(f.Field()) {
			continue
		}
		message := map[string]string{
			"min":         "must be at least " + f.Param(),
			"max":         "must be at most " + f.Param(),
			"oneof":       "must be one of: " + strings.ReplaceAll(f.Param(), " ", ", "),
			"ip|hostname": "must be an IP address or a host name",
			"email":       "must be one address such as it@clinic.example.org",
		}[f.Tag()]
		errs = append(errs, f.Field()+": "+message)
	}
	return append(errs, checkTogether(cfg, append(known, errs...))...)
}

// checkTogether tells which values do not fit each other.
func checkTogether(cfg *Config, known Errors) Errors {
	errs := append(cfg.checkTLS(known), append(cfg.checkDatabases(), cfg.checkMetrics()...)...)
	if cfg.PatientAccess == "clinic" && cfg.Registration == "open" && !known.names("REGISTRATION") {
		errs = append(errs, "REGISTRATION: must be closed where PATIENT_ACCESS is clinic: else anybody could register and read every patient")
	}
	if cfg.SMTP.Host == "" || known.names("SMTP_URL") {
		return errs
	}
	if cfg.PublicURL == "" && !known.names("PUBLIC_URL") {
		errs = append(errs, "PUBLIC_URL: required with SMTP_URL; links in mails begin with it, such as https://clinic.example.org")
	}
	if cfg.MailFrom == "" && !known.names("MAIL_FROM") {
		errs = append(errs, "MAIL_FROM: required with SMTP_URL; the address that mails come from, such as clinic@example.org")
	}
	return errs
}

// checkDatabases tells which other addresses are none of the same database.
func (c *Config) checkDatabases() (errs Errors) {
	ofPostgres := func(d Database) bool { return d == (Database{}) || d.SQLite == "" && c.Database.SQLite == "" }
	if !ofPostgres(c.MigrationDatabase) {
		errs = append(errs, "MIGRATION_DATABASE_URL: is for PostgreSQL, and names the same database as DATABASE_URL")
	}
	if !ofPostgres(c.ReadDatabase) {
		errs = append(errs, "READ_DATABASE_URL: is for PostgreSQL, and names a standby of the database of DATABASE_URL")
	}
	return errs
}

// checkMetrics tells whether the metrics would take a port that the server needs.
func (c *Config) checkMetrics() Errors {
	_, text, _ := net.SplitHostPort(string(c.MetricsAddr))
	if port, _ := strconv.Atoi(text); port != 0 && (port == c.Port || port == c.TLSRedirectPort) {
		return Errors{"METRICS_ADDR: must have another port than PORT and TLS_REDIRECT_PORT"}
	}
	return nil
}

// Origin is one web origin that browsers may call from, as they write it: scheme, host and, unless it is the scheme's own,
// port.
type Origin string

// UnmarshalText refuses a wildcard and everything that is more than an origin.
func (o *Origin) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be origins such as https://app.example.org, separated by commas")
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return errors.New("must have host names as browsers send them, which is xn--… for a name with other letters than a to z")
	}
	origin := u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port()))
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return errors.New("must have ports up to 65535")
		}
		if usual := map[string]uint64{"http": 80, "https": 443}; port != usual[u.Scheme] {
			origin += ":" + strconv.FormatUint(port, 10)
		}
	}
	*o = Origin(origin)
	return nil
}

// Listen is a host and a port to listen at.
type Listen string

// UnmarshalText reads 127.0.0.1:9090, or :9090, which is for this machine only.
func (l *Listen) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(strings.TrimSpace(string(text)))
	if host == "" {
		host = "127.0.0.1"
	}
	if _, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || validator.New().Var(host, "ip|hostname") != nil {
		return errors.New("must be a host and a port such as 127.0.0.1:9090; 0.0.0.0:9090 is everywhere")
	}
	*l = Listen(net.JoinHostPort(host, port))
	return nil
}

// Network is an address or a CIDR block.
type Network struct{ netip.Prefix }

// UnmarshalText reads 10.0.0.0/8 or 10.1.2.3.
func (n *Network) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if addr, err := netip.ParseAddr(s); err == nil {
		n.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return errors.New("must be addresses or CIDR blocks such as 10.0.0.0/8, separated by commas")
	}
	n.Prefix = prefix.Masked()
	return nil
}
