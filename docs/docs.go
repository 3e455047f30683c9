// Package docs embeds the API's description and the pages that show it.
package docs

import (
	"embed"
	"sync"

	"github.com/goccy/go-yaml"
)

// OpenAPI is the API's description, written by hand.
//
//go:embed openapi.yaml
var OpenAPI []byte

// OpenAPIJSON is the same description as JSON.
var OpenAPIJSON = sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSON(OpenAPI) })

// Home is the template of the page at /.
//
//go:embed home.html
var Home string

// Reference is the page at /docs.
//
//go:embed reference.html
var Reference []byte

// Accept is the page at /accept.
//
//go:embed accept.html
var Accept []byte

// Assets are the files that the pages load, in the folder assets.
//
//go:embed assets
var Assets embed.FS
