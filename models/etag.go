package models

import (
	"strconv"
	"strings"
)

// ETag spells a version as an entity tag (RFC 9110, section 8.8.3).
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Matches tells whether an If-Match or If-None-Match header names an entity tag. "*" names any. A weak tag counts as its
// strong form, because proxies that compress make tags weak.
func Matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag {
			return true
		}
	}
	return false
}
