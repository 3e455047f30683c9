package commands

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"healthcare/models"
	"healthcare/tabular"
)

// importFile is the subcommand that imports a file, or undoes that.
func (p Program) importFile() *cobra.Command {
	var in importFlags
	cmd := &cobra.Command{
		Use:   "import {patients|doctors|mappings FILE | --fhir FILE...}",
		Short: "Import a CSV or Excel file, or patients and doctors of FHIR",
		Args: checked(func(cmd *cobra.Command, args []string) error {
			if in.fhir {
				return cobra.MinimumNArgs(1)(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := in.check(); err != nil {
				return err
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error { return p.runImport(cmd, db, args, in) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&in.owner, "owner", "", "name of the account that imports, and to which new patients belong")
	flags.StringArrayVar(&in.columns, "map", nil, `what a column is: --map "Geb.-Datum=date_of_birth"; nothing behind the = leaves the column out`)
	flags.StringVar(&in.DateFormat, "date-format", "", "how dates are written, such as DD.MM.YYYY (YYYY-MM-DD is always understood)")
	flags.StringVar(&in.Sheet, "sheet", "", "the sheet of an Excel file; unless given, the first one")
	flags.BoolVar(&in.DryRun, "dry-run", false, "only say what would happen")
	flags.BoolVar(&in.SkipRefused, "skip-refused", false, "import the other rows although some are refused")
	flags.BoolVar(&in.fhir, "fhir", false, "import the Patients and Practitioners of files of FHIR R4: NDJSON and Bundles")
	flags.BoolVar(&in.strict, "strict", false, "with --fhir: refuse what /fhir refuses, and import nothing if any resource is refused")
	flags.StringVar(&in.refused, "refused", "", "with --skip-refused: a new file for the refused rows, with the reasons, to be mended and imported again; with --fhir: a list of the refused resources")
	flags.BoolVar(&in.Duplicates, "create-duplicates", false, "create patients and doctors that may be there already")
	cmd.AddCommand(p.undoImport())
	return cmd
}

type importFlags struct {
	models.ImportOptions
	owner   string
	columns []string
	refused string
	fhir    bool
	strict  bool
}

// check refuses flags that make no sense, and reads --map.
func (in *importFlags) check() error {
	if in.owner == "" {
		return usageError{errors.New("say to whom new patients belong: --owner NAME")}
	}
	switch {
	case in.strict && !in.fhir:
		return usageError{errors.New("--strict goes with --fhir")}
	case in.fhir && (in.columns != nil || in.DateFormat != "" || in.Sheet != "" || in.SkipRefused):
		return usageError{errors.New("--map, --date-format, --sheet and --skip-refused do not go with --fhir")}
	case in.refused != "" && !in.SkipRefused && !in.fhir:
		return usageError{errors.New("--refused goes with --skip-refused")}
	}
	in.Columns = map[string]string{}
	for _, given := range in.columns {
		header, field, ok := strings.Cut(given, "=")
		if !ok {
			return usageError{fmt.Errorf("--map %q has no =", given)}
		}
		in.Columns[header] = field
	}
	return nil
}

// plan looks at the rows of a file, or at the resources of files of FHIR.
func (in *importFlags) plan(cmd *cobra.Command, db *models.DB, by models.Actor, args []string) ([]*models.ImportBy, error) {
	if in.fhir {
		in.File = filepath.Base(args[0])
		if len(args) > 1 {
			in.File += fmt.Sprintf(" and %d more", len(args)-1)
		}
		files := &fhirFiles{paths: args, strict: in.strict, left: map[string]int{}}
		defer files.tellLeft(cmd)
		return files.plan(cmd.Context(), db, by, in.ImportOptions)
	}
	in.Of, in.File = args[0], filepath.Base(args[1])
	file, err := os.Open(args[1])
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	planned, err := db.PlanImport(cmd.Context(), by, file, in.ImportOptions)
	return []*models.ImportBy{planned}, err
}

func (p Program) runImport(cmd *cobra.Command, db *models.DB, args []string, in importFlags) error {
	by, err := db.ActorNamed(cmd.Context(), in.owner)
	if err != nil {
		return inWords(err)
	}
	out := &refusedRows{cmd: cmd, of: "rows"}
	if in.refused != "" {
		if out.file, err = os.OpenFile(in.refused, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		out.csv = csv.NewWriter(out.file)
	}
	in.Told = out.tell
	if in.fhir {
		out.of, in.Told = "resources", out.tellResource
	}
	planned, err := in.plan(cmd, db, by, args)
	if err = errors.Join(err, out.end()); err != nil {
		if out.file != nil {
			_ = os.Remove(in.refused) // it is not whole, and would be in the way of the next try
		}
		return inWords(err)
	}
	return p.endImport(cmd, db, planned, in.fhir)
}

// endImport tells what was planned, and writes it unless that is refused.
func (p Program) endImport(cmd *cobra.Command, db *models.DB, planned []*models.ImportBy, ofFHIR bool) error {
	var writes []*models.ImportBy
	for _, im := range planned {
		if ofFHIR {
			cmd.Printf("%s: ", im.Of)
		}
		cmd.Printf("To be created: %d, updated: %d. Unchanged: %d, possible duplicates: %d, refused: %d.\n",
			im.Created, im.Updated, im.Unchanged, im.Duplicates, im.Refused)
		if im.State == models.ImportWriting {
			writes = append(writes, im)
		}
	}
	switch {
	case len(planned) == 0:
		return errors.New("nothing is imported: there is no Patient and no Practitioner in these files")
	case planned[0].State == models.ImportChecked:
		cmd.Println("Nothing is imported: this was a dry run.")
		return nil
	case planned[0].State == models.ImportRefused && ofFHIR:
		return errors.New("nothing is imported, because of these resources: mend them, or leave out what cannot be stored without --strict" +
			" (or create possible duplicates with --create-duplicates)")
	case planned[0].State == models.ImportRefused:
		return errors.New("nothing is imported, because of these rows: mend them, or leave them out with --skip-refused" +
			" (or create possible duplicates with --create-duplicates)")
	case len(writes) == 0:
		cmd.Println("Nothing is imported: there is nothing new.")
		return nil
	}
	return p.writeImports(cmd, db, writes)
}

// writeImports writes imports that are decided, and shows how far they are.
func (p Program) writeImports(cmd *cobra.Command, db *models.DB, planned []*models.ImportBy) error {
	ctx := cmd.Context()
	bar := progressBar(cmd.ErrOrStderr(), 1, "Importing")
	err := db.WriteImports(ctx, func(written, of int64) {
		bar.ChangeMax64(of)
		_ = bar.Set64(written)
	})
	if err != nil {
		return fmt.Errorf("%w (import %d is decided, and goes on when the server or an import runs the next time)", err, planned[0].ID)
	}
	_ = bar.Finish()
	for _, im := range planned {
		ended, err := db.Import(ctx, models.Actor{User: models.User{IsStaff: true}}, im.ID)
		if err == nil && ended.State == models.ImportFailed {
			err = errors.New("nothing is imported: " + ended.Reason)
		}
		if err != nil {
			return err
		}
		cmd.Printf("Import %d is done. To take it back: healthcare import undo %d\n", im.ID, im.ID)
	}
	return nil
}

// mostTold is how many rows that are not imported are told in the terminal.
const mostTold = 20

// refusedRows tells of the rows that are not imported, and keeps them in a file.
type refusedRows struct {
	cmd    *cobra.Command
	file   *os.File
	csv    *csv.Writer
	header bool
	told   int
	of     string // what they are: rows or resources
}

func (r *refusedRows) tell(header []string, row models.RowResult) error {
	return r.add("Row "+strconv.Itoa(row.Row), header, row)
}

// tellResource does the same of resources, of which the cells say where they stand.
func (r *refusedRows) tellResource(header []string, row models.RowResult) error {
	return r.add(strings.Join(row.Cells, ", "), header, row)
}

func (r *refusedRows) add(place string, header []string, row models.RowResult) error {
	if row.Result != models.RowRefused && row.Result != models.RowDuplicate {
		return nil
	}
	reason := reasons(row)
	r.told++
	if r.told <= mostTold {
		r.cmd.PrintErrf("%s: %s\n", place, reason)
	}
	if r.csv == nil {
		return nil
	}
	if !r.header {
		r.header = true
		if err := r.csv.Write(escaped(header, "reason")); err != nil {
			return err
		}
	}
	return r.csv.Write(escaped(row.Cells, reason))
}

// escaped are cells of which no spreadsheet runs any.
func escaped(cells []string, last string) []string {
	all := append(slices.Clone(cells), last)
	for i := range all {
		all[i] = tabular.Escape(all[i])
	}
	return all
}

func (r *refusedRows) end() error {
	if r.told > mostTold {
		r.cmd.PrintErrf("… and %d more %s.\n", r.told-mostTold, r.of)
	}
	if r.csv == nil {
		return nil
	}
	r.csv.Flush()
	return errors.Join(r.csv.Error(), r.file.Close())
}

// reasons says in one line why a row is not imported.
func reasons(row models.RowResult) string {
	if row.Result == models.RowDuplicate {
		return "possible duplicate of " + strconv.FormatInt(*row.ID, 10)
	}
	var all []string
	for column, messages := range row.Errors {
		all = append(all, column+": "+strings.Join(messages, " "))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// undoImport is the subcommand that takes an import back.
func (p Program) undoImport() *cobra.Command {
	return &cobra.Command{
		Use:   "undo ID",
		Short: "Delete what an import has created and nobody has touched since",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is no number of an import", args[0])}
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				ctx, staff := cmd.Context(), models.Actor{User: models.User{IsStaff: true}}
				if _, err := db.UndoImport(ctx, staff, id); err != nil {
					return inWords(err)
				}
				if err := db.WriteImports(ctx, func(int64, int64) {}); err != nil {
					return inWords(err)
				}
				undone, err := db.Import(ctx, staff, id)
				if err != nil {
					return inWords(err)
				}
				cmd.Printf("Deleted: %d. Left, because somebody has changed, assigned or deleted them since: %d.\n", undone.Deleted, undone.Left)
				return nil
			})
		},
	}
}
