package controllers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/listing"
	"healthcare/middleware"
)

// queryOf reads the parameters of a list. (URL.Query would drop a pair that holds a semicolon, in silence.)
func queryOf(c *gin.Context) (url.Values, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, &apierror.Error{Code: apierror.Invalid, Detail: "The query string cannot be read.", Fields: wrongPairs(c.Request.URL.RawQuery)}
	}
	return values, nil
}

// wrongPairs names the parameters that cannot be read.
func wrongPairs(query string) apierror.Fields {
	errs := apierror.Fields{}
	for pair := range strings.SplitSeq(query, "&") {
		if _, err := url.ParseQuery(pair); err != nil {
			name, _, _ := strings.Cut(pair, "=")
			if unescaped, err := url.QueryUnescape(name); err == nil {
				name = unescaped
			}
			errs.Add(strings.ToValidUTF8(name, "\uFFFD"), "Invalid value.")
		}
	}
	return errs
}

// sendPage answers with a page and the absolute URLs of its neighbours, which keep the other parameters.
func sendPage[T any](c *gin.Context, page *listing.Page[T], values url.Values) error {
	if page.Number == 0 {
		page.Next = cursorURL(c, values, page.NextCursor)
		page.Previous = cursorURL(c, values, page.PreviousCursor)
	} else {
		page.Next = pageURL(c, values, page.Number+1, page.Last)
		page.Previous = pageURL(c, values, page.Number-1, page.Last)
	}
	return respondPage(c, page)
}

// Whoever asks for more than usualPage rows takes turns with others who do, and gets an error if the rows take more than
// maxPage bytes. (usualPage of the largest records take less than that.)
const (
	usualPage = 20
	maxPage   = 4 << 20
)

var largePages = listing.NewTurns(4)

// turnFor waits until a page of the wanted size may be made, and returns what ends the turn.
func turnFor(c *gin.Context, values url.Values) (done func(), err error) {
	if size, _ := strconv.Atoi(values.Get("page_size")); size <= usualPage { // 0 if it is wrong, which somebody else says
		return func() {}, nil
	}
	done, err = largePages.Take(c.Request.Context(), middleware.Actor(c).ID)
	return done, apierror.FromDatabase(err)
}

func respondPage[T any](c *gin.Context, page *listing.Page[T]) error {
	if len(page.Results) <= usualPage {
		c.PureJSON(http.StatusOK, page)
		return nil
	}
	text, err := encodePage(page)
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, "application/json; charset=utf-8", text)
	return nil
}

// encodePage encodes row by row, and stops when there is too much. The rows go in where an empty page has its none.
func encodePage[T any](page *listing.Page[T]) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	empty := *page
	empty.Results = []T{}
	if err := encoder.Encode(empty); err != nil {
		return nil, err
	}
	const end = "]}\n"
	text.Truncate(text.Len() - len(end))
	for i := range page.Results {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := encoder.Encode(&page.Results[i]); err != nil {
			return nil, err
		}
		text.Truncate(text.Len() - 1) // the line break
		if text.Len() > maxPage {
			return nil, apierror.Fields{"page_size": {"This page would be larger than 4 MiB. Ask for fewer rows."}}.Err()
		}
	}
	text.WriteString(end)
	return text.Bytes(), nil
}

func cursorURL(c *gin.Context, values url.Values, cursor string) *string {
	if cursor == "" {
		return nil
	}
	values.Set("cursor", cursor)
	return absoluteURL(c, values)
}

func pageURL(c *gin.Context, values url.Values, number, last int) *string {
	if number < 1 || number > last {
		return nil
	}
	values.Set("page", strconv.Itoa(number))
	if number == 1 {
		values.Del("page")
	}
	return absoluteURL(c, values)
}

func absoluteURL(c *gin.Context, values url.Values) *string {
	u := url.URL{Scheme: c.Request.URL.Scheme, Host: c.Request.Host, Path: c.Request.URL.Path + "/", RawQuery: values.Encode()}
	s := u.String()
	return &s
}
