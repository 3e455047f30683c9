package controllers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/docs"
)

// Docs answers /, /docs and /openapi.*: the pages for people and the description for programs.
type Docs struct {
	home     *template.Template
	database string
	openAPI  []byte            // as JSON
	files    map[string][]byte // that the pages load, by name; *.gz are compressed
}

// The pages load their own files and nothing else. Swagger UI sets style attributes.
const (
	policyOfHome      = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	policyOfReference = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// contentTypes of the files that the pages load. (Those of package mime depend on the machine.)
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// NewDocs reads the embedded files.
func NewDocs(cfg *config.Config) (*Docs, error) {
	d := &Docs{database: "SQLite", files: map[string][]byte{}}
	if cfg.Database.Postgres != "" {
		d.database = "PostgreSQL"
	}
	var err error
	if d.home, err = template.New("home").Parse(docs.Home); err != nil {
		return nil, err
	}
	if d.openAPI, err = docs.OpenAPIJSON(); err != nil {
		return nil, err
	}
	own, err := fs.Sub(docs.Assets, "assets")
	if err != nil {
		return nil, err
	}
	for _, from := range []struct {
		fs.FS
		pattern string
	}{{own, "*"}, {static.FS, "swagger-ui.css.gz"}, {static.FS, "swagger-ui-bundle.js.gz"}} {
		names, err := fs.Glob(from, from.pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if d.files[name], err = fs.ReadFile(from, name); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// Home answers GET /.
func (d *Docs) Home(c *gin.Context) error {
	var page bytes.Buffer
	err := d.home.Execute(&page, map[string]string{
		"Version": version(), "Database": d.database, "URL": c.Request.URL.Scheme + "://" + c.Request.Host,
	})
	if err != nil {
		return err
	}
	c.Header("Content-Security-Policy", policyOfHome)
	sendFile(c, "text/html; charset=utf-8", page.Bytes())
	return nil
}

// Reference answers GET /docs.
func (d *Docs) Reference(c *gin.Context) error {
	c.Header("Content-Security-Policy", policyOfReference)
	sendFile(c, "text/html; charset=utf-8", docs.Reference)
	return nil
}

// YAML answers GET /openapi.yaml.
func (d *Docs) YAML(c *gin.Context) error {
	sendFile(c, "application/yaml", docs.OpenAPI)
	return nil
}

// JSON answers GET /openapi.json.
func (d *Docs) JSON(c *gin.Context) error {
	sendFile(c, "application/json", d.openAPI)
	return nil
}

// File answers GET /docs/<file>. What is embedded compressed goes out so, to clients that say they can read it.
func (d *Docs) File(c *gin.Context) error {
	name := c.Param("file")
	contentType := contentTypes[path.Ext(name)]
	if content, ok := d.files[name]; ok && path.Ext(name) != ".gz" {
		sendFile(c, contentType, content)
		return nil
	}
	content, ok := d.files[name+".gz"]
	if !ok {
		return apierror.ErrNotFound
	}
	c.Writer.Header().Add("Vary", "Accept-Encoding")
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		sendFile(c, contentType, content)
		return nil
	}
	plain, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return err
	}
	if content, err = io.ReadAll(plain); err != nil {
		return err
	}
	sendFile(c, contentType, content)
	return nil
}

// sendFile sends what caches may keep but must ask about, so that an upgrade shows at once.
func sendFile(c *gin.Context, contentType string, content []byte) {
	sum := sha256.Sum256(content)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	c.Header("Cache-Control", "no-cache")
	c.Header("ETag", etag)
	if strings.Contains(c.GetHeader("If-None-Match"), etag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, contentType, content)
}

// version is what the program was built from: a released version, a commit, or neither.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "development"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "development"
}
