package controllers

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// preferences are the values that a client gave to a preference (RFC 7240): in several headers, with commas or semicolons.
func preferences(c *gin.Context, name string) (values []string) {
	for _, p := range strings.FieldsFunc(strings.Join(c.Request.Header.Values("Prefer"), ","), func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			values = append(values, strings.Trim(value, ` "`))
		}
	}
	return values
}

// preference is the first of these values, "" if there is none.
func preference(c *gin.Context, name string) string {
	if values := preferences(c, name); len(values) > 0 {
		return values[0]
	}
	return ""
}
