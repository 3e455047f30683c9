package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"healthcare/apierror"
	"healthcare/models"
)

// demoPassword is no secret: everybody who has this program has it.
const demoPassword = "harbour lantern 42 cedar"

// demo is the subcommand that fills the database with an invented clinic, the same each time.
func (p Program) demo() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Fill an empty database with an invented clinic to try things out on",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.openDatabase(cmd.Context(), true, func(db *models.DB) error {
				return fillWithDemo(cmd, db, force)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "add the clinic to a database that has accounts already")
	return cmd
}

func fillWithDemo(cmd *cobra.Command, db *models.DB, force bool) error {
	ctx := cmd.Context()
	operator := models.Actor{User: models.User{IsStaff: true}}
	users, err := db.Users(ctx, operator, url.Values{"page_size": {"1"}})
	if err != nil {
		return err
	}
	if *users.Count > 0 && !force {
		return errors.New("the database has accounts already; to add the invented clinic all the same: healthcare demo --force")
	}
	user, err := openFirstFree("demo", demoPassword, func(in models.Registration) (*models.User, error) {
		return db.Register(ctx, models.Actor{}, to(in))
	})
	if err != nil {
		return inWords(err)
	}
	clinic := inventClinic()
	progress := progressBar(cmd.ErrOrStderr(), clinic.steps(), "Inventing a clinic")
	if err := clinic.store(ctx, db, models.Actor{User: *user}, progress); err != nil {
		_ = progress.Exit()
		if ctx.Err() != nil {
			return errors.New("stopped: a part of the clinic is in the database already")
		}
		return inWords(err)
	}
	cmd.Printf("The database holds an invented clinic of %d patients and %d doctors.\n", len(clinic.patients), len(clinic.doctors))
	cmd.Printf("Sign in as\n  username: %s\n  password: %s\nfor demonstration only: everybody knows this password.\n", user.Username, demoPassword)
	return openDemoStaff(cmd, db)
}

// openDemoStaff opens a staff account. It sees all patients, also those who are added later, so nobody may know its
// password but who reads it now.
func openDemoStaff(cmd *cobra.Command, db *models.DB) error {
	password := rand.Text()
	staff, err := openFirstFree("demo-staff", password, func(in models.Registration) (*models.User, error) {
		return db.CreateAdmin(cmd.Context(), in)
	})
	if err != nil {
		return inWords(err)
	}
	cmd.Printf("Or as staff\n  username: %s\n  password: %s\nwhich is shown only now (healthcare changepassword sets another).\n", staff.Username, password)
	cmd.Println("Next: start the server, unless it runs, and open its pages /console and /docs. The walkthrough in README.md shows what one can do.")
	return nil
}

// openFirstFree opens the account with this name, say demo, or the first of demo2, demo3, … that is free.
func openFirstFree(name, password string, open func(models.Registration) (*models.User, error)) (*models.User, error) {
	for n := 1; ; n++ {
		username := name
		if n > 1 {
			username = fmt.Sprintf("%s%d", name, n)
		}
		user, err := open(models.Registration{Password: password, UserFields: models.UserFields{
			Username:      username,
			ProfileFields: models.ProfileFields{Email: username + "@example.org", FirstName: "Demo", LastName: "Account"},
		}})
		var refused *apierror.Error
		if !errors.As(err, &refused) || refused.Fields["username"] == nil && refused.Fields["email"] == nil {
			return user, err
		}
	}
}

// to makes a change whose outcome is value.
func to[T any](value T) models.Bind[T] {
	return func(in *T) apierror.Fields { *in = value; return apierror.Fields{} }
}

// progressBar shows itself on terminals only.
func progressBar(w io.Writer, steps int, what string) *progressbar.ProgressBar {
	_, visible := terminal(w)
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetVisibility(visible),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)
}

// steps is how many writes store makes.
func (c demoClinic) steps() int {
	n := len(c.doctors)
	for _, p := range c.patients {
		n += 1 + len(p.doctors)
		if p.review != "" {
			n++
		}
		if p.discharged {
			n++
		}
	}
	return n
}

// store writes the clinic in the order in which it would have come about: doctors, patients with their assignments,
// then what happened to them.
func (c demoClinic) store(ctx context.Context, db *models.DB, by models.Actor, progress *progressbar.ProgressBar) error {
	doctors := make([]int64, len(c.doctors))
	for i, fields := range c.doctors {
		fields.LicenseNumber = fmt.Sprintf("%s-%d", strings.ToUpper(by.Username), 7001+i)
		doctor, err := db.CreateDoctor(ctx, by, to(fields))
		if err != nil {
			return err
		}
		doctors[i] = doctor.ID
		_ = progress.Add(1)
	}
	patients := make([]int64, len(c.patients))
	lastMapping := make([]int64, len(c.patients))
	for i, p := range c.patients {
		p.Identifiers = models.Identifiers{{System: "urn:clinic:file", Value: fmt.Sprintf("%s-%04d", strings.ToUpper(by.Username), i+1)}}
		patient, err := db.CreatePatient(ctx, by, to(p.PatientFields))
		if err != nil {
			return err
		}
		patients[i] = patient.ID
		for _, d := range p.doctors {
			mapping, err := db.Assign(ctx, by, to(models.MappingFields{PatientID: patient.ID, DoctorID: doctors[d]}))
			if err != nil {
				return err
			}
			lastMapping[i] = mapping.ID
		}
		_ = progress.Add(1 + len(p.doctors))
	}
	for i, p := range c.patients {
		if p.review != "" {
			add := func(in *models.PatientUpdate) apierror.Fields {
				in.MedicalHistory += "\n" + p.review
				return apierror.Fields{}
			}
			if _, err := db.UpdatePatient(ctx, by, patients[i], add); err != nil {
				return err
			}
			_ = progress.Add(1)
		}
		if p.discharged {
			if err := db.Unassign(ctx, by, lastMapping[i]); err != nil {
				return err
			}
			_ = progress.Add(1)
		}
	}
	return nil
}
