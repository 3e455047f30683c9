// Command healthcare serves a clinic's REST API: accounts, patients, doctors and who treats whom.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"healthcare/certificates"
	"healthcare/commands"
	"healthcare/config"
	"healthcare/logging"
	"healthcare/middleware"
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
	outliveHangups(log)
	tuneMemory()
	stopTraces, err := middleware.StartTraces(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer stopTraces()
	secure, err := certificates.New(cfg, log)
	if err != nil {
		return err
	}
	db, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	handler, err := routes.New(cfg, db, log)
	if err != nil {
		return err
	}
	front, err := listen(ctx, cfg, handler, secure, log)
	if err != nil {
		return err
	}
	defer front.close()
	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	keep(background, db, secure, log)
	ended := make(chan error, 1)
	go func() { ended <- front.serve() }()
	announce(stdout, front.address(), cfg)

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
	return shutDown(context.WithoutCancel(ctx), front.server, log)
}

// open opens the database, and stores what an earlier run could not.
func open(ctx context.Context, cfg *config.Config, log *slog.Logger) (*models.DB, error) {
	db, err := models.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, warning := range cfg.Exposed(dotenv) {
		log.Warn(warning)
	}
	if err := db.StoreSpooled(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// keep starts what goes on beside the requests, until ctx ends.
func keep(ctx context.Context, db *models.DB, secure *certificates.TLS, log *slog.Logger) {
	go db.KeepClean(ctx, log)
	go db.KeepSealed(ctx, log)
	go db.KeepSearchable(ctx, log)
	go db.KeepImported(ctx, log)
	go db.KeepReplica(ctx, log)
	go secure.Keep(ctx)
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
func announce(to io.Writer, address string, cfg *config.Config) {
	_, _ = fmt.Fprintf(to, "%s %s on %s/ with %s\n", version.Name, version.Number, address, cfg.Database)
	_, _ = fmt.Fprintf(to, "Console at %[1]s/console\nReference at %[1]s/docs\nStop it with Ctrl+C.\n", address)
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
