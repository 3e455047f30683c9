package fhir

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What an import may leave out of a resource that would else be refused. All else refuses it: what says that somebody is
// dead, is not active any more or is another's record (deceased, active, link), what changes the meaning of the rest
// (modifierExtension, implicitRules), what is no FHIR, and what the server keeps but cannot keep as it is.
var (
	// elements say more than this server keeps, and nothing about what it keeps.
	elements = regexp.MustCompile(`^(Patient\.(contained|maritalStatus|multipleBirth(Boolean|Integer)|photo|contact|communication|generalPractitioner|managingOrganization)` +
		`|Practitioner\.(contained|address|gender|birthDate|photo|communication|qualification\[0\]\.(identifier|issuer|code\.coding))` +
		`|\w+\.extension\[\d+\]|\w+\._(birthDate|gender|language|multipleBirthBoolean|multipleBirthInteger)` +
		`|\w+\.(meta|identifier|name|telecom|address|qualification)\b.*\.(extension|_\w+))$`)
	// entries of lists are not kept because of one of their parts: an old address, a fax number.
	entries = regexp.MustCompile(`^\w+\.(identifier|name|telecom|address|qualification)\[\d+\]\.(use|system|value|period)$`)
	// others are entries of lists of which this server keeps one.
	others = regexp.MustCompile(`^\w+\.(identifier|name|telecom|address|qualification)\[\d+\]$`)
)

// mostRounds is how often a resource is read: each round leaves out what it can, and then there may be more to see.
const mostRounds = 50

// Take reads a resource of a file. Lenient, it leaves out what it may of what would refuse the resource, as if it had never
// been sent. Left are the places of all that is not stored, those of lists without their numbers.
func (r *Read[F]) Take(lenient bool) (fields F, left []string, wrong Issues) {
	for range mostRounds {
		var into F
		cut := r.leave(r.bind(r.whole, &into).wrong)
		if !lenient || len(cut) == 0 {
			break
		}
		for _, at := range cut {
			mark(r.whole, at)
			left = append(left, plural(at))
		}
		sweep(r.whole)
	}
	bind := r.Bind()
	_ = errors.As(r.Issues(bind.Validated(&fields).Err()), &wrong)
	for _, one := range r.warnings {
		left = append(left, plural(one.At))
	}
	return fields, left, wrong
}

// leave chooses what is left out next. Old and foreign entries of a list go first, so that one of the others is kept.
func (r *Read[F]) leave(wrong Issues) []string {
	cut, also := map[string]bool{}, map[string]bool{}
	for _, one := range wrong {
		switch {
		case !one.Refused:
		case entries.MatchString(one.At) && (!strings.HasSuffix(one.At, ".period") || hasEnd(r.whole, one.At)):
			cut[one.At[:strings.LastIndex(one.At, ".")]] = true
		case entries.MatchString(one.At), elements.MatchString(one.At): // a period without an end holds now
			cut[one.At] = true
		case others.MatchString(one.At):
			also[one.At] = true
		}
	}
	if len(cut) == 0 {
		cut = also
	}
	return slices.Sorted(maps.Keys(cut))
}

var numbers = regexp.MustCompile(`\[\d+\]`)

// plural is a place in any resource: Patient.name[…] of an entry, Patient.name.use of a part of one.
func plural(at string) string {
	if strings.HasSuffix(at, "]") {
		return numbers.ReplaceAllString(at[:strings.LastIndex(at, "[")], "") + "[…]"
	}
	return numbers.ReplaceAllString(at, "")
}

// at goes to what holds the value at a place such as Patient.name[0].use, and tells under which name or number.
func at(whole object, place string) (holder any, step string) {
	steps := strings.FieldsFunc(place, func(r rune) bool { return strings.ContainsRune(".[]", r) })[1:]
	holder = whole
	for _, step := range steps[:len(steps)-1] {
		holder = child(holder, step)
	}
	return holder, steps[len(steps)-1]
}

func child(of any, step string) any {
	switch v := of.(type) {
	case object:
		return v[step]
	case []any:
		if n, err := strconv.Atoi(step); err == nil && n < len(v) {
			return v[n]
		}
	}
	return nil
}

// hasEnd tells whether the period at a place ends.
func hasEnd(whole object, place string) bool {
	holder, step := at(whole, place)
	period, ok := child(holder, step).(object)
	return !ok || period["end"] != nil || period["_end"] != nil
}

// cutOut stands where something was left out, so that the numbers of the others stay until all is marked.
type cutOut struct{}

func mark(whole object, place string) {
	holder, step := at(whole, place)
	switch v := holder.(type) {
	case object:
		v[step] = cutOut{}
	case []any:
		if n, err := strconv.Atoi(step); err == nil && n < len(v) {
			v[n] = cutOut{}
		}
	}
}

// sweep takes out what was marked, and what it leaves empty.
func sweep(value any) any {
	switch v := value.(type) {
	case object:
		for name, one := range v {
			if v[name] = sweep(one); v[name] == (cutOut{}) {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return cutOut{}
		}
	case []any:
		kept := v[:0:0]
		for _, one := range v {
			if one = sweep(one); one != (cutOut{}) {
				kept = append(kept, one)
			}
		}
		if len(kept) == 0 {
			return cutOut{}
		}
		return kept
	}
	return value
}

// Place is where a field of /api stands in a resource of a type.
func Place(kind, field string) string {
	places := patients.places()
	if kind == practitioners.name {
		places = practitioners.places()
	}
	if place, ok := places[field]; ok {
		return place
	}
	return kind
}
