package fhir

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"healthcare/models"
)

// parameter is what a search can ask for. Condition makes it of one value; the modifier is one of modifiers, or "".
type parameter struct {
	name      string
	kind      string // string, token, date or reference
	modifiers []string
	says      string // for the CapabilityStatement
	column    string // for :missing
	cost      int    // how many values one counts as, if it is dear: see mostValues
	condition func(s *searching, at, modifier, value string) models.Condition
}

// Search is a search that was understood.
type Search struct {
	Where    models.Condition
	Selects  bool   // it asks for some, not for all
	Count    int    // rows of a page; 0 for none
	Sort     string // the ordering of /api
	Cursor   string
	Total    bool // somebody wants to know how many there are
	Summary  string
	Elements []string
	Used     url.Values // what was used of what was asked
	Warnings Issues     // of handling=lenient
}

type searching struct {
	address string // of /fhir
	wrong   Issues
	values  int // that were asked for so far
}

func (s *searching) invalid(at, says string) models.Condition {
	s.wrong = append(s.wrong, Issue{Code: "invalid", At: "", Says: at + ": " + says})
	return models.Never
}

const (
	mostParameters = 50  // of one search, each as often as it is there
	mostValues     = 200 // of one search, of all its parameters
	usualCount     = 20
	mostCount      = 100
)

// sorts are what _sort may name, by type, and the ordering of /api. A "-" before it turns it round.
var sorts = map[string]map[string]string{
	"Patient":      {"name": "name", "_lastUpdated": "updated_at"},
	"Practitioner": {"name": "name", "_lastUpdated": "updated_at"},
	"AuditEvent":   {"date": "created_at"},
}

// results are the parameters that say what is shown of what is found.
var results = []string{"_count", "_sort", "_total", "_summary", "_elements", "_format", "_cursor", "_pretty"}

// ParseSearch reads the parameters of a search. Address is that of /fhir, with which a reference may begin. Lenient leaves out
// parameters that there are not.
func ParseSearch(address, kind string, values url.Values, lenient bool) (*Search, error) {
	found := &Search{Count: usualCount, Total: kind != "AuditEvent", Used: url.Values{}} // to count a whole trail takes long
	s := &searching{address: address}
	var all []models.Condition
	asked := 0
	for _, all := range values {
		asked += len(all)
	}
	if asked > mostParameters {
		s.invalid("search", "Use no more than "+strconv.Itoa(mostParameters)+" parameters.")
		return nil, s.wrong.Err()
	}
	for _, name := range sortedNames(values) {
		if slices.Contains(results, name) {
			s.result(found, kind, name, values[name])
			continue
		}
		base, modifier, _ := strings.Cut(name, ":")
		i := slices.IndexFunc(parameters[kind], func(p parameter) bool { return p.name == base })
		if i < 0 {
			if lenient {
				found.Warnings = append(found.Warnings, Issue{Code: "not-supported", Says: name + ": There is no such parameter. It was left out."})
				continue
			}
			s.invalid(name, "There is no such parameter.")
			continue
		}
		p := parameters[kind][i]
		if modifier != "" && !slices.Contains(p.modifiers, modifier) {
			s.invalid(name, "There is no such modifier here.")
			continue
		}
		for _, value := range values[name] {
			if value == "" {
				continue // as if it were not there
			}
			found.Used.Add(name, value)
			all = append(all, s.parameter(p, name, modifier, value))
		}
	}
	found.Where, found.Selects = models.AllOf(all...), len(all) > 0
	found.Total = found.Total || found.Count == 0
	return found, s.wrong.Err()
}

// ParseHistory reads the parameters of a history, and before which of its entries the page begins; 0 is the newest.
func ParseHistory(values url.Values) (found *Search, before int64, err error) {
	if found, err = ParseSearch("", "", values, false); err != nil {
		return nil, 0, err
	}
	s := &searching{}
	if found.Count == 0 {
		s.invalid("_count", "Use a whole number from 1.")
	}
	if before = number(found.Cursor); before == 0 && found.Cursor != "" {
		s.invalid("_cursor", "This is none of this server's.")
	}
	return found, before, s.wrong.Err()
}

func sortedNames(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parameter is the condition of one parameter: any of its values.
func (s *searching) parameter(p parameter, name, modifier, value string) models.Condition {
	if modifier == "missing" {
		switch value {
		case "true":
			return models.IsEmpty(p.column)
		case "false":
			return models.Not(models.IsEmpty(p.column))
		}
		return s.invalid(name, "Use true or false.")
	}
	texts := split(value, ',')
	if s.values += len(texts) * max(1, p.cost); s.values > mostValues {
		return s.invalid(name, "Use no more than "+strconv.Itoa(mostValues)+" values in a search; an address counts as ten.")
	}
	var all []models.Condition
	for _, text := range texts {
		if text == "" {
			return s.invalid(name, "A value is empty.")
		}
		if strings.ContainsRune(text, 0) || len(text) > 1000 {
			return s.invalid(name, "This value cannot be searched for.")
		}
		all = append(all, p.condition(s, name, modifier, text))
	}
	return models.AnyOf(all...)
}

// split parts a text at a sign that no backslash is before. The backslashes stay, see unescaped.
func split(text string, at rune) (all []string) {
	var one strings.Builder
	escaped := false
	for _, r := range text {
		if r == at && !escaped {
			all = append(all, one.String())
			one.Reset()
			continue
		}
		escaped = r == '\\' && !escaped
		one.WriteRune(r)
	}
	return append(all, one.String())
}

var escapes = strings.NewReplacer(`\\`, `\`, `\,`, `,`, `\|`, `|`, `\$`, `$`)

func unescaped(text string) string { return escapes.Replace(text) }

// result reads a parameter that says what is shown. The last one counts.
func (s *searching) result(found *Search, kind, name string, values []string) {
	value := values[len(values)-1]
	if value == "" {
		return
	}
	if name != "_cursor" && name != "_pretty" {
		found.Used.Set(name, value)
	}
	switch name {
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			s.invalid(name, "Use a whole number from 0.")
		}
		found.Count = min(n, mostCount)
		found.Used.Set(name, strconv.Itoa(found.Count))
	case "_sort":
		found.Sort = s.ordering(kind, value)
	case "_total":
		s.oneOf(name, value, "none", "estimate", "accurate")
		found.Total = value != "none"
	case "_summary":
		s.oneOf(name, value, "true", "text", "data", "count", "false")
		if found.Summary = value; value == "count" {
			found.Count = 0
		}
	case "_elements":
		found.Elements = strings.Split(value, ",")
	case "_cursor":
		found.Cursor = value
	}
}

func (s *searching) oneOf(name, value string, set ...string) {
	if !slices.Contains(set, value) {
		s.invalid(name, "Use one of: "+strings.Join(set, ", ")+".")
	}
}

// ordering is the ordering of /api that a value of _sort means.
func (s *searching) ordering(kind, value string) string {
	by, down := strings.CutPrefix(value, "-")
	ordering, ok := sorts[kind][by]
	if !ok {
		s.invalid("_sort", "This cannot be sorted by. What can: "+joined(", ", slices.Sorted(maps.Keys(sorts[kind]))...)+".")
	}
	if down {
		return "-" + ordering
	}
	return ordering
}

// token is the system and the code of a token. anySystem is true of a code alone.
func token(text string) (system, code string, anySystem bool) {
	all := split(text, '|')
	if len(all) == 1 {
		return "", unescaped(text), true
	}
	return unescaped(all[0]), unescaped(strings.Join(all[1:], "|")), false
}

var dateValue = regexp.MustCompile(`^(eq|ne|gt|lt|ge|le|sa|eb)?(\d{4})(-\d\d)?(-\d\d)?(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$`)

// interval reads a date of a search: it means all of its year, month, day, minute or second.
func interval(text string) (prefix string, from, until time.Time, ok bool) {
	found := dateValue.FindStringSubmatch(text)
	if len(found) == 0 || found[4] == "" && found[5] != "" || found[3] == "" && found[4] != "" {
		return "", from, until, false
	}
	if prefix = found[1]; prefix == "" {
		prefix = "eq"
	}
	layout, next := precision(found[3], found[4], found[5], found[6], found[7], found[8])
	from, err := time.Parse(layout, strings.TrimPrefix(text, found[1]))
	from = from.UTC()
	return prefix, from, next(from), err == nil && from.Year() > 0 && from.Year() < 9999
}

// precision is how a date is written of which some parts are given, and when what it means has ended.
func precision(month, day, clock, seconds, fraction, zone string) (layout string, end func(time.Time) time.Time) {
	switch {
	case fraction != "": // which time.Parse takes without a layout
		step := time.Second
		for range len(fraction) - 1 {
			step /= 10
		}
		layout, end = "2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(max(step, time.Microsecond)) }
	case seconds != "":
		layout, end = "2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }
	case clock != "":
		layout, end = "2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }
	case day != "":
		return "2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	case month != "":
		return "2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	default:
		return "2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }
	}
	if zone != "" {
		layout += "Z07:00"
	}
	return layout, end
}

// within is a condition of a column that holds points in time, or days: value makes it what the column is compared with.
func within(column, prefix string, from, until any) models.Condition {
	switch prefix {
	case "ne":
		return models.AnyOf(models.Compares(column, "<", from), models.Compares(column, ">=", until))
	case "gt", "sa":
		return models.Compares(column, ">=", until)
	case "lt", "eb":
		return models.Compares(column, "<", from)
	case "ge":
		return models.Compares(column, ">=", from)
	case "le":
		return models.Compares(column, "<", until)
	}
	return models.AllOf(models.Compares(column, ">=", from), models.Compares(column, "<", until))
}

func byID(column string) func(*searching, string, string, string) models.Condition {
	return func(_ *searching, _, _, value string) models.Condition {
		if id := number(value); id != 0 {
			return models.IsOneOf(column, id)
		}
		return models.Never
	}
}

var plainNumber = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)

// number is the number that an id is; 0 for what is none of ours.
func number(id string) int64 {
	if !plainNumber.MatchString(id) {
		return 0
	}
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

func byTime(column string) func(*searching, string, string, string) models.Condition {
	return func(s *searching, at, _, value string) models.Condition {
		prefix, from, until, ok := interval(value)
		if !ok {
			return s.invalid(at, "Write a date or a time, such as 2026, 2026-11, ge2026-11-24 or lt2026-11-24T10:30:00Z.")
		}
		return within(column, prefix, from, until)
	}
}

func byDay(column string) func(*searching, string, string, string) models.Condition {
	return func(s *searching, at, _, value string) models.Condition {
		prefix, from, until, ok := interval(value)
		if !ok || strings.Contains(value, "T") {
			return s.invalid(at, "Write a day, a month or a year, such as 1958-03-14, ge1958 or lt1958-03.")
		}
		return within(column, prefix, from.Format(time.DateOnly), until.Format(time.DateOnly))
	}
}

func byName(table string) func(*searching, string, string, string) models.Condition {
	return func(_ *searching, _, modifier, value string) models.Condition {
		value = unescaped(value)
		switch modifier {
		case "exact":
			return models.IsOneOf(table+".name", value)
		case "contains":
			return models.NameContains(table, value)
		}
		return models.NameBegins(table, value)
	}
}

// byPoint finds a phone number or an e-mail address, alone or as system|value.
func byPoint(table string, systems ...string) func(*searching, string, string, string) models.Condition {
	return func(_ *searching, _, _, value string) models.Condition {
		system, code, anySystem := token(value)
		var all []models.Condition
		for _, s := range systems {
			switch {
			case !anySystem && s != system:
			case s == "email":
				all = append(all, models.HasEmail(table, code))
			default:
				all = append(all, models.IsOneOf(table+"."+s, code))
			}
		}
		return models.AnyOf(all...)
	}
}

func byActive(s *searching, at, _, value string) models.Condition {
	switch _, code, _ := token(value); code {
	case "true":
		return models.AllOf()
	case "false":
		return models.Never
	}
	return s.invalid(at, "Use true or false.")
}

// byReference finds 1, Patient/1, or the same with this server's address before it, which nobody else's resources have.
func byReference(kind string, condition func(id int64) models.Condition) func(*searching, string, string, string) models.Condition {
	return func(s *searching, _, _, value string) models.Condition {
		value = unescaped(value)
		text, whole := strings.CutPrefix(value, s.address+"/"+kind+"/")
		if !whole {
			text = strings.TrimPrefix(value, kind+"/")
		}
		if id := number(text); id != 0 {
			return condition(id)
		}
		return models.Never
	}
}

// missing is a modifier of what may be left out.
var missing = []string{"missing"}

// parameters are what can be searched for, by type.
var parameters = map[string][]parameter{
	"Patient": {
		{name: "_id", kind: "token", condition: byID("patients.id")},
		{name: "_lastUpdated", kind: "date", condition: byTime("patients.updated_at")},
		{name: "identifier", kind: "token", says: "system|value, a value of any system, or system| for all of it", condition: func(_ *searching, _, _, value string) models.Condition {
			system, code, anySystem := token(value)
			if !anySystem && system == "" || system == "" && code == "" {
				return models.Never // each identifier has a system
			}
			return models.HasIdentifier(system, code)
		}},
		{name: "name", kind: "string", modifiers: []string{"exact", "contains"}, condition: byName("patients")},
		{name: "birthdate", kind: "date", modifiers: missing, column: "patients.date_of_birth", condition: byDay("patients.date_of_birth")},
		{name: "gender", kind: "token", condition: func(_ *searching, _, _, value string) models.Condition {
			system, code, anySystem := token(value)
			if !anySystem && system != "http://hl7.org/fhir/administrative-gender" {
				return models.Never
			}
			return models.IsOneOf("patients.gender", code)
		}},
		{name: "phone", kind: "token", modifiers: missing, column: "patients.phone", condition: byPoint("patients", "phone")},
		{name: "email", kind: "token", modifiers: missing, column: "patients.email", condition: byPoint("patients", "email")},
		{name: "telecom", kind: "token", condition: byPoint("patients", "phone", "email")},
		{
			name: "address", kind: "string", modifiers: []string{"exact", "contains", "missing"}, column: "patients.address", cost: 10,
			condition: func(_ *searching, _, modifier, value string) models.Condition {
				switch value = unescaped(value); modifier {
				case "exact":
					return models.IsOneOf("patients.address", value)
				case "contains":
					return models.AddressContains(value)
				}
				return models.AddressBegins(value)
			},
		},
		{name: "active", kind: "token", condition: byActive},
	},
	"AuditEvent": {
		{name: "_id", kind: "token", condition: byID("events.id")},
		{name: "patient", kind: "reference", condition: byReference("Patient", models.IsAbout)},
		{name: "date", kind: "date", condition: byTime("events.at")},
		{name: "agent", kind: "reference", says: "the number of an account, as altid", condition: byID("events.user_id")},
		{name: "altid", kind: "token", says: "the number of an account", condition: byID("events.user_id")},
		{name: "action", kind: "token", condition: byAction},
	},
	"CareTeam": {
		{name: "_id", kind: "token", condition: byID("patients.id")},
		{name: "patient", kind: "reference", condition: byReference("Patient", func(id int64) models.Condition { return models.IsOneOf("patients.id", id) })},
		{name: "subject", kind: "reference", condition: byReference("Patient", func(id int64) models.Condition { return models.IsOneOf("patients.id", id) })},
		{name: "participant", kind: "reference", condition: byReference("Practitioner", models.IsMember)},
		{name: "status", kind: "token", condition: func(_ *searching, _, _, value string) models.Condition {
			switch _, code, _ := token(value); code {
			case "active":
				return models.IsMember(0)
			case "inactive":
				return models.Not(models.IsMember(0))
			}
			return models.Never
		}},
	},
	"Practitioner": {
		{name: "_id", kind: "token", condition: byID("doctors.id")},
		{name: "_lastUpdated", kind: "date", condition: byTime("doctors.updated_at")},
		{name: "identifier", kind: "token", modifiers: missing, column: "doctors.license_number", condition: func(_ *searching, _, _, value string) models.Condition {
			system, code, anySystem := token(value)
			if !anySystem && system != LicenseSystem {
				return models.Never
			}
			if code == "" {
				return models.Not(models.IsEmpty("doctors.license_number"))
			}
			return models.HasLicense(code)
		}},
		{name: "name", kind: "string", modifiers: []string{"exact", "contains"}, condition: byName("doctors")},
		{name: "phone", kind: "token", modifiers: missing, column: "doctors.phone", condition: byPoint("doctors", "phone")},
		{name: "email", kind: "token", modifiers: missing, column: "doctors.email", condition: byPoint("doctors", "email")},
		{name: "active", kind: "token", condition: byActive},
	},
}
