package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"healthcare/backup"
	"healthcare/config"
)

// move is the subcommand that takes all data from one database to another.
func (p Program) move() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "move --to ADDRESS [--from ADDRESS]",
		Short: "Copy all data into an empty database, of the other kind too",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, target, err := p.sourceAndTarget(from, to)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(p.Err, "From %s\nto   %s\n", source.Database, target.Database)
			m, err := backup.Move(cmd.Context(), source, target, p.progress(cmd, "move"))
			if err != nil {
				return err
			}
			if target.Database.SQLite != "" { // the newest seal of a database that was there before
				if err := os.Remove(target.Database.SQLite + ".seal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			cmd.Printf("Moved: %d rows, all as they were. The source is as it was.\n", m.Rows())
			cmd.Print(nextSteps(source, target))
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the database to read, unless it is DATABASE_URL")
	cmd.Flags().StringVar(&to, "to", "", "the database to fill, which must be empty")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// sourceAndTarget reads the addresses. None may hold a password, which other users of the machine could read.
func (p Program) sourceAndTarget(from, to string) (source, target *config.Config, err error) {
	environ := p.Environ
	for flag, address := range map[string]string{"--from": from, "--to": to} {
		if u, err := url.Parse(address); err == nil {
			if _, has := u.User.Password(); has || u.Query().Has("password") {
				return nil, nil, usageError{fmt.Errorf("%s: a password in a command line can be read by others; put it into PGPASSWORD or ~/.pgpass", flag)}
			}
		}
	}
	if from != "" {
		environ = append(environ[:len(environ):len(environ)], "DATABASE_URL="+from, "MIGRATION_DATABASE_URL=")
	}
	source, err = config.Load(environ, p.Dotenv)
	if err != nil {
		return nil, nil, err
	}
	other := *source
	target = &other
	target.Database = config.Database{}
	if err := target.Database.UnmarshalText([]byte(to)); err != nil {
		return nil, nil, usageError{fmt.Errorf("--to: %w", err)}
	}
	return source, target, nil
}

// nextSteps says what the server needs to go on with the other database.
func nextSteps(source, target *config.Config) string {
	says := "Next: set DATABASE_URL to the new database"
	if source.Database.SQLite != "" && target.Database.SQLite == "" {
		says += fmt.Sprintf(", JWT_SECRET to what is in %s.secret,\nAUDIT_KEY to `newest` in %s.audit-keys, and AUDIT_OLD_KEYS to `former`, unless they are set already",
			source.Database.SQLite, source.Database.SQLite)
	}
	if source.Database.SQLite == "" && target.Database.SQLite != "" {
		says += ", and keep JWT_SECRET, AUDIT_KEY and AUDIT_OLD_KEYS as they are"
	}
	return says + ".\nThen: healthcare audit verify\n"
}
