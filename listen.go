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
)

// maxHeaderBytes is how long the head of a request may be.
const maxHeaderBytes = 64 << 10

// newServer limits how long a connection may take. Most of it is for HTTP/2, too, for each of its requests.
func newServer(cfg *config.Config, handler http.Handler, secure *certificates.TLS, log *slog.Logger) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTimeout + 5*time.Second,
		WriteTimeout:      cfg.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken connections
	}
	if secure != nil {
		server.TLSConfig = secure.Config
		// HTTP/2 has no time limit of its own for a client that begins a request and falls silent, or that reads nothing.
		server.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second}
	}
	return server
}

// listen takes a port of HOST.
func listen(ctx context.Context, cfg *config.Config, variable string, port int) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("HOST and %s: %w", variable, err)
	}
	return listener, nil
}

// serveOn serves until the server is shut down, by TLS if the server has it.
func serveOn(server *http.Server, listener net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(listener, "", "")
	}
	return server.Serve(listener)
}

// scheme is what addresses of the server begin with.
func scheme(cfg *config.Config) string {
	if cfg.TLS() {
		return "https"
	}
	return "http"
}

// redirect sends from TLS_REDIRECT_PORT to the server, until it is closed.
func redirect(ctx context.Context, cfg *config.Config, secure *certificates.TLS, to net.Addr, log *slog.Logger) (*http.Server, error) {
	const patience = 10 * time.Second
	server := &http.Server{
		ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if secure == nil || cfg.TLSRedirectPort == 0 {
		return server, nil
	}
	server.Handler = secure.Redirect(to.(*net.TCPAddr).Port)
	listener, err := listen(ctx, cfg, "TLS_REDIRECT_PORT", cfg.TLSRedirectPort)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("TLS_REDIRECT_PORT is not served any more", "error", err)
		}
	}()
	return server, nil
}
