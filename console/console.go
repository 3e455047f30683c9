// Package console embeds the clinic console, a client of the public API for browsers. Its files go out as they are, but for
// their comments and indentation: there is no build step. Begin with app.js; each screen is in screens/, in a file of its
// name.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Files are what the page loads. vendor/lit-html.js is lit-html 3.3.3 as it is published; vendor/SHA256SUMS is of it.
//
//go:embed *.js *.css screens/*.js texts/*.js vendor/*.js
var Files embed.FS

//go:embed index.html
var shell string

// Site is the console, ready to be served.
type Site struct {
	// Shell is the one page, which shows every screen.
	Shell []byte
	// Version is a hash of all files; their paths hold it, so that none of them ever changes.
	Version string
	// Packed are the files, compressed with gzip, by name.
	Packed map[string][]byte
}

// first are the modules that signing in needs: they are asked for before the others.
var first = []string{"app.js", "vendor/lit-html.js", "api.js", "ui.js", "text.js", "texts/en.js", "form.js", "idle.js", "keys.js",
	"screens/signin.js"}

// New compresses the files and names them in the page.
func New() (*Site, error) {
	site := &Site{Packed: map[string][]byte{}}
	all, modules := sha256.New(), slices.Clone(first)
	err := fs.WalkDir(Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := Files.ReadFile(name)
		if err != nil {
			return err
		}
		all.Write([]byte(name))
		all.Write(content)
		if path.Ext(name) == ".js" && !slices.Contains(first, name) {
			modules = append(modules, name)
		}
		if path.Dir(name) != "vendor" {
			content = unsent.ReplaceAll(content, []byte("$1"))
		}
		site.Packed[name], err = pack(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	site.Version = hex.EncodeToString(all.Sum(nil)[:8])
	page, err := template.New("shell").Parse(shell)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	err = page.Execute(&out, map[string]any{"Files": "/console/files/" + site.Version + "/", "Modules": modules})
	site.Shell = []byte(out.String())
	return site, err
}

// unsent is what is for readers of the source: indentation, whole lines of comments, and those that end a line of code. A line
// of which nothing is left goes out empty, so that the numbers of lines in a browser's messages are those of the source.
var unsent = regexp.MustCompile(`(?m)^ *(?://.*$|/\*.*\*/$)?|([;{]) // .*$`)

func pack(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err
}
