package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/fhir"
	"healthcare/middleware"
	"healthcare/models"
)

// FHIR answers what is below /fhir for one type of resource, whose rows are R and whose fields are F.
type FHIR[F, R any] struct {
	Type     string
	Parse    func([]byte) (*fhir.Read[F], error)
	Show     func(*R) fhir.Resource
	Find     func(context.Context, models.Actor, int64) (*R, error)
	Search   func(context.Context, models.Actor, models.Condition, url.Values, bool) (*models.Found[R], error)
	Store    func(context.Context, models.Actor, models.Condition, models.Bind[F]) (*R, bool, error)
	Change   func(context.Context, models.Actor, int64, models.Bind[F]) (*R, error)
	Delete   func(context.Context, models.Actor, int64) error
	Versions func(context.Context, models.Actor, int64, models.Which) (*models.Versions[R], error)
	Gone     func(context.Context, models.Actor, int64) error // ErrGone if it has been deleted
}

// fhirBase is the address of /fhir, as the client used it.
func fhirBase(c *gin.Context) string { return origin(c) + "/fhir" }

// Read answers GET /fhir/<type>/<id>.
func (f FHIR[F, R]) Read(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	found, err := f.Find(c.Request.Context(), middleware.Actor(c), id)
	if errors.Is(err, apierror.ErrNotFound) {
		return f.gone(c, id, err)
	}
	if err != nil {
		return err
	}
	summary, elements, err := partOf(c)
	if err != nil {
		return err
	}
	return sendResource(c, http.StatusOK, fhir.Subset(f.Show(found), summary, elements))
}

// gone tells who may know it that what was not found has been deleted.
func (f FHIR[F, R]) gone(c *gin.Context, id int64, notFound error) error {
	if f.Gone == nil {
		return notFound
	}
	return f.Gone(c.Request.Context(), middleware.Actor(c), id)
}

// partOf are _summary and _elements of a read.
func partOf(c *gin.Context) (summary string, elements []string, err error) {
	values, err := queryOf(c)
	if err != nil {
		return "", nil, err
	}
	found, err := fhir.ParseSearch("", "", values, false)
	if err != nil {
		return "", nil, err
	}
	return found.Summary, found.Elements, nil
}

// VRead answers GET /fhir/<type>/<id>/_history/<version>.
func (f FHIR[F, R]) VRead(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.Param("version"), 10, 64)
	if err != nil || version < 1 {
		return apierror.ErrNotFound
	}
	summary, elements, err := partOf(c)
	if err != nil {
		return err
	}
	found, err := f.Versions(c.Request.Context(), middleware.Actor(c), id, models.Which{Size: 1, Version: version})
	if err != nil {
		return err
	}
	switch {
	case len(found.Entries) == 0:
		return apierror.ErrNotFound
	case found.Entries[0].Row == nil: // the version by which a patient was merged into another
		return models.ErrGone
	}
	return sendResource(c, http.StatusOK, fhir.Subset(f.Show(found.Entries[0].Row), summary, elements))
}

// History answers GET /fhir/<type>/<id>/_history.
func (f FHIR[F, R]) History(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	values, err := queryOf(c)
	if err != nil {
		return err
	}
	asked, before, err := fhir.ParseHistory(values)
	if err != nil {
		return err
	}
	found, err := f.Versions(c.Request.Context(), middleware.Actor(c), id, models.Which{Size: asked.Count, Before: before})
	if err != nil {
		return err
	}
	address := fmt.Sprintf("%s/%s/%d", fhirBase(c), f.Type, id)
	var changes []fhir.Change
	for _, v := range found.Entries {
		change := fhir.Change{FullURL: address, Method: http.MethodPut, URL: fmt.Sprintf("%s/%d", f.Type, id), Status: http.StatusOK, At: fhir.Instant(v.At)}
		switch {
		case v.Row == nil:
			change.Method, change.Status = http.MethodDelete, http.StatusNoContent
		case v.Action == models.ActionCreate:
			change.Method, change.URL, change.Status = http.MethodPost, f.Type, http.StatusCreated
		}
		if v.Row != nil {
			whole := f.Show(v.Row)
			change.ETag, change.Resource = weakTag(whole), fhir.Subset(whole, asked.Summary, asked.Elements)
		}
		changes = append(changes, change)
	}
	next := ""
	if found.Next != 0 {
		next = following(address+"/_history", asked, strconv.FormatInt(found.Next, 10))
	}
	return sendFHIR(c, http.StatusOK, fhir.History(found.Total, linkTo(address+"/_history", asked.Used), next, changes))
}

// SearchAll answers GET /fhir/<type> and POST /fhir/<type>/_search.
func (f FHIR[F, R]) SearchAll(c *gin.Context) error {
	values, err := searchValues(c)
	if err != nil {
		return err
	}
	search, err := fhir.ParseSearch(fhirBase(c), f.Type, values, preference(c, "handling") == "lenient")
	if err != nil {
		return err
	}
	asked := url.Values{"page_size": {strconv.Itoa(max(1, search.Count))}, "cursor": {search.Cursor}}
	if search.Sort != "" {
		asked.Set("ordering", search.Sort)
	}
	done, err := turnFor(c, asked)
	if err != nil {
		return err
	}
	defer done()
	found, err := f.Search(c.Request.Context(), middleware.Actor(c), search.Where, asked, search.Total)
	if err != nil {
		return err
	}
	address := fhirBase(c) + "/" + f.Type
	var entries []fhir.Entry
	next := ""
	if search.Count > 0 {
		for i := range found.Results {
			whole := f.Show(&found.Results[i])
			entries = append(entries, fhir.Entry{FullURL: address + "/" + whole.Get("id").(string), Resource: fhir.Subset(whole, search.Summary, search.Elements)})
		}
		if found.NextCursor != "" {
			next = following(address, search, found.NextCursor)
		}
	}
	return sendFHIR(c, http.StatusOK, fhir.SearchSet(found.Total, linkTo(address, search.Used), next, entries, search.Warnings))
}

// linkTo is an address with parameters.
func linkTo(address string, values url.Values) string {
	if len(values) == 0 {
		return address
	}
	return address + "?" + values.Encode()
}

// following is the address of the next page: all that was asked, and where to go on.
func following(address string, search *fhir.Search, cursor string) string {
	values := maps.Clone(search.Used)
	values.Set("_cursor", cursor)
	return linkTo(address, values)
}

// searchValues are the parameters of a search: of the URL, and of the form if it was posted.
func searchValues(c *gin.Context) (url.Values, error) {
	values, err := queryOf(c)
	if err != nil || c.Request.Method != http.MethodPost {
		return values, err
	}
	raw, err := io.ReadAll(c.Request.Body) // which middleware.Body has in memory
	if err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); len(raw) > 0 && (err != nil || media != "application/x-www-form-urlencoded") {
		return nil, &apierror.Error{Code: apierror.UnsupportedMediaType, Detail: "Send a search as application/x-www-form-urlencoded."}
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, &apierror.Error{Code: apierror.Invalid, Detail: "The form cannot be read."}
	}
	for name, all := range form {
		values[name] = append(values[name], all...)
	}
	return values, acceptable(values.Get("_format"))
}

// Create answers POST /fhir/<type>, with If-None-Exist too.
func (f FHIR[F, R]) Create(c *gin.Context) error {
	raw, err := resourceBody(c)
	if err != nil {
		return err
	}
	sent, err := f.Parse(raw)
	if err != nil {
		return err
	}
	by := middleware.Actor(c)
	if by.Retry, err = retryOf(c, body{hash: hashOf(raw)}); err != nil {
		return err
	}
	unless := models.Never
	if header := c.GetHeader("If-None-Exist"); header != "" {
		values, err := url.ParseQuery(strings.TrimPrefix(header, "?"))
		if err != nil {
			return fhir.Issues{{Code: "invalid", Says: "If-None-Exist cannot be read."}}
		}
		search, err := fhir.ParseSearch(fhirBase(c), f.Type, values, false)
		if err != nil {
			return err
		}
		if !search.Selects {
			return fhir.Issues{{Code: "invalid", Says: "If-None-Exist needs something to search for."}}
		}
		unless = search.Where
	}
	row, made, err := f.Store(c.Request.Context(), by, unless, sent.Bind())
	if err != nil {
		return sent.Issues(err)
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	tellIfReplayed(c, by.Retry)
	return f.stored(c, status, row, sent.Warnings())
}

// Update answers PUT /fhir/<type>/<id>.
func (f FHIR[F, R]) Update(c *gin.Context) error {
	id, raw, err := updateOf(c)
	if err != nil {
		return err
	}
	sent, err := f.Parse(raw)
	if err != nil {
		return err
	}
	if sent.ID != strconv.FormatInt(id, 10) {
		return fhir.Issues{{Code: "invalid", At: f.Type + ".id", Says: "The id must be that of the address."}}
	}
	row, err := f.Change(c.Request.Context(), middleware.Actor(c), id, sent.Bind())
	if errors.Is(err, apierror.ErrNotFound) {
		return f.noSuchUpdate(c, id, "DELETE, GET, HEAD, OPTIONS")
	}
	if err != nil {
		return sent.Issues(err)
	}
	return f.stored(c, http.StatusOK, row, sent.Warnings())
}

// noSuchUpdate answers an update of what has been deleted, never was, or is another's: PUT makes nothing.
func (f FHIR[F, R]) noSuchUpdate(c *gin.Context, id int64, allowed string) error {
	if err := f.gone(c, id, apierror.ErrNotFound); !errors.Is(err, apierror.ErrNotFound) {
		return err
	}
	c.Header("Allow", allowed)
	return &apierror.Error{Code: apierror.MethodNotAllowed, Detail: "There is no such resource, and PUT makes none."}
}

// stored answers with what was stored, as the client prefers it.
func (f FHIR[F, R]) stored(c *gin.Context, status int, row *R, warnings fhir.Issues) error {
	resource := f.Show(row)
	versionHeaders(c, resource)
	if f.Versions != nil {
		meta := resource.Get("meta").(fhir.Resource)
		c.Header("Location", fmt.Sprintf("%s/%s/%s/_history/%s", fhirBase(c), f.Type, resource.Get("id"), meta.Get("versionId")))
	}
	switch preference(c, "return") {
	case "minimal":
		c.Status(status)
		c.Writer.WriteHeaderNow()
		return nil
	case "OperationOutcome":
		if len(warnings) == 0 {
			return sendFHIR(c, status, fhir.Outcome("information", fhir.Issues{{Code: "informational", Says: "It is stored."}}))
		}
		return sendFHIR(c, status, fhir.Outcome("warning", warnings))
	}
	return sendFHIR(c, status, resource)
}

// Remove answers DELETE /fhir/<type>/<id>.
func (f FHIR[F, R]) Remove(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	err = f.Delete(c.Request.Context(), middleware.Actor(c), id)
	if errors.Is(err, apierror.ErrNotFound) {
		err = f.gone(c, id, err)
	}
	if err != nil && !errors.Is(err, models.ErrGone) {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// resourceBody reads a body of FHIR's JSON.
func resourceBody(c *gin.Context) ([]byte, error) {
	media, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	charset, version := params["charset"], params["fhirversion"]
	if err != nil || media != "application/fhir+json" && media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		version != "" && version != "4.0" {
		return nil, &apierror.Error{Code: apierror.UnsupportedMediaType, Detail: "Send application/fhir+json of FHIR 4.0, in UTF-8."}
	}
	return io.ReadAll(c.Request.Body) // which middleware.Body has in memory
}

// updateOf reads whom an update is of, and its body.
func updateOf(c *gin.Context) (id int64, raw []byte, err error) {
	if id, err = pathID(c); err == nil {
		raw, err = resourceBody(c)
	}
	return id, raw, err
}

func weakTag(r fhir.Resource) string {
	return `W/"` + r.Get("meta").(fhir.Resource).Get("versionId").(string) + `"`
}

func versionHeaders(c *gin.Context, r fhir.Resource) {
	meta := r.Get("meta").(fhir.Resource)
	c.Header("ETag", weakTag(r))
	if at, err := time.Parse(time.RFC3339Nano, meta.Get("lastUpdated").(string)); err == nil {
		c.Header("Last-Modified", at.Format(http.TimeFormat))
	}
}

// sendResource answers with one resource and its version, or with nothing if the client has it already.
func sendResource(c *gin.Context, status int, r fhir.Resource) error {
	versionHeaders(c, r)
	if isKnown(c, strings.TrimPrefix(weakTag(r), "W/")) {
		c.Status(http.StatusNotModified)
		return nil
	}
	return sendFHIR(c, status, r)
}

func sendFHIR(c *gin.Context, status int, r fhir.Resource) error {
	text, err := r.MarshalJSON() // json.Marshal would escape & and < again
	if err != nil {
		return err
	}
	c.Data(status, fhir.ContentType, append(text, '\n'))
	return nil
}
