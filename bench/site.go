//go:build programs

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// site is one server on a database of one size, with the accounts that ask.
type site struct {
	size
	owners
	db       *database
	server   *server
	startUps []time.Duration
	few      account // owns 1,000 of the seeded patients, or all in a small database
	many     account // owns a tenth of a large database
	writer   account // creates and updates its own, so that the other lists stay as they are
	staff    account
}

// account is one that asks, with its access token.
type account struct {
	id    int64
	name  string
	token string
	owns  int     // of the seeded patients
	ids   []int64 // of patients that the writer changes
}

const password = "correct horse battery staple"

// openSite makes and fills a database and starts the server on it. The accounts are made through the API, on an empty
// database, because only the product knows how it hashes passwords.
func openSite(ctx context.Context, o *options, kind string, patients int) (*site, error) {
	db, err := newDatabase(ctx, kind, o.dir)
	if err != nil {
		return nil, err
	}
	s := &site{size: sizeOf(patients), db: db}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.close(o))
	}
	began := time.Now()
	if err := s.fill(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("filling the database: %w", err), s.close(o))
	}
	logf("%s: %s patients seeded in %.0f s", kind, thousands(patients), time.Since(began).Seconds())
	for range o.starts {
		if err := errors.Join(s.server.stop(), s.start(ctx, o)); err != nil {
			return nil, errors.Join(err, s.close(o))
		}
		s.startUps = append(s.startUps, s.server.startUp)
	}
	if err = s.waitSealed(ctx); err == nil {
		err = s.logIn(ctx)
	}
	if err == nil {
		err = s.prepareWriter(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close(o))
	}
	return s, nil
}

func (s *site) start(ctx context.Context, o *options) (err error) {
	s.server, err = startServer(ctx, o.binary, o.dir, s.db.url, o.env...)
	return err
}

func (s *site) close(o *options) error {
	var err error
	if s.server != nil {
		err = s.server.stop()
	}
	err = errors.Join(err, s.db.Close())
	if o.keep {
		logf("kept: %s", s.db.url)
		return err
	}
	return errors.Join(err, s.db.drop(context.Background()))
}

// fill registers the accounts and inserts the rest.
func (s *site) fill(ctx context.Context) error {
	c, err := dial(ctx, s.server.address)
	if err != nil {
		return err
	}
	defer c.close()
	for _, a := range []struct {
		*account
		name string
	}{{&s.few, "few"}, {&s.many, "many"}, {&s.writer, "writer"}, {&s.staff, "staff"}} {
		a.account.name = a.name
		answer, err := c.must(newRequest("POST", "/api/auth/register/", "", encode(map[string]any{
			"username": a.name, "email": a.name + "@example.org", "password": password}), 201))
		if err != nil {
			return err
		}
		var said struct{ User struct{ ID int64 } }
		if err := json.Unmarshal(answer.body, &said); err != nil {
			return err
		}
		a.id = said.User.ID
	}
	if s.owners, err = s.others(ctx); err != nil {
		return err
	}
	seeds := seeds{s.size, s.owners, time.Now().UTC().Truncate(time.Second).Add(-24 * time.Hour)}
	for n := range s.patients {
		switch s.of(s.size, n+1) {
		case s.few.id:
			s.few.owns++
		case s.many.id:
			s.many.owns++
		}
	}
	return s.db.fill(ctx, seeds.tables())
}

// others makes the accounts that own the rest, straight in the database, with a password hash of one that registered.
func (s *site) others(ctx context.Context) (owners, error) {
	o := owners{few: s.few.id, many: s.many.id}
	if _, err := s.db.ExecContext(ctx, "UPDATE users SET is_staff = true WHERE id = $1", s.staff.id); err != nil {
		return o, err
	}
	if !s.isLarge() {
		return o, nil
	}
	for n := range s.patients / 1000 {
		name := fmt.Sprintf("other%d", n)
		_, err := s.db.ExecContext(ctx, `INSERT INTO users (username, email, first_name, last_name, username_key, email_key, search_text,
			password_hash, is_staff, is_active, created_at, updated_at)
			SELECT $1, $2, '', '', $1, $2, $2, password_hash, false, true, created_at, updated_at FROM users WHERE id = $3`,
			name, name+"@example.org", s.few.id)
		if err != nil {
			return o, err
		}
		o.others = append(o.others, 0)
		if err := s.db.QueryRowContext(ctx, "SELECT id FROM users WHERE username_key = $1", name).Scan(&o.others[n]); err != nil {
			return o, err
		}
	}
	return o, nil
}

// waitSealed waits until the server has sealed the seeded events, which it does once, in the background.
func (s *site) waitSealed(ctx context.Context) error {
	for range 600 {
		var done bool
		err := s.db.QueryRowContext(ctx, "SELECT coalesce((SELECT max(last_id) FROM seals), 0) >= (SELECT max(id) FROM events)").Scan(&done)
		if err != nil || done {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the seeded events were not sealed within ten minutes")
}

func (s *site) logIn(ctx context.Context) error {
	c, err := dial(ctx, s.server.address)
	if err != nil {
		return err
	}
	defer c.close()
	for _, a := range []*account{&s.few, &s.many, &s.writer, &s.staff} {
		answer, err := c.must(loginRequest(a.name))
		if err != nil {
			return err
		}
		var said struct{ Access string }
		if err := json.Unmarshal(answer.body, &said); err != nil {
			return err
		}
		a.token = said.Access
	}
	return nil
}

// prepareWriter creates what the writer will change.
func (s *site) prepareWriter(ctx context.Context) error {
	c, err := dial(ctx, s.server.address)
	if err != nil {
		return err
	}
	defer c.close()
	for range 100 {
		answer, err := c.must(newRequest("POST", "/api/patients/", s.writer.token, encode(map[string]any{"name": "Ada Byron"}), 201))
		if err != nil {
			return err
		}
		var said struct{ ID int64 }
		if err := json.Unmarshal(answer.body, &said); err != nil {
			return err
		}
		s.writer.ids = append(s.writer.ids, said.ID)
	}
	return nil
}

func loginRequest(name string) request {
	return newRequest("POST", "/api/auth/login/", "", encode(map[string]any{"username": name, "password": password}), 200)
}

func encode(v any) []byte {
	text, _ := json.Marshal(v) // of strings and numbers: cannot fail
	return text
}
