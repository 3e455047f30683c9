package controllers

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // of the page
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/middleware"
	"healthcare/models"
)

//go:embed report.html
var reportHTML string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.Format("2006-01-02 15:04:05 UTC") },
}).Parse(reportHTML))

// reportPolicy lets the page have its own style and nothing else.
var reportPolicy = func() string {
	_, style, _ := strings.Cut(reportHTML, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// Report answers GET /api/patients/<id>/export/, as JSON or as a page to print.
func (p Patients) Report(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	format, err := reportFormat(c)
	if err != nil {
		return err
	}
	r, err := p.DB.PatientReport(c.Request.Context(), middleware.Actor(c), id)
	if err != nil {
		return err
	}
	name := "patient-" + strconv.FormatInt(id, 10) + "-" + r.MadeAt.Format(time.DateOnly) + "." + format
	if format == "json" {
		d := &download{c: c, name: name, mediaType: "application/json; charset=utf-8"}
		return d.send(func(w io.Writer) error { return writeReport(w, r) })
	}
	d := &download{c: c, name: name, mediaType: "text/html; charset=utf-8", policy: reportPolicy}
	return d.send(func(w io.Writer) error {
		if err := reportPage.Execute(w, r); err != nil {
			return err
		}
		return r.Err()
	})
}

// reportFormat is what the client asks for by a parameter, else by its Accept header.
func reportFormat(c *gin.Context) (string, error) {
	values, err := queryOf(c)
	if err != nil {
		return "", err
	}
	switch format := values.Get("format"); format {
	case "json", "html":
		return format, nil
	case "":
		if c.NegotiateFormat("application/json", "text/html") == "text/html" {
			return "html", nil
		}
		return "json", nil
	}
	return "", apierror.Fields{"format": {"Not a valid choice. Use one of: json, html."}}.Err()
}

// writeReport writes the report as one JSON object, its lists while they are read.
func writeReport(w io.Writer, r *models.PatientReport) error {
	var head bytes.Buffer
	encoder := json.NewEncoder(&head)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return err
	}
	head.Truncate(head.Len() - len("}\n"))
	if _, err := head.WriteTo(w); err != nil {
		return err
	}
	if err := writeList(w, "assignments", r.Assignments); err != nil {
		return err
	}
	if err := writeList(w, "history", r.History); err != nil {
		return err
	}
	if err := writeList(w, "seen_by", r.SeenBy); err != nil {
		return err
	}
	if r.Err() != nil {
		return r.Err()
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

// writeList writes one more list of an object.
func writeList[T any](w io.Writer, name string, rows iter.Seq[T]) error {
	text := bytes.NewBufferString(",\n" + strconv.Quote(name) + ":[")
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	separator := ""
	for row := range rows {
		text.WriteString(separator)
		separator = ",\n"
		if err := encoder.Encode(row); err != nil {
			return err
		}
		text.Truncate(text.Len() - 1) // the line break
		if _, err := text.WriteTo(w); err != nil {
			return err
		}
	}
	text.WriteByte(']')
	_, err := text.WriteTo(w)
	return err
}
