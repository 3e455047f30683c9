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
	var check bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back the database up while the server runs, or check a backup with --check",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if check {
				return p.transfer(cmd, backup.Check, args[0], "The backup of %s restores: %d rows, all as they were.\n")
			}
			return p.transfer(cmd, backup.Create, args[0], "Backup made %s: %d rows.\n")
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "restore FILE into a throw-away database and compare")
	return cmd
}

// restore is the subcommand that puts a backup into an empty database.
func (p Program) restore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into the configured database, which must be empty",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.transfer(cmd, restoreAnew, args[0], "The backup of %s is restored: %d rows.\n")
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

func (p Program) transfer(cmd *cobra.Command, do transferFunc, file, message string) error {
	cfg, err := config.Load(p.Environ, p.Dotenv)
	if err != nil {
		return err
	}
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

// audit is the subcommand that proves the audit trail.
func (p Program) audit() *cobra.Command {
	var noted string
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no sealed event was changed or removed",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				report, err := db.VerifyAudit(cmd.Context(), noted, p.progress(cmd, "audit verify"))
				doubts := &models.AuditDoubtsError{}
				if err != nil && !errors.As(err, &doubts) {
					return fmt.Errorf("THE AUDIT TRAIL IS BROKEN: %w", err)
				}
				cmd.Printf("Events sealed and unchanged: %d (in seals: %d); not sealed yet: %d.\n", report.Events, report.Seals, report.Unsealed)
				cmd.Printf("The newest seal is %s.\n", report.Last)
				cmd.Println("Keep the line above elsewhere: audit verify --seal proves later that this seal still is part of the chain," +
					" and so that nothing up to it was cut off. Nothing shows what a holder of the key has made up.")
				return err
			})
		},
	}
	verify.Flags().StringVar(&noted, "seal", "", "a seal that was noted before: prove that it is part of the chain")
	cmd := &cobra.Command{Use: "audit", Short: "Look after the audit trail"}
	cmd.AddCommand(verify)
	return cmd
}
