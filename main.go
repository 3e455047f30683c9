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
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	slog.SetDefault(log)
	outliveHangups(log)
	tuneMemory()
	db, err := models.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, warning := range cfg.Exposed(dotenv) {
		log.Warn(warning)
	}
	if err := db.StoreSpooled(ctx); err != nil {
		return err
	}
	handler, err := routes.New(cfg, db, log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("HOST and PORT: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTimeout + 5*time.Second,
		WriteTimeout:      cfg.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken connections
	}
	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	for _, keep := range []func(context.Context, *slog.Logger){db.KeepClean, db.KeepSealed, db.KeepSearchable, db.KeepImported} {
		go keep(background, log)
	}
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

// outliveHangups keeps a server whose terminal is closed, or that somebody wants to read its configuration again.
func outliveHangups(log *slog.Logger) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Info("SIGHUP changes nothing: the configuration is read at the start")
		}
	}()
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
