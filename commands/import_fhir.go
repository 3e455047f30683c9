package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"healthcare/apierror"
	"healthcare/fhir"
	"healthcare/models"
)

// fhirHeads are the columns of a list of refused resources.
var fhirHeads = []string{"file", "place", "resource"}

// fhirFiles are files of FHIR that are imported, and what is not stored of them.
type fhirFiles struct {
	paths  []string
	strict bool
	left   map[string]int // how often each element, and each other type of resource
}

// plan looks at all resources of the files.
func (f *fhirFiles) plan(ctx context.Context, db *models.DB, by models.Actor, o models.ImportOptions) ([]*models.ImportBy, error) {
	tell := o.Told
	o.Told = func(_ []string, row models.RowResult) error { return tell(fhirHeads, row) }
	o.SkipRefused = !f.strict
	o.Element = func(of, field string) string {
		if of == "doctors" {
			return fhir.Place("Practitioner", field)
		}
		if strings.HasPrefix(field, "identifier:") {
			field = "identifiers"
		}
		return fhir.Place("Patient", field)
	}
	return db.PlanRecords(ctx, by, o, func(use func(models.NewRecord) error) error {
		for _, path := range f.paths {
			if err := f.read(path, use); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fhirFiles) read(path string, use func(models.NewRecord) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	err = fhir.ReadFile(file, func(sent fhir.Sent) error {
		in := models.NewRecord{Cells: []string{path, sent.Place, sent.Type}, Wrong: apierror.Fields{}}
		if sent.ID != "" {
			in.Cells[2] += "/" + sent.ID
		}
		switch sent.Type {
		case "Patient":
			in.Of = "patients"
			in.Fields = taken(f, sent, fhir.ReadPatient, in.Wrong)
		case "Practitioner":
			in.Of = "doctors"
			in.Fields = taken(f, sent, fhir.ReadPractitioner, in.Wrong)
		default:
			f.count(sent.Type)
			return nil
		}
		return use(in)
	})
	if err != nil {
		return fmt.Errorf("%s, %w", path, err)
	}
	return nil
}

// biggestTaken is how many bytes a resource may have that is sent to /fhir, too.
const biggestTaken = 1 << 20

// mostWrong is how many faults are told of one resource.
const mostWrong = 20

// taken reads the fields of a resource, counts what is left out, and adds what is wrong.
func taken[F any](f *fhirFiles, sent fhir.Sent, read func([]byte) (*fhir.Read[F], error), errs apierror.Fields) (fields F) {
	if len(sent.Raw) > biggestTaken {
		errs.Add(sent.Type, fmt.Sprintf("It has more than %d KiB.", biggestTaken>>10))
		return fields
	}
	var left []string
	var wrong fhir.Issues
	if r, err := read(sent.Raw); !errors.As(err, &wrong) {
		fields, left, wrong = r.Take(!f.strict)
	}
	for _, one := range wrong[:min(len(wrong), mostWrong)] {
		at := one.At
		if at == "" {
			at = sent.Type
		}
		errs.Add(unprintable.ReplaceAllString(at, "?"), one.Says)
	}
	if len(wrong) == 0 {
		for _, at := range left {
			f.count(at)
		}
	}
	return fields
}

// unprintable is what no name of an element has.
var unprintable = regexp.MustCompile(`[^\w.\[\]]+|.{200,}`)

// mostKinds is how many elements and types are counted, which are more than FHIR has.
const mostKinds = 500

func (f *fhirFiles) count(what string) {
	if _, known := f.left[what]; !known && len(f.left) >= mostKinds {
		what = "(others)"
	}
	f.left[what]++
}

// tellLeft lists what is not stored.
func (f *fhirFiles) tellLeft(cmd *cobra.Command) {
	widest, longest := 0, 0
	for what, n := range f.left {
		widest, longest = max(widest, len([]rune(what))), max(longest, len(thousands(n)))
	}
	for _, what := range slices.Sorted(maps.Keys(f.left)) {
		cmd.Printf("%-*s  not stored  %*s\n", widest, what, longest, thousands(f.left[what]))
	}
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
