package commands

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"healthcare/backup"
	"healthcare/models"
)

// erase is the subcommand that erases for good.
func (p Program) erase() *cobra.Command {
	return group("erase", "Erase for good what the law demands to be erased", p.erasePatient())
}

// longestReason is in characters.
const longestReason = 500

// erasePatient is the subcommand that erases a patient.
func (p Program) erasePatient() *cobra.Command {
	var reason, backups string
	var yes bool
	cmd := &cobra.Command{
		Use:   "patient ID --reason REASON",
		Short: "Erase a patient with its history for good, while servers run; who did what and when remains, and is proved as before",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id < 1 {
				return usageError{fmt.Errorf("%q is not the number of a patient", args[0])}
			}
			if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > longestReason {
				return usageError{fmt.Errorf("--reason is needed, of at most %d characters; it remains, so name nobody in it", longestReason)}
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				if !yes {
					if err := p.confirmErasure(cmd, db, id); err != nil {
						return err
					}
				}
				done, err := db.ErasePatient(cmd.Context(), id, reason)
				if err != nil {
					return inWords(err)
				}
				return tellErasure(cmd, id, done, backups)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, which remains in the audit trail; name nobody in it")
	cmd.Flags().StringVar(&backups, "backups", "", "a folder of backups: name those that still hold the patient")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirmErasure shows who would be erased, and has the number typed once more.
func (p Program) confirmErasure(cmd *cobra.Command, db *models.DB, id int64) error {
	who, err := db.WhoIsErased(cmd.Context(), id)
	if err != nil {
		return inWords(err)
	}
	cmd.PrintErrf("Patient %d is %s\nType %d to erase this patient for good; nothing brings it back: ", id, who, id)
	typed, err := bufio.NewReader(p.In).ReadString('\n')
	if strings.TrimSpace(typed) != strconv.FormatInt(id, 10) {
		return errors.Join(errors.New("nothing was erased"), err)
	}
	return nil
}

func tellErasure(cmd *cobra.Command, id int64, done *models.Erasure, folder string) error {
	const format = "2006-01-02 15:04:05 MST"
	if done.Before {
		cmd.Printf("Patient %d was erased at %s. What was left of it in the database's files is erased now.\n", id, done.At.Format(format))
	} else {
		cmd.Printf("Patient %d is erased: rows: %d; events whose values are gone: %d.\n", id, done.Rows, done.Events)
	}
	cmd.Printf("Backups that were made before %s still hold it, and so do copies that others have made.\n", done.At.Format(format))
	if folder == "" {
		return nil
	}
	found, err := backup.MadeBefore(folder, done.At)
	for _, file := range found {
		cmd.Println("  " + file)
	}
	return err
}
