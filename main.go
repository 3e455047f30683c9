// Command healthcare serves a clinic's REST API: accounts, patients, doctors and who treats whom.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"healthcare/commands"
	"healthcare/config"
	"healthcare/logging"
	"healthcare/metrics"
	"healthcare/models"
	"healthcare/routes"
	"healthcare/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	program := commands.Program{Environ: os.Environ(), Dotenv: dotenv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	status := program.Run(ctx, os.Args[1:], serve)
	stop()
	os.Exit(status)
}

// dotenv is the file that may set what the environment does not.
const dotenv = ".env"

// shutdownLimit is how long requests that are running may take to finish when the server is asked to stop. Then at most
// five seconds are for the audit trail.
const shutdownLimit = 14 * time.Second

// serve is the server's life, once it is configured: open, listen, serve, drain, shut down.
func serve(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	log, flush := logging.New(stderr, cfg.LogFormat, cfg.LogLevel)
	defer flush()
	slog.SetDefault(log)
	tuneMemory()
	db, err := models.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, warning := range cfg.Exposed(dotenv) {
		log.Warn(warning)
	}
	handler, err := routes.New(cfg, db, log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("HOST and PORT: %w", err)
	}
	stopMetrics, err := metrics.Serve(ctx, string(cfg.MetricsAddr), handler.Metrics, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopMetrics()
	server := newServer(cfg, handler, log)
	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	go db.KeepClean(background, log)
	go db.KeepSealed(background, log)
	go db.KeepSearchable(background, log)
	go db.KeepImported(background, log)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	announce(stdout, listener.Addr(), cfg)

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	handler.Stop()
	if cfg.DrainDelay > 0 {
		log.Info("stopping: requests are still taken, but /readyz is 503", "for", cfg.DrainDelay)
		time.Sleep(cfg.DrainDelay) // a second signal ends the program
	}
	return shutDown(context.WithoutCancel(ctx), server, log)
}

// newServer limits how long a connection may take for each of its parts.
func newServer(cfg *config.Config, handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTimeout + 5*time.Second,
		WriteTimeout:      cfg.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          logging.ForServer(log),
	}
}

// shutDown takes no more requests, and lets the running ones finish.
func shutDown(ctx context.Context, server *http.Server, log *slog.Logger) error {
	log.Info("stopping: running requests may finish")
	limit, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return errors.Join(errors.New("requests were cut off"), server.Close())
	}
	return nil
}

// announce says what runs, where, and with which database.
func announce(to io.Writer, address net.Addr, cfg *config.Config) {
	_, _ = fmt.Fprintf(to, "%s %s on http://%s/ with %s\n", version.Name, version.Number, address, cfg.Database)
	_, _ = fmt.Fprintf(to, "Console at http://%[1]s/console\nReference at http://%[1]s/docs\nStop it with Ctrl+C.\n", address)
}

// tuneMemory tells how much memory is worth how much CPU, unless the environment does.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300) // the heap is small: a tenth of the CPU for some MiB
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(256 << 20) // from where on memory is worth more than CPU: under attack
	}
}
