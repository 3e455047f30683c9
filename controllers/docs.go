package controllers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/docs"
	"healthcare/version"
)

// Docs answers /, /accept, /docs and /openapi.*: the pages for people and the description for programs.
type Docs struct {
	home      *template.Template
	database  string
	reference file
	accept    file
	yaml      file
	json      file
	files     map[string]file // that the pages load, by name
}

// file is what many clients may read at once, so it is unpacked and its tags are made only once.
type file struct {
	contentType string
	plain, gzip []byte // gzip is nil for what is not embedded compressed
	plainTag    string
	gzipTag     string
}

func newFile(contentType string, plain, packed []byte) file {
	return file{contentType, plain, packed, entityTag(plain), entityTag(packed)}
}

func entityTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// The pages load their own files and nothing else. Swagger UI sets style attributes.
const (
	policyOfAccept = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
	d := &Docs{
		database:  "SQLite",
		reference: newFile("text/html; charset=utf-8", docs.Reference, nil),
		accept:    newFile("text/html; charset=utf-8", docs.Accept, nil),
		yaml:      newFile("application/yaml", docs.OpenAPI, nil),
	}
	if cfg.Database.Postgres != "" {
		d.database = "PostgreSQL"
	}
	var err error
	if d.home, err = template.New("home").Parse(docs.Home); err != nil {
		return nil, err
	}
	openAPI, err := docs.OpenAPIJSON()
	if err != nil {
		return nil, err
	}
	d.json = newFile("application/json", openAPI, nil)
	d.files, err = pageFiles()
	return d, err
}

// pageFiles are the files that the pages load, by name: unpacked once, however many servers a process has.
var pageFiles = sync.OnceValues(func() (map[string]file, error) {
	own, err := fs.Sub(docs.Assets, "assets")
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	return files, errors.Join(add(files, own, "*"), add(files, static.FS, "swagger-ui.css.gz"), add(files, static.FS, "swagger-ui-bundle.js.gz"))
})

// add reads files that the pages load; *.gz are compressed.
func add(files map[string]file, from fs.FS, pattern string) error {
	names, err := fs.Glob(from, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		plain, packed := content, []byte(nil)
		name, compressed := strings.CutSuffix(name, ".gz")
		if compressed {
			unpacker, err := gzip.NewReader(bytes.NewReader(content))
			if err != nil {
				return err
			}
			packed = content
			if plain, err = io.ReadAll(unpacker); err != nil {
				return err
			}
		}
		files[name] = newFile(contentTypes[path.Ext(name)], plain, packed)
	}
	return nil
}

// Home answers GET /.
func (d *Docs) Home(c *gin.Context) error {
	var page bytes.Buffer
	err := d.home.Execute(&page, map[string]string{
		"Version": version.Number, "Database": d.database, "URL": origin(c),
	})
	if err != nil {
		return err
	}
	c.Header("Content-Security-Policy", policyOfHome)
	newFile("text/html; charset=utf-8", page.Bytes(), nil).send(c)
	return nil
}

// Accept answers GET /accept: where the holder of an account chooses a password. The token stands in the fragment of the
// address, which no browser sends, so that no log has it.
func (d *Docs) Accept(c *gin.Context) error {
	c.Header("Content-Security-Policy", policyOfAccept)
	d.accept.send(c)
	return nil
}

// Reference answers GET /docs.
func (d *Docs) Reference(c *gin.Context) error {
	c.Header("Content-Security-Policy", policyOfReference)
	d.reference.send(c)
	return nil
}

// YAML answers GET /openapi.yaml.
func (d *Docs) YAML(c *gin.Context) error {
	d.yaml.send(c)
	return nil
}

// JSON answers GET /openapi.json.
func (d *Docs) JSON(c *gin.Context) error {
	d.json.send(c)
	return nil
}

// File answers GET /docs/<file>.
func (d *Docs) File(c *gin.Context) error {
	f, ok := d.files[c.Param("file")]
	if !ok {
		return apierror.ErrNotFound
	}
	f.send(c)
	return nil
}

// send sends what caches may keep but must ask about, so that an upgrade shows at once. What is embedded compressed goes
// out so, to clients that say they can read it.
func (f file) send(c *gin.Context) {
	content, etag := f.plain, f.plainTag
	if f.gzip != nil {
		c.Writer.Header().Add("Vary", "Accept-Encoding")
		if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
			c.Header("Content-Encoding", "gzip")
			content, etag = f.gzip, f.gzipTag
		}
	}
	c.Header("Cache-Control", "no-cache")
	c.Header("ETag", etag)
	if strings.Contains(c.GetHeader("If-None-Match"), etag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, f.contentType, content)
}
