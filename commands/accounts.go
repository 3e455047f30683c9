package commands

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"healthcare/models"
)

// createAdmin is the subcommand that opens a staff account.
func (p Program) createAdmin() *cobra.Command {
	var in models.Registration
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "createadmin --username NAME --email ADDRESS",
		Short: "Open a staff account",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if in.Password, err = p.askPassword(cmd, fromStdin); err != nil {
				return err
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
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
func (p Program) changePassword() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "changepassword NAME",
		Short: "Set an account's password, end its sessions and lift its locks",
		Args:  checked(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := p.askPassword(cmd, fromStdin)
			if err != nil {
				return err
			}
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
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

// askPassword asks twice, without echo, or takes one line from standard input.
func (p Program) askPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	keyboard, ok := terminal(p.In)
	if !ok {
		return "", errors.New("there is no terminal to ask for the password on; use --password-stdin")
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Password (again): "} {
		cmd.PrintErr(prompt)
		password, err := term.ReadPassword(int(keyboard.Fd()))
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
