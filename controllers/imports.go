package controllers

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/middleware"
	"healthcare/models"
)

// Imports answers /api/imports/, for staff.
type Imports struct {
	DB *models.DB
	// reading holds one for each file that is being read.
	reading chan struct{}
}

// NewImports makes the handlers.
func NewImports(db *models.DB) Imports { return Imports{db, make(chan struct{}, filesAtOnce)} }

const (
	filesAtOnce = 2
	maxUpload   = 64 << 20        // bytes of a file
	uploadTime  = 2 * time.Minute // for sending a file and looking at it; REQUEST_TIMEOUT is for what people wait for
	mostRows    = 1000            // rows that an answer tells of: so many that are not imported, and so many others
)

// List answers GET /api/imports/.
func (i Imports) List(c *gin.Context) error { return list(c, i.DB.Imports) }

// Retrieve answers GET /api/imports/<id>/.
func (i Imports) Retrieve(c *gin.Context) error { return retrieve(c, i.DB.Import) }

// Undo answers POST /api/imports/<id>/undo/. The work is done in the background.
func (i Imports) Undo(c *gin.Context) error { return retrieve(c, i.DB.UndoImport) }

// importReport is what came of looking at a file.
type importReport struct {
	*models.ImportBy
	Rows    []models.RowResult `json:"rows"`
	LeftOut int64              `json:"rows_left_out"`
}

// Create answers POST /api/imports/. It says what would become of each row. Unless it is a dry run, it then begins to
// write them, in the background.
func (i Imports) Create(c *gin.Context) error {
	by := middleware.Actor(c)
	if !by.IsStaff {
		return apierror.ErrForbidden
	}
	options, err := importOptions(c)
	if err != nil {
		return err
	}
	select {
	case i.reading <- struct{}{}:
		defer func() { <-i.reading }()
	default:
		return apierror.NewUnavailable(apierror.Shed, 10, "Other files are being read. Try again soon.")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), uploadTime)
	defer cancel()
	end := time.Now().Add(uploadTime)
	control := http.NewResponseController(c.Writer)
	if err := errors.Join(control.SetReadDeadline(end), control.SetWriteDeadline(end.Add(10*time.Second))); err != nil {
		return err
	}
	file, name, err := receive(c)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if options.File == "" {
		options.File = name
	}
	told := &toldRows{}
	options.Told = told.tell
	planned, err := i.DB.PlanImport(ctx, by, file, options)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if planned.State == models.ImportWriting {
		status = http.StatusAccepted
		i.DB.ImportSoon()
	}
	c.PureJSON(status, importReport{planned, told.rows(), told.leftOut})
	return nil
}

// importOptions reads the query: what is to be imported, and how.
func importOptions(c *gin.Context) (o models.ImportOptions, err error) {
	values, err := queryOf(c)
	if err != nil {
		return o, err
	}
	errs := apierror.Fields{}
	o = models.ImportOptions{
		Of: values.Get("of"), File: values.Get("file"), Sheet: values.Get("sheet"), DateFormat: values.Get("date_format"),
		DryRun:      truth(values, "dry_run", true, errs),
		SkipRefused: truth(values, "skip_refused", false, errs),
		Duplicates:  truth(values, "create_duplicates", false, errs),
		Columns:     map[string]string{},
	}
	if o.Of != "patients" && o.Of != "doctors" && o.Of != "mappings" {
		errs.Add("of", "Not a valid choice. Use one of: patients, doctors, mappings.")
	}
	for _, given := range values["map"] {
		header, field, ok := strings.Cut(given, "=")
		if !ok {
			errs.Add("map", "Write header=field.")
		}
		o.Columns[header] = field
	}
	return o, errs.Err()
}

// truth reads a parameter that is true or false.
func truth(values url.Values, name string, unless bool, errs apierror.Fields) bool {
	switch values.Get(name) {
	case "":
		return unless
	case "true":
		return true
	case "false":
		return false
	}
	errs.Add(name, "Must be true or false.")
	return unless
}

// receive puts the file that a client sends, as the body or as a part of a form, into one without a name.
func receive(c *gin.Context) (file *os.File, name string, err error) {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	var body io.Reader = c.Request.Body
	switch {
	case err != nil:
		return nil, "", errNoTable
	case kind == "multipart/form-data":
		part, err := filePart(c)
		if err != nil {
			return nil, "", err
		}
		body, name = part, part.name
	case kind != "text/csv" && kind != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" && kind != "application/octet-stream":
		return nil, "", errNoTable
	}
	if file, err = os.CreateTemp("", "healthcare-import-*"); err != nil {
		return nil, "", err
	}
	_ = os.Remove(file.Name()) // it goes when it is closed, whatever happens
	n, err := io.Copy(file, io.LimitReader(body, maxUpload+1))
	switch {
	case err != nil:
		err = &apierror.Error{Code: apierror.ParseError, Detail: "The file ended too soon."}
	case n > maxUpload:
		err = &apierror.Error{Code: apierror.RequestTooLarge, Detail: "The file must not be larger than 64 MiB. The command healthcare import takes larger ones."}
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return file, name, nil
}

var errNoTable = &apierror.Error{
	Code: apierror.UnsupportedMediaType, Detail: "Send a CSV or Excel file (.xlsx), with its media type or as the part \"file\" of multipart/form-data.",
}

type namedPart struct {
	io.Reader
	name string
}

// filePart finds the part of a form that is the file.
func filePart(c *gin.Context) (namedPart, error) {
	missing := apierror.Fields{"file": {"No file was submitted."}}.Err()
	form, err := c.Request.MultipartReader()
	if err != nil {
		return namedPart{}, missing
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return namedPart{}, missing
		}
		if part.FormName() == "file" {
			return namedPart{part, part.FileName()}, nil
		}
	}
}

// toldRows keeps the first rows that are not imported, and the first others.
type toldRows struct {
	not, others []models.RowResult
	leftOut     int64
}

func (t *toldRows) tell(_ []string, row models.RowResult) error {
	into := &t.others
	if row.Result == models.RowRefused || row.Result == models.RowDuplicate {
		into = &t.not
	}
	if len(*into) == mostRows {
		t.leftOut++
		return nil
	}
	row.Cells = nil
	*into = append(*into, row)
	return nil
}

func (t *toldRows) rows() []models.RowResult {
	return append(append([]models.RowResult{}, t.not...), t.others...)
}
