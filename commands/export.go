package commands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"healthcare/export"
	"healthcare/fhir"
	"healthcare/models"
)

// export is the subcommand that writes all patients, doctors or assignments of the clinic into a file, or all of them as FHIR.
func (p Program) export() *cobra.Command {
	var o export.Options
	var asFHIR bool
	cmd := &cobra.Command{
		Use:       "export {patients|doctors|mappings FILE | --fhir FOLDER}",
		Short:     "Write all patients, doctors or assignments into a new file: .csv, .xlsx or .jsonl; or all into a new folder as FHIR R4",
		ValidArgs: []string{"patients", "doctors", "mappings"},
		Args: checked(func(cmd *cobra.Command, args []string) error {
			switch {
			case asFHIR && o.BOM:
				return errors.New("--bom does not go with --fhir")
			case asFHIR:
				return cobra.ExactArgs(1)(cmd, args)
			}
			return exportArgs(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				if asFHIR {
					return inWords(exportFHIR(cmd, db, args[0]))
				}
				o.Format = strings.TrimPrefix(filepath.Ext(args[1]), ".")
				count, err := exportTo(cmd.Context(), db, args[0], args[1], o)
				if err == nil {
					cmd.Printf("Exported %d %s into %s.\n", count, args[0], args[1])
				}
				return inWords(err)
			})
		},
	}
	cmd.Flags().BoolVar(&o.BOM, "bom", false, "begin a .csv file with a byte order mark, for Excel")
	cmd.Flags().BoolVar(&asFHIR, "fhir", false, "write all as FHIR R4: a file of NDJSON for each type of resource")
	return cmd
}

func exportArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(2)(cmd, args); err != nil {
		return err
	}
	if err := cobra.OnlyValidArgs(cmd, args[:1]); err != nil {
		return err
	}
	if ext := filepath.Ext(args[1]); export.Formats[strings.TrimPrefix(ext, ".")] == "" {
		return fmt.Errorf("%s: the name must end in .csv, .xlsx or .jsonl", args[1])
	}
	return nil
}

// exportFHIR writes a new folder, which only its owner may read. It gets its name when all of it is there.
func exportFHIR(cmd *cobra.Command, db *models.DB, folder string) (err error) {
	folder = filepath.Clean(folder)
	if there, err := os.ReadDir(folder); err == nil && len(there) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists, and is no empty folder", folder)
	}
	making, err := os.MkdirTemp(filepath.Dir(folder), ".fhir-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(making))
		}
	}()
	var told []string
	for _, what := range []string{"Patient", "Practitioner", "CareTeam"} {
		count, err := exportTo(cmd.Context(), db, what, filepath.Join(making, what+".ndjson"), export.Options{Format: "jsonl"})
		if err != nil {
			return err
		}
		told = append(told, fmt.Sprintf("%d %s", count, what))
	}
	if err := os.Rename(making, folder); err != nil {
		return err
	}
	cmd.Printf("Exported %s into %s.\n", strings.Join(told, ", "), folder)
	return nil
}

// exportTo writes a new file, which only its owner may read, and leaves none behind that is not whole.
func exportTo(ctx context.Context, db *models.DB, what, name string, o export.Options) (count int64, err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	everybody := models.Actor{User: models.User{IsStaff: true}}
	switch what {
	case "patients":
		if o.Format != "jsonl" {
			if o.Systems, err = db.IdentifierSystems(ctx, everybody); err != nil {
				return 0, err
			}
		}
		count, err = exportRows(ctx, file, o, everybody, db.ExportPatients)
	case "doctors":
		count, err = exportRows(ctx, file, o, everybody, db.ExportDoctors)
	case "Patient":
		count, err = exportRows(ctx, file, o, everybody, resources(db.ExportPatients, fhir.Patient))
	case "Practitioner":
		count, err = exportRows(ctx, file, o, everybody, resources(db.ExportDoctors, fhir.Practitioner))
	case "CareTeam":
		count, err = exportRows(ctx, file, o, everybody, resources(db.ExportCareTeams, fhir.CareTeam))
	default:
		count, err = exportRows(ctx, file, o, everybody, db.ExportMappings)
	}
	return count, errors.Join(err, file.Sync())
}

// rowsOf gives all rows to use, a batch at a time.
type rowsOf[T any] func(ctx context.Context, by models.Actor, values url.Values, use func([]T) error) error

// resources are rows as FHIR has them.
func resources[T any](rows rowsOf[T], show func(*T) fhir.Resource) rowsOf[fhir.Resource] {
	return func(ctx context.Context, by models.Actor, values url.Values, use func([]fhir.Resource) error) error {
		return rows(ctx, by, values, func(batch []T) error {
			shown := make([]fhir.Resource, len(batch))
			for i := range batch {
				shown[i] = show(&batch[i])
			}
			return use(shown)
		})
	}
}

func exportRows[T any](ctx context.Context, file *os.File, o export.Options, by models.Actor, rows rowsOf[T]) (count int64, err error) {
	err = export.Write(file, o, func(use func([]T) error) error {
		return rows(ctx, by, url.Values{}, func(batch []T) error {
			count += int64(len(batch))
			return use(batch)
		})
	})
	return count, err
}
