package models

import (
	"context"
	_ "embed" // the list of common passwords
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/timing"
)

// passwords hashes with argon2id, no more at once than there are cores to spare: each hash takes HashMemory and a
// core for some 40 ms.
type passwords struct {
	queued atomic.Int64 // that wait for a slot
	slots  chan struct{}
	params argon2id.Params
	min    int    // characters
	decoy  string // compared for a user that does not exist, so that this takes as long
}

// newPasswords takes the passes and lanes that OWASP's Password Storage Cheat Sheet gives for 19 MiB.
func newPasswords(cfg *config.Config) *passwords {
	p := &passwords{
		slots:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		params: argon2id.Params{Memory: cfg.HashMemory, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		min:    cfg.MinPassword,
	}
	p.decoy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.params.Memory, p.params.Iterations,
		p.params.Parallelism, strings.Repeat("A", 22), strings.Repeat("A", 43))
	return p
}

func (p *passwords) slot(ctx context.Context) (release func(), err error) {
	spent, began := timing.Of(ctx), time.Now()
	p.queued.Add(1)
	defer func() { p.queued.Add(-1); spent.Waited(began) }()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, apierror.NewUnavailable(apierror.Shed, 2, "Too many logins at once. Try again soon.")
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

// matches takes the same time whether or not there is a hash; an empty one never matches.
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

// renewed is a new hash of a password whose hash was made with other parameters, else "".
func (p *passwords) renewed(ctx context.Context, password, hash string) (string, error) {
	if params, _, _, err := argon2id.DecodeHash(hash); err == nil && *params == p.params {
		return "", nil
	}
	return p.hash(ctx, password)
}

const maxPassword = 128 // characters

// weaknesses tells why a password is refused: Django's four validators, in its words.
func (p *passwords) weaknesses(password string, u UserFields) []string {
	var messages []string
	length := utf8.RuneCountInString(password)
	if length < p.min {
		messages = append(messages, "This password is too short. It must contain at least "+strconv.Itoa(p.min)+" characters.")
	}
	if length > maxPassword {
		return append(messages, "This password is too long. It must contain at most "+strconv.Itoa(maxPassword)+" characters.")
	}
	for _, about := range []struct{ name, value string }{
		{"username", u.Username}, {"email address", u.Email}, {"first name", u.FirstName}, {"last name", u.LastName},
	} {
		if similar(password, about.value) {
			messages = append(messages, "The password is too similar to the "+about.name+".")
		}
	}
	if commonPasswords()[strings.ToLower(strings.TrimSpace(password))] {
		messages = append(messages, "This password is too common.")
	}
	if length > 0 && strings.IndexFunc(password, func(r rune) bool { return !unicode.IsDigit(r) }) < 0 {
		messages = append(messages, "This password is entirely numeric.")
	}
	return messages
}

// commonPasswordList holds the passwords of eight characters or more (no shorter one is ever allowed) among the
// 20,000 that Django refuses: Royce Williams's list of those seen most often in breaches,
// https://gist.github.com/roycewilliams/281ce539915a947a23db17137d91aeb7.
//
//go:embed common_passwords.txt
var commonPasswordList string

var commonPasswords = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(commonPasswordList) {
		set[strings.TrimSpace(line)] = true
	}
	return set
})

var notWord = regexp.MustCompile(`[^\pL\pN_]+`)

// similar is Django's measure: of the value and of each word in it, whether 70 % of the characters of both are shared.
func similar(password, value string) bool {
	password, value = Fold(password), Fold(value)
	for _, part := range append(notWord.Split(value, -1), value) {
		if part == "" || len(password) >= 10*len(part) {
			continue
		}
		left := map[rune]int{}
		for _, r := range part {
			left[r]++
		}
		shared := 0
		for _, r := range password {
			if left[r] > 0 {
				left[r]--
				shared++
			}
		}
		if 2*float64(shared) >= 0.7*float64(utf8.RuneCountInString(password)+utf8.RuneCountInString(part)) {
			return true
		}
	}
	return false
}
