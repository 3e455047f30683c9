// Package web specifies what is of HTTP and not of one resource: paths, headers, bad input, the pages, and the documents that describe it all.
package web

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
