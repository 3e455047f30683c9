package controllers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/export"
	"healthcare/listing"
	"healthcare/middleware"
	"healthcare/models"
)

// exporter gives all rows of a list to use, batch by batch.
type exporter[T any] func(ctx context.Context, by models.Actor, values url.Values, use func([]T) error) error

// exportAll answers with a file of all that a list has.
func exportAll[T any](c *gin.Context, name string, systems []string, rows exporter[T]) error {
	values, err := queryOf(c)
	if err != nil {
		return err
	}
	o, err := optionsOf(values)
	if err != nil {
		return err
	}
	o.Systems = systems
	d := &download{c: c, name: name + "-" + time.Now().UTC().Format(time.DateOnly) + "." + o.Format, mediaType: export.Formats[o.Format]}
	return d.send(func(w io.Writer) error {
		return export.Write(w, o, func(use func([]T) error) error {
			return rows(c.Request.Context(), middleware.Actor(c), values, use)
		})
	})
}

func optionsOf(values url.Values) (o export.Options, err error) {
	errs := apierror.Fields{}
	if o.Format = values.Get("format"); o.Format == "" {
		o.Format = "csv"
	}
	if export.Formats[o.Format] == "" {
		errs.Add("format", export.FormatMessage)
	}
	if s := values.Get("bom"); s != "" {
		if o.BOM, err = strconv.ParseBool(s); err != nil {
			errs.Add("bom", listing.Boolean("").Message)
		}
	}
	return o, errs.Err()
}

// download is an answer that is a file. Its headers are set when its first bytes are there: until then, it may become an
// error like any other. After that, an error cuts the connection, and who gets less than the whole sees it.
type download struct {
	c               *gin.Context
	name, mediaType string
	policy          string // Content-Security-Policy, unless it is the usual one
	begun           bool
}

func (d *download) Write(b []byte) (int, error) {
	d.begin()
	return d.c.Writer.Write(b)
}

func (d *download) begin() {
	if d.begun {
		return
	}
	d.begun = true
	d.c.Header("Content-Type", d.mediaType)
	d.c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q", d.name))
	if d.policy != "" {
		d.c.Header("Content-Security-Policy", d.policy)
	}
	d.c.Status(http.StatusOK)
}

func (d *download) send(write func(io.Writer) error) error {
	if !d.c.Request.ProtoAtLeast(1, 1) { // whose answers end with the connection, however that ends
		return d.sendWhole(write)
	}
	out := bufio.NewWriterSize(d, export.Piece)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil && d.begun {
		middleware.Cut(d.c, err)
	}
	if err == nil {
		d.begin() // of a file that is empty
	}
	return err
}

// sendWhole makes the answer in a temporary file first, so that its length can be told.
func (d *download) sendWhole(write func(io.Writer) error) error {
	file, err := os.CreateTemp("", "healthcare-export-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }()
	out := bufio.NewWriterSize(file, export.Piece)
	if err := errors.Join(write(out), out.Flush()); err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	d.begin()
	d.c.Header("Content-Length", strconv.FormatInt(size, 10))
	if _, err = io.Copy(d, file); err != nil {
		middleware.Cut(d.c, err)
	}
	return nil
}

// Export answers GET /api/patients/export/.
func (p Patients) Export(c *gin.Context) error {
	var systems []string
	if c.Query("format") != "jsonl" {
		var err error
		if systems, err = p.DB.IdentifierSystems(c.Request.Context(), middleware.Actor(c)); err != nil {
			return err
		}
	}
	return exportAll(c, "patients", systems, p.DB.ExportPatients)
}

// Export answers GET /api/doctors/export/.
func (d Doctors) Export(c *gin.Context) error {
	return exportAll(c, "doctors", nil, d.DB.ExportDoctors)
}

// Export answers GET /api/mappings/export/.
func (m Mappings) Export(c *gin.Context) error {
	return exportAll(c, "mappings", nil, m.DB.ExportMappings)
}
