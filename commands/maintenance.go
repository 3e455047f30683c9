package commands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"healthcare/backup"
	"healthcare/config"
	"healthcare/models"
)

// backup is the subcommand that writes, or checks, a backup.
func (p Program) backup() *cobra.Command {
	var check, force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back the database up while the server runs, or check a backup with --check",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if check {
				return p.checkBackup(cmd, args[0])
			}
			cfg, err := p.configure(cmd.Context(), false)
			if err != nil {
				return err
			}
			p.using(cfg)
			do := backup.Create
			if force {
				do = backup.Replace
			}
			return p.transfer(cmd, p.noting(do, false), cfg, args[0], "Backup made %s: %d rows.\n")
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "restore FILE into a throw-away database and compare")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE, which is a backup already, when the new one is whole")
	cmd.MarkFlagsMutuallyExclusive("check", "force")
	return cmd
}

// checkBackup needs no database: on PostgreSQL it makes one for a while beside the configured one.
func (p Program) checkBackup(cmd *cobra.Command, file string) error {
	cfg, err := config.Load(p.Environ, p.Dotenv)
	if err != nil {
		return err
	}
	if cfg.Database.Postgres != "" {
		p.using(cfg)
	}
	return p.transfer(cmd, p.noting(backup.Check, true), cfg, file, "The backup of %s restores: %d rows, all as they were.\n")
}

// restore is the subcommand that puts a backup into an empty database.
func (p Program) restore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into the configured database, which must be empty",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(p.Environ, p.Dotenv)
			if err != nil {
				return err
			}
			p.using(cfg)
			return p.transfer(cmd, restoreAnew, cfg, args[0], "The backup of %s is restored: %d rows.\n")
		},
	}
}

// restoreAnew restores, and forgets the newest seal of the database that was there before.
func restoreAnew(ctx context.Context, cfg *config.Config, file string, progress backup.Progress) (*backup.Manifest, error) {
	m, err := backup.Restore(ctx, cfg, file, progress)
	if err == nil && cfg.AuditSealFile != "" {
		if rerr := os.Remove(cfg.AuditSealFile); !errors.Is(rerr, fs.ErrNotExist) {
			err = rerr
		}
	}
	return m, err
}

type transferFunc func(context.Context, *config.Config, string, backup.Progress) (*backup.Manifest, error)

// noting notes in the database what was done, for the metrics. A standby takes no note, and a check may have no database at
// all: the backup is none the worse.
func (p Program) noting(do transferFunc, checked bool) transferFunc {
	return func(ctx context.Context, cfg *config.Config, file string, progress backup.Progress) (*backup.Manifest, error) {
		m, err := do(ctx, cfg, file, progress)
		if err != nil {
			return nil, err
		}
		if err := models.NoteBackup(ctx, cfg, m.MadeAt, checked); err != nil {
			_, _ = fmt.Fprintf(p.Err, "All is well with the backup, but it is not noted in the database, and the metrics do not tell of it: %v\n", err)
		}
		return m, nil
	}
}

func (p Program) transfer(cmd *cobra.Command, do transferFunc, cfg *config.Config, file, message string) error {
	m, err := do(cmd.Context(), cfg, file, p.progress(cmd, cmd.Name()))
	if err != nil {
		return err
	}
	cmd.Printf(message, m.MadeAt.Format("2006-01-02 15:04:05 MST"), m.Rows())
	return nil
}

// progress shows how far some work is, on a terminal.
func (p Program) progress(cmd *cobra.Command, what string) backup.Progress {
	if _, ok := terminal(p.Err); !ok {
		return func(int64, int64) {}
	}
	return func(done, of int64) {
		cmd.PrintErrf("\r%s: %d %%", what, 100*done/max(1, of))
		if done == of {
			cmd.PrintErrln()
		}
	}
}
