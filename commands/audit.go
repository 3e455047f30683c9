package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"healthcare/apierror"
	"healthcare/models"
)

// audit is the subcommand that looks after the audit trail.
func (p Program) audit() *cobra.Command {
	return group("audit", "Look after the audit trail", p.auditVerify(), p.auditArchive(), p.auditRotateKey())
}

// auditVerify is the subcommand that proves the audit trail.
func (p Program) auditVerify() *cobra.Command {
	var noted string
	var full bool
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Prove that no sealed event was changed or removed since the last proof; with DIR, archived ones from their files in this folder",
		Args:  checked(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			opened := false
			err := p.withDatabase(cmd.Context(), func(db *models.DB) error {
				opened = true
				report, err := p.proveAudit(cmd, db, noted, strings.Join(args, ""), full)
				if errors.As(err, new(*models.AuditKeyError)) || errors.Is(err, fs.ErrNotExist) { // or a file of an archive is not there
					return fmt.Errorf("the audit trail cannot be proved: %w", err)
				}
				if isUnfinished(err) {
					return unfinishedError{err}
				}
				if err != nil && !errors.As(err, new(*models.AuditDoubtsError)) {
					return fmt.Errorf("THE AUDIT TRAIL IS BROKEN: %w", err)
				}
				cmd.Printf("Events sealed and unchanged: %d (in seals: %d); not sealed yet: %d.\n", report.Events, report.Seals, report.Unsealed)
				if report.Before > 0 {
					cmd.Printf("Of the events, %d were proved before (all at %s, the newer ones since, at last at %s) and not read again:"+
						" what was changed among them since they were read, only audit verify --full finds.\n",
						report.Before, inFull(report.WholeAt), inFull(report.BeforeAt))
				}
				if report.Archived > 0 {
					cmd.Printf("Events sealed and archived: %d%s.\n", report.Archived, archivedProof(args))
				}
				if report.Unproved > 0 {
					cmd.Printf("The trail was begun anew at %s, because its key was lost: what happened to it before cannot be proved (in seals: %d).\n",
						inFull(report.Anew), report.Unproved)
				}
				cmd.Printf("The newest seal is %s.\n", report.Last)
				cmd.Println("Keep the line above elsewhere: audit verify --seal proves later that this seal still is part of the chain," +
					" and so that nothing up to it was cut off. Nothing shows what a holder of the key has made up.")
				return err
			})
			if !opened && isUnfinished(err) {
				return unfinishedError{err}
			}
			return err
		},
	}
	sealFlag(cmd, &noted, "a `seal` that was noted before: prove that it is part of the chain (proves all, as --full)")
	cmd.Flags().BoolVar(&full, "full", false, "prove the whole trail, also what was proved before")
	return cmd
}

var goodSeal = regexp.MustCompile(`^[0-9a-f]{64}$`)

// sealFlag is --seal. What cannot be a seal is a mistake of the command line, and says nothing about the audit trail.
func sealFlag(cmd *cobra.Command, noted *string, usage string) {
	cmd.Flags().Func("seal", usage, func(given string) error {
		if *noted = given; !goodSeal.MatchString(given) {
			return errors.New("a seal has 64 of the digits 0 to 9 and a to f, as audit verify prints them")
		}
		return nil
	})
}

// proveAudit proves the whole trail if it is asked to, or asked for what only the whole trail tells.
func (p Program) proveAudit(cmd *cobra.Command, db *models.DB, noted, dir string, full bool) (*models.AuditReport, error) {
	progress := p.progress(cmd, "audit verify")
	if full || noted != "" || dir != "" {
		return db.VerifyAuditAndFiles(cmd.Context(), noted, dir, progress)
	}
	return db.VerifyNewAudit(cmd.Context(), progress)
}

// unfinishedError is the error of a proof that came to no end: it says nothing about the audit trail.
type unfinishedError struct{ error }

func (e unfinishedError) Error() string {
	return "the proof of the audit trail was not finished, so nothing is known of it: " + e.error.Error()
}

// isUnfinished tells whether the command was interrupted or the database went away. Whatever else the database says is
// about what it holds.
func isUnfinished(err error) bool {
	var known *apierror.Error
	return errors.As(apierror.FromDatabase(err), &known) && known.Code == apierror.Unavailable
}

func inFull(at time.Time) string { return at.Format("2006-01-02 15:04:05 MST") }

// archivedProof says what was proved of archived events.
func archivedProof(args []string) string {
	if len(args) == 0 {
		return "; to prove their files as well: healthcare audit verify DIR"
	}
	return ", and unchanged in their files"
}

// auditArchive is the subcommand that moves old events into files.
func (p Program) auditArchive() *cobra.Command {
	var before, noted string
	cmd := &cobra.Command{
		Use:   "archive --before DATE DIR",
		Short: "Move the reads, lists and refused attempts before a day (UTC) into sealed files of a folder, while servers run",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			until, err := time.Parse(time.DateOnly, before)
			if err != nil {
				return usageError{fmt.Errorf("--before needs a day like 2026-01-31, not %q", before)}
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				done, err := db.ArchiveAudit(cmd.Context(), until, noted, args[0], p.progress(cmd, "audit archive"))
				if done != nil { // also what was archived before an error
					cmd.Printf("Events archived: %d.\n", done.Events)
					for _, file := range done.Files {
						cmd.Println("  " + file)
					}
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&before, "before", "", "the first day (YYYY-MM-DD) whose events stay")
	sealFlag(cmd, &noted, "a `seal` that was noted before, as for audit verify")
	return cmd
}

// auditRotateKey is the subcommand that hands the audit trail over to another key.
func (p Program) auditRotateKey() *cobra.Command {
	var lost bool
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Hand the audit trail over to AUDIT_KEY, or to a new key beside an embedded database",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.configure(cmd.Context(), false)
			if err != nil {
				return err
			}
			p.using(cfg)
			if err := cfg.KeepSecret(); err != nil {
				return err
			}
			done, err := models.RotateAuditKey(cmd.Context(), cfg, lost)
			if err != nil {
				return err
			}
			from := "from the key " + done.From
			if lost {
				from = "anew, as its key is lost,"
			}
			cmd.Printf("The audit trail goes on %s with the key %s.\nThe seal of this is %s; keep it elsewhere.\n", from, done.To, done.Seal)
			if cfg.KeepsAuditKeys() {
				cmd.Printf("The keys are in %s; keep a copy where you keep your secrets.\n", cfg.AuditKeyFile())
			}
			if !lost && (!cfg.KeepsAuditKeys() || len(cfg.AuditOldKeys) > 0) {
				cmd.Println("Leave the former key in AUDIT_OLD_KEYS: audit verify needs it for what it sealed.")
			}
			cmd.Println("Start every server again that runs: until then it stores events, but does not seal them.")
			return nil
		},
	}
	cmd.Flags().BoolVar(&lost, "old-key-lost", false, "begin anew: seal all events once more, as they are now, because the former key is lost")
	return cmd
}
