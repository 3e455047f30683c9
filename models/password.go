package models

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"healthcare/config"
)

// owasp are the parameters that the OWASP Password Storage Cheat Sheet gives for argon2id: 19 MiB, 2 passes, 1 lane.
var owasp = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// passwords hashes, no more at once than the machine has cores to spare: each hash takes 19 MiB and a core.
type passwords struct {
	slots  chan struct{}
	params argon2id.Params
	min    int    // characters
	decoy  string // checked for a user that does not exist, so that this takes as long
}

func newPasswords(cfg *config.Config) *passwords {
	p := &passwords{params: owasp, min: cfg.MinPassword}
	p.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))
	p.params.Memory = cfg.HashMemory
	p.decoy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.params.Memory, p.params.Iterations,
		p.params.Parallelism, strings.Repeat("A", 22), strings.Repeat("A", 43))
	return p
}

func (p *passwords) slot(ctx context.Context) (release func(), err error) {
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, &Error{Code: Unavailable, Detail: "Too many logins at once. Try again soon.", RetryAfter: 2}
	}
}

func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	release, err := p.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, &p.params)
}

// matches compares in the same time whether or not there is a hash; an empty one never matches.
func (p *passwords) matches(ctx context.Context, password, hash string) (bool, error) {
	release, err := p.slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, p.decoy)
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

const maxPassword = 128 // characters

// weaknesses tells why a password is refused, in the words of Django's validators.
func (p *passwords) weaknesses(password string, u UserFields) []string {
	var says []string
	length := utf8.RuneCountInString(password)
	if length < p.min {
		says = append(says, "This password is too short. It must contain at least "+itoa(p.min)+" characters.")
	}
	if length > maxPassword {
		says = append(says, "This password is too long. It must contain at most "+itoa(maxPassword)+" characters.")
	}
	for _, about := range []struct{ name, value string }{{"username", u.Username}, {"email", u.Email}} {
		if similar(password, about.value) {
			says = append(says, "The password is too similar to the "+about.name+".")
		}
	}
	if length > 0 && strings.IndexFunc(password, func(r rune) bool { return !unicode.IsDigit(r) }) < 0 {
		says = append(says, "This password is entirely numeric.")
	}
	return says
}

// similar: one holds the other, regardless of case; of an e-mail address, the part before the @ counts too.
func similar(password, value string) bool {
	password, value = Fold(password), Fold(value)
	local, _, _ := strings.Cut(value, "@")
	for _, v := range []string{value, local} {
		if utf8.RuneCountInString(v) >= 3 && (strings.Contains(password, v) && 2*len(v) >= len(password) || password != "" && strings.Contains(v, password)) {
			return true
		}
	}
	return false
}
