package main

import (
	"bufio"
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

	"healthcare/config"
	"healthcare/models"
)

// createAdmin is the subcommand that opens a staff account.
func createAdmin() *cobra.Command {
	var in models.Registration
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "createadmin --username NAME --email ADDRESS",
		Short: "Open a staff account",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if in.Password, err = askPassword(cmd, fromStdin); err != nil {
				return err
			}
			return withDatabase(cmd.Context(), func(db *models.DB) error {
				user, err := db.CreateAdmin(cmd.Context(), in)
				if err != nil {
					return inWords(err)
				}
				cmd.Printf("Staff account %s created.\n", user.Username)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.Username, "username", "", "name to log in with")
	cmd.Flags().StringVar(&in.Email, "email", "", "e-mail address")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

// changePassword is the subcommand that sets an account's password.
func changePassword() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "changepassword NAME",
		Short: "Set an account's password, end its sessions and lift its locks",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := askPassword(cmd, fromStdin)
			if err != nil {
				return err
			}
			return withDatabase(cmd.Context(), func(db *models.DB) error {
				if err := db.SetPassword(cmd.Context(), args[0], password); err != nil {
					return inWords(err)
				}
				cmd.Printf("Password of %s changed; its sessions have ended.\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
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

// withDatabase opens the configured database for a subcommand.
func withDatabase(ctx context.Context, use func(*models.DB) error) error {
	cfg, err := config.Load(os.Environ(), ".env")
	if err != nil {
		return err
	}
	db, err := models.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(use(db), db.Close())
}

// askPassword asks twice, without echo, or takes one line from standard input.
func askPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return "", errors.New("there is no terminal to ask for the password on; use --password-stdin")
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Password (again): "} {
		cmd.PrintErr(prompt)
		password, err := term.ReadPassword(terminal)
		cmd.PrintErrln()
		if err != nil {
			return "", err
		}
		typed[i] = string(password)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the passwords differ")
	}
	return typed[0], nil
}

// inWords spells the fields of an error out, a line each.
func inWords(err error) error {
	var e *models.Error
	if !errors.As(err, &e) {
		return err
	}
	says := e.Detail
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		says += fmt.Sprintf("\n  %s: %s", field, strings.Join(e.Fields[field], " "))
	}
	return errors.New(says)
}
