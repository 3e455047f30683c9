// Package commands holds what the program can be told on its command line, as Django's management commands.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/models"
	"healthcare/version"
)

// Program is the surroundings that a command runs in.
type Program struct {
	Environ  []string // as os.Environ gives it
	Dotenv   string   // the path of an optional .env file
	In       io.Reader
	Out, Err io.Writer

	// Migrated is that of the configuration: only tests know it.
	Migrated bool
}

// Run does what the arguments say, serve if they say nothing. It returns the exit code: 0, 2 if the configuration or
// the command line is wrong, 3 if the audit trail was not proved to its end, or 1.
func (p Program) Run(ctx context.Context, args []string, serve func(context.Context, *config.Config, io.Writer, io.Writer) error) int {
	root := &cobra.Command{
		Use:           "healthcare",
		Short:         "Serve the clinic's API (without a subcommand)",
		Args:          noArgs,
		Version:       version.Build(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.configure(cmd.Context(), true)
			if err != nil {
				return err
			}
			if err := cfg.KeepSecret(); err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, p.Out, p.Err)
		},
	}
	root.AddCommand(p.createAdmin(), p.createUser(), p.changePassword(), p.audit(), p.erase(), p.backup(), p.restore(), p.demo(), p.move(), p.export(), p.importFile(), p.healthCheck(), versionCommand())
	root.SetVersionTemplate("{{.Version}}")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetArgs(args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	return p.report(root.ExecuteContext(ctx))
}

// report tells of an error, and returns the exit code that stands for it.
func (p Program) report(err error) int {
	if err == nil {
		return 0
	}
	var errs config.Errors
	if errors.As(err, &errs) {
		_, _ = fmt.Fprintln(p.Err, "The configuration is wrong:")
		for _, message := range errs {
			_, _ = fmt.Fprintln(p.Err, "  "+message)
		}
		return 2
	}
	_, _ = fmt.Fprintln(p.Err, "healthcare:", err)
	if errors.As(err, new(usageError)) || errors.As(err, new(*models.AuditKeyError)) { // which no restart cures
		return 2
	}
	if errors.As(err, new(unfinishedError)) {
		return 3
	}
	return 1
}

// usageError is an error in the command line.
type usageError struct{ error }

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("there is no command %q; see: healthcare help", args[0])}
	}
	return nil
}

// group is a command that only has others below it.
func group(name, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   name + " COMMAND",
		Short:                 short,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("%s needs a command; see: healthcare help %[1]s", name)}
			}
			return usageError{fmt.Errorf("there is no command \"%s %s\"; see: healthcare help %[1]s", name, args[0])}
		},
	}
	cmd.AddCommand(below...)
	return cmd
}

// checked makes what is wrong with a subcommand's arguments a usageError.
func checked(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// versionCommand is the subcommand that says the same as --version.
func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is, from which commit, and built with which Go",
		Args:  checked(cobra.NoArgs),
		Run:   func(cmd *cobra.Command, _ []string) { cmd.Print(version.Build()) },
	}
}

// configure reads the configuration, and refuses to go on unless the database is there, or may be made: in the wrong
// folder, a command would else make a new one and be glad.
func (p Program) configure(ctx context.Context, mayBeMade bool) (*config.Config, error) {
	cfg, err := config.Load(p.Environ, p.Dotenv)
	if err != nil {
		return nil, err
	}
	if cfg.Migrated = p.Migrated; cfg.Migrated { // so it is there
		return cfg, nil
	}
	return cfg, models.CheckDatabase(ctx, cfg, mayBeMade)
}

// using says which database a command works on.
func (p Program) using(cfg *config.Config) {
	_, _ = fmt.Fprintf(p.Err, "Using %s\n", cfg.Database)
}

// withDatabase opens the configured database, which must be there, for a command.
func (p Program) withDatabase(ctx context.Context, use func(*models.DB) error) error {
	return p.openDatabase(ctx, false, use)
}

func (p Program) openDatabase(ctx context.Context, mayBeMade bool, use func(*models.DB) error) error {
	cfg, err := p.configure(ctx, mayBeMade)
	if err != nil {
		return err
	}
	p.using(cfg)
	if err := cfg.KeepSecret(); err != nil {
		return err
	}
	db, err := models.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(use(db), db.Close())
}

// inWords spells the fields of an error out, a line each.
func inWords(err error) error {
	var e *apierror.Error
	if !errors.As(err, &e) {
		return err
	}
	message := e.Detail
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		message += fmt.Sprintf("\n  %s: %s", field, strings.Join(e.Fields[field], " "))
	}
	return errors.New(message)
}

// terminal is the terminal that a stream is, if it is one.
func terminal(stream any) (*os.File, bool) {
	file, ok := stream.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}
