package controllers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/listing"
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
func sendPage[T any](c *gin.Context, page *listing.Page[T], values url.Values) {
	if page.Number == 0 {
		page.Next = cursorURL(c, values, page.NextCursor)
		page.Previous = cursorURL(c, values, page.PreviousCursor)
	} else {
		page.Next = pageURL(c, values, page.Number+1, page.Last)
		page.Previous = pageURL(c, values, page.Number-1, page.Last)
	}
	c.PureJSON(http.StatusOK, page)
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
