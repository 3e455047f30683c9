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

// shutdownLimit is how long requests that are running may take to finish when the server is asked to stop.
const shutdownLimit = 20 * time.Second

// serve is the server's life, once it is configured: open, listen, serve, shut down.
func serve(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	slog.SetDefault(log)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300) // the heap is small: a tenth of the CPU for some MiB
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(256 << 20) // from where on memory is worth more than CPU: under attack
	}
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
	go db.KeepClean(background, log)
	go db.KeepSealed(background, log)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(stdout, "Clinic API on http://%[1]s/ with %[2]s\nReference at http://%[1]s/docs\nStop it with Ctrl+C.\n", listener.Addr(), cfg.Database)

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: running requests may finish")
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return errors.Join(errors.New("requests were cut off"), server.Close())
	}
	return nil
}
