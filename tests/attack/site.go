//go:build programs

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// site is a database with the accounts that use it, and those that attack.
type site struct {
	db       *database
	others   []*worker
	accounts map[string]*account
	before   tally // what the others saw while nobody attacked
}

// account is an attacker's.
type account struct {
	token   string
	patient int64 // of its own
}

// The load of the others: so many accounts, workers of each, and patients of each worker at the beginning.
const (
	othersAccounts = 4
	workersOf      = 2
	patientsOf     = 12
	searchedCopies = 12_000
	largestCopies  = 100
)

const password = "a long one for the attackers" //nolint:gosec // of accounts that live for two minutes

// largeName is as long as a name may be, and all of its parts are alike.
var largeName = strings.Repeat("a", 255)

// prepare opens the accounts through the API, and fills the database.
func prepare(ctx context.Context, o *options, db *database) (_ *site, err error) {
	server, err := startServer(ctx, o, db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	s := &site{db: db, accounts: map[string]*account{}}
	for i := range othersAccounts {
		name := fmt.Sprint("others", i)
		token, err := signIn(ctx, server.address, name)
		if err != nil {
			return nil, err
		}
		for n := range workersOf {
			w := newWorker(fmt.Sprint(name, "w", n), token)
			if err := w.prepare(ctx, server.address); err != nil {
				return nil, err
			}
			s.others = append(s.others, w)
		}
	}
	for name, patient := range map[string]string{"pages": "Petra", "bodies": "Petra", "searches": largeName, "hurry": "Petra"} {
		a := &account{}
		if a.token, err = signIn(ctx, server.address, name); err != nil {
			return nil, err
		}
		created, err := must(ctx, newCaller(server.address, a.token), http.MethodPost, "/api/patients/", object{"name": patient}, http.StatusCreated)
		if err != nil {
			return nil, err
		}
		a.patient = created.ID
		s.accounts[name] = a
	}
	largest := s.accounts["pages"].patient
	return s, errors.Join(
		// What JSON spells with six letters for one.
		db.fillTexts(ctx, largest, strings.Repeat("\x01", 1000), strings.Repeat("\x01", 10_000)),
		db.copyPatient(ctx, largest, largestCopies),
		db.copyPatient(ctx, s.accounts["searches"].patient, searchedCopies))
}

// signIn opens an account and logs in.
func signIn(ctx context.Context, address, name string) (token string, err error) {
	c := newCaller(address, "")
	body := object{"username": name, "email": name + "@example.org", "password": password}
	if _, err := must(ctx, c, http.MethodPost, "/api/auth/register/", body, http.StatusCreated); err != nil {
		return "", err
	}
	delete(body, "email")
	in, err := must(ctx, c, http.MethodPost, "/api/auth/login/", body, http.StatusOK)
	return in.Access, err
}
