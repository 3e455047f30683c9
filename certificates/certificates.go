// Package certificates lets the server speak TLS without a proxy: with a certificate from two files, or from an ACME server
// such as Let's Encrypt.
package certificates

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"healthcare/config"
)

// TLS is how the server speaks TLS. Nil is: not at all.
type TLS struct {
	Config *tls.Config

	keep       func(context.Context)
	isFor      func(host string) bool          // is there a certificate for this name or address?
	challenges func(http.Handler) http.Handler // answers those of an ACME server; nil if there is none
	publicURL  string
}

// New is how the server speaks TLS by its configuration. An error is of type config.Errors and names the variable.
func New(cfg *config.Config, log *slog.Logger) (*TLS, error) {
	var t *TLS
	var err error
	switch {
	case cfg.TLSCertFile != "":
		t, err = fromFiles(cfg, log)
	case len(cfg.TLSDomains) > 0:
		t, err = fromACME(cfg, log)
	}
	if t == nil || err != nil {
		return nil, err
	}
	t.Config.MinVersion = tls.VersionTLS12
	t.publicURL = string(cfg.PublicURL)
	return t, nil
}

// Keep keeps the certificates good until ctx ends: it looks for new files, or has them renewed.
func (t *TLS) Keep(ctx context.Context) {
	if t != nil {
		t.keep(ctx)
	}
}

// Redirect answers who asks by plain HTTP. It sends them to PUBLIC_URL; if that is not set, to the name that they asked for
// and the port, but only if the certificate is for that name, so never to a host that somebody else has. It also answers
// the challenges of an ACME server.
func (t *TLS) Redirect(port int) http.Handler {
	redirect := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.TrimSuffix(net.JoinHostPort(r.Host, strconv.Itoa(port)), ":443")
		target := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		public, err := url.Parse(t.publicURL)
		known := err == nil && public.Scheme == "https"
		switch {
		case known:
			target.Host = public.Host
		case !t.isFor(r.Host):
			http.Error(w, "Use https, and the name of this server.", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead { // what it holds was readable on the way: it must not work
			http.Error(w, "Use https.", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, target.String(), http.StatusPermanentRedirect)
	}))
	if t.challenges != nil {
		redirect = t.challenges(redirect)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = withoutPort(r.Host)
		redirect.ServeHTTP(w, r)
	})
}

// withoutPort is the host of host:port, without the brackets of an IPv6 address.
func withoutPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
}
