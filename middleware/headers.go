package middleware

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"healthcare/config"
)

// Secure sets the headers that keep answers out of caches, frames and content sniffing. Where this server speaks TLS itself,
// browsers come back by TLS only, for a year; behind a proxy, that is the proxy's to say.
func Secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// CORS lets pages of the allowed origins call the API from a browser. Other origins get no CORS headers, which is
// all that a browser needs to refuse them.
func CORS(allowed []config.Origin) gin.HandlerFunc {
	origins := make([]string, len(allowed))
	for i, o := range allowed {
		origins[i] = string(o)
	}
	if len(origins) == 0 {
		return func(*gin.Context) {}
	}
	answer := cors.New(cors.Config{
		AllowOrigins:  origins,
		AllowMethods:  []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		AllowHeaders:  []string{"Authorization", "Content-Type", "If-Match", "If-None-Match", "If-None-Exist", "Idempotency-Key", "Prefer", "X-Request-ID"},
		ExposeHeaders: []string{"Content-Disposition", "ETag", "Idempotent-Replayed", "Last-Modified", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"},
		MaxAge:        10 * time.Minute,
	})
	return func(c *gin.Context) {
		if slices.Contains(origins, c.GetHeader("Origin")) {
			answer(c)
			return
		}
		c.Header("Vary", "Origin")
	}
}

var goodHost = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]+)?$|^\[[0-9a-fA-F:.]+\](:[0-9]+)?$`)

// Forwarded finds the scheme and host that the client used, for absolute URLs: from X-Forwarded-Proto and
// X-Forwarded-Host if a trusted proxy sent them, else from the connection. Of several in a row, each of which a proxy has
// added, the first is the client's, as in Django. Of the addresses that a trusted proxy sent in
// X-Forwarded-For, which Gin reads, it drops the ports.
func Forwarded(trusted []config.Network) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := c.Request
		r.URL.Scheme = "http"
		if r.TLS != nil {
			r.URL.Scheme = "https"
		}
		peer, err := netip.ParseAddr(c.RemoteIP())
		if err != nil || !slices.ContainsFunc(trusted, func(n config.Network) bool { return n.Contains(peer.Unmap()) }) {
			return
		}
		if proto := firstOf(r.Header.Get("X-Forwarded-Proto")); proto == "http" || proto == "https" {
			r.URL.Scheme = proto
		}
		if host := firstOf(r.Header.Get("X-Forwarded-Host")); goodHost.MatchString(host) {
			r.Host = host
		}
		for i, line := range r.Header.Values("X-Forwarded-For") {
			r.Header["X-Forwarded-For"][i] = withoutPorts(line)
		}
	}
}

func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// withoutPorts makes 192.0.2.1, 2001:db8::1 of 192.0.2.1:80, [2001:db8::1]:80. It leaves what is no address as it is.
func withoutPorts(addresses string) string {
	entries := strings.Split(addresses, ",")
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		if strings.HasSuffix(entry, "]") {
			entry += ":0" // an address in brackets without a port
		}
		if address, err := netip.ParseAddrPort(entry); err == nil {
			entries[i] = address.Addr().String()
		}
	}
	return strings.Join(entries, ",")
}
