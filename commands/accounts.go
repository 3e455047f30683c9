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
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withDatabase(cmd.Context(), func(db *models.DB) (err error) {
				if in.Password, err = p.askPassword(cmd, fromStdin); err != nil {
					return err
				}
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

// createUser is the subcommand that opens an ordinary account, whose holder chooses the password.
func (p Program) createUser() *cobra.Command {
	var in models.UserFields
	cmd := &cobra.Command{
		Use:   "createuser NAME EMAIL",
		Short: "Open an ordinary account, and print the token with which its holder chooses a password",
		Args:  checked(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Username, in.Email = args[0], args[1]
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				made, err := db.InviteFromCommandLine(cmd.Context(), in)
				if err != nil {
					return inWords(err)
				}
				ticket := made.Invitation
				what := "token (for POST /api/auth/accept/)"
				secret := ticket.Token
				if ticket.Link != nil {
					what, secret = "link", *ticket.Link
				}
				cmd.Printf("Account %s created. Give its holder this %s to choose a password.\nIt can be used once, until %s (72 hours), and is not shown again:\n%s\n",
					made.Username, what, ticket.ExpiresAt.Format("2006-01-02 15:04 UTC"), secret)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.FirstName, "first-name", "", "first name")
	cmd.Flags().StringVar(&in.LastName, "last-name", "", "last name")
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
			return p.withDatabase(cmd.Context(), func(db *models.DB) error {
				password, err := p.askPassword(cmd, fromStdin)
				if err != nil {
					return err
				}
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
