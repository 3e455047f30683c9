package controllers

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/console"
)

// Console answers /console and what is below it: the page for people in a clinic, and its files.
type Console struct {
	site  *console.Site
	shell file
}

// lit-html turns its own constant templates into HTML, and nothing else may: no text of the API's can become markup.
const policyOfConsole = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"

// consoleSite is compressed once, however many servers a process has.
var consoleSite = sync.OnceValues(console.New)

// NewConsole reads the embedded files.
func NewConsole() (*Console, error) {
	site, err := consoleSite()
	if err != nil {
		return nil, err
	}
	return &Console{site, newFile("text/html; charset=utf-8", site.Shell, nil)}, nil
}

// Shell answers GET /console.
func (s *Console) Shell(c *gin.Context) error {
	c.Header("Content-Security-Policy", policyOfConsole)
	s.shell.send(c)
	return nil
}

// Page answers GET /console/<path>. Each path is a screen, which the page finds by itself; /console/files/ holds the files.
func (s *Console) Page(c *gin.Context) error {
	name, ok := strings.CutPrefix(c.Param("path"), "/files/")
	if !ok {
		return s.Shell(c)
	}
	name, ok = strings.CutPrefix(name, s.site.Version+"/")
	packed := s.site.Packed[name]
	if !ok || packed == nil {
		return apierror.ErrNotFound
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Writer.Header().Add("Vary", "Accept-Encoding")
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, contentTypes[path.Ext(name)], packed)
		return nil
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(unpacker)
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, contentTypes[path.Ext(name)], plain)
	return nil
}
