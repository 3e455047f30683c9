package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"healthcare/certificates"
	"healthcare/config"
	"healthcare/logging"
	"healthcare/metrics"
	"healthcare/routes"
)

// maxHeaderBytes is how long the head of a request may be.
const maxHeaderBytes = 64 << 10

// front is where clients reach the server.
type front struct {
	server   *http.Server
	listener net.Listener
	tls      bool // server.TLSConfig does not tell: net/http makes one for plain HTTP, too, when it begins to serve

	// redirect sends from plain HTTP to TLS; nil unless TLS_REDIRECT_PORT is set.
	redirect         *http.Server
	redirectListener net.Listener
	log              *slog.Logger

	stopMetrics func()
}

// listen takes the ports of the server; it serves them from serve on.
func listen(ctx context.Context, cfg *config.Config, handler *routes.Handler, secure *certificates.TLS, log *slog.Logger) (_ *front, err error) {
	f := &front{server: newServer(cfg, handler, secure, log), tls: secure != nil, log: log}
	if f.stopMetrics, err = metrics.Serve(ctx, string(cfg.MetricsAddr), handler.Metrics, log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.stopMetrics()
		}
	}()
	if f.listener, err = port(ctx, cfg.Host, "PORT", cfg.Port); err != nil {
		return nil, err
	}
	if cfg.TLSRedirectPort == 0 {
		return f, nil
	}
	if f.redirectListener, err = port(ctx, cfg.Host, "TLS_REDIRECT_PORT", cfg.TLSRedirectPort); err != nil {
		return nil, errors.Join(err, f.listener.Close())
	}
	const patience = 10 * time.Second
	f.redirect = &http.Server{
		Handler:     secure.Redirect(f.listener.Addr().(*net.TCPAddr).Port),
		ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: maxHeaderBytes, ErrorLog: f.server.ErrorLog,
	}
	return f, nil
}

// port takes a port of HOST.
func port(ctx context.Context, host, variable string, number int) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(number)))
	if err != nil {
		return nil, fmt.Errorf("HOST and %s: %w", variable, err)
	}
	return listener, nil
}

// newServer limits how long a connection may take. These limits are for handshakes and for HTTP/2, too, and there for each request.
func newServer(cfg *config.Config, handler http.Handler, secure *certificates.TLS, log *slog.Logger) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTimeout + 5*time.Second,
		WriteTimeout:      cfg.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          logging.ForServer(log),
	}
	if secure != nil {
		server.TLSConfig = secure.Config
		// Of a connection by HTTP/2 that falls silent, or reads nothing, only these know.
		server.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second}
	}
	return server
}

// serve serves until the server is shut down, by TLS if it is configured.
func (f *front) serve() error {
	if f.redirect != nil {
		go func() {
			if err := f.redirect.Serve(f.redirectListener); !errors.Is(err, http.ErrServerClosed) {
				f.log.Error("TLS_REDIRECT_PORT is not served any more", "error", err)
			}
		}()
	}
	if f.tls {
		return f.server.ServeTLS(f.listener, "", "")
	}
	return f.server.Serve(f.listener)
}

// address is what the addresses of the server begin with.
func (f *front) address() string {
	scheme := "http"
	if f.tls {
		scheme = "https"
	}
	return scheme + "://" + f.listener.Addr().String()
}

// close ends what sends to TLS, and what tells Prometheus.
func (f *front) close() {
	f.stopMetrics()
	if f.redirect != nil {
		_ = f.redirect.Close()
	}
}
