package models

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// MatchFields are what is known of a person who may be a patient already.
type MatchFields struct {
	Name        string      `json:"name" validate:"max=255"`
	DateOfBirth Date        `json:"date_of_birth" validate:"omitempty,born"`
	Gender      string      `json:"gender" validate:"omitempty,oneof=male female other unknown"`
	Phone       string      `json:"phone" validate:"max=32,phone"`
	Email       string      `json:"email" validate:"omitempty,max=254,visible,email"`
	Identifiers Identifiers `json:"identifiers" validate:"max=20,unique,dive"`
}

func (m *MatchFields) normalize() { m.Identifiers = m.Identifiers.normalized() }

// Candidate is a patient who may be the person.
type Candidate struct {
	Patient Patient `json:"patient"`
	Likeness
}

// Candidates is the answer to a match, the likeliest first.
type Candidates struct {
	Results []Candidate `json:"results"`
}

// The limits of a match: so many rows for each of its searches, and so many candidates.
const (
	matchRows     = 100
	maxCandidates = 10
)

// Match finds the patients that the actor may see and that may be a person.
func (db *DB) Match(ctx context.Context, by Actor, bind Bind[MatchFields]) (*Candidates, error) {
	known, err := bind.Read()
	if err != nil {
		return nil, err
	}
	if known.Name == "" && known.DateOfBirth == "" && known.Phone == "" && known.Email == "" && len(known.Identifiers) == 0 {
		return nil, apierror.Fields{"name": {"Give a name, a birth date, a phone number, an e-mail or an identifier."}}.Err()
	}
	found, err := db.match(ctx, by, &known)
	return &Candidates{found}, err
}

// match finds candidates by indexes only: those that share the birth date, an identifier, the phone number, the e-mail or
// the words of the name. If none of these is probably the person, a word of the name may be wrong: then it looks for those
// that have the others and one half of it. The audit trail tells whom it showed.
func (db *DB) match(ctx context.Context, by Actor, known *MatchFields) ([]Candidate, error) {
	m := matching{db: db, ctx: ctx, by: by, known: known, found: map[int64]Candidate{}}
	err := m.lookUp()
	if err == nil && m.best() < probablySame {
		err = m.searchAll(halved(nameWords(known.Name)))
	}
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	likely := []Candidate{}
	for _, c := range m.found {
		if c.Score >= leastLikeness {
			likely = append(likely, c)
		}
	}
	slices.SortFunc(likely, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Patient.ID, b.Patient.ID))
	})
	likely = likely[:min(len(likely), maxCandidates)]
	e := by.event(now(), ActionRead, Subject{Object: objectPatient})
	e.PatientIDs = IDs{}
	for _, c := range likely {
		e.PatientIDs = append(e.PatientIDs, c.Patient.ID)
	}
	return likely, db.audit(e, nil)
}

// matching is one match while it runs.
type matching struct {
	db    *DB
	ctx   context.Context //nolint:containedctx // of this one request
	by    Actor
	known *MatchFields
	found map[int64]Candidate
}

func (m *matching) add(patients []Patient) {
	for i := range patients {
		p := &patients[i]
		m.found[p.ID] = Candidate{*p, likeness(p, m.known)}
	}
}

func (m *matching) best() (score int) {
	for _, c := range m.found {
		score = max(score, c.Score)
	}
	return score
}

// lookUp adds those that share something whole.
func (m *matching) lookUp() error {
	visible := func() *gorm.DB { return m.db.read.WithContext(m.ctx).Scopes(m.by.owns("created_by")).Limit(matchRows) }
	var patients []Patient
	if day := m.known.DateOfBirth; day != "" {
		days := []Date{day, Date(cmp.Or(swappedDay(string(day)), string(day)))}
		if err := visible().Where("date_of_birth IN ?", days).Order("id").Find(&patients).Error; err != nil {
			return err
		}
		m.add(patients)
	}
	if len(m.known.Identifiers) > 0 {
		values := make([]string, len(m.known.Identifiers))
		for i, one := range m.known.Identifiers {
			values[i] = one.Value
		}
		who := m.db.read.WithContext(m.ctx).Model(&PatientIdentifier{}).Where("value IN ?", values).Select("patient_id")
		if err := visible().Where("id IN (?)", who).Order("id").Find(&patients).Error; err != nil {
			return err
		}
		m.add(patients)
	}
	searches := []string{strings.Join(nameWords(m.known.Name), " "), m.known.Email}
	if n := significant(m.known.Phone); n != "" {
		searches = append(searches, n)
	}
	return m.searchAll(searches)
}

// searchAll adds those that lists find by these searches, each of which takes its turn. A search without a word of three
// letters has no index, and is left out.
func (m *matching) searchAll(searches []string) error {
	for _, search := range searches {
		letters := []rune(search) // of a long name, its beginning finds the person too
		words := strings.Fields(string(letters[:min(len(letters), listing.MaxSearchLength)]))
		words = words[:min(len(words), listing.MaxSearchWords)]
		long := func(word string) bool { return len([]rune(word)) >= 3 }
		if !slices.ContainsFunc(words, long) {
			continue
		}
		values := url.Values{"search": {strings.Join(words, " ")}, "cursor": {""}, "page_size": {strconv.Itoa(matchRows)}}
		page, err := listing.Find[Patient](m.db.read.WithContext(m.ctx), patientList, values, m.db.client(m.by), m.by.owns("patients.created_by"))
		if err != nil {
			return err
		}
		m.add(page.Results)
	}
	return nil
}

// halved are searches for a name of which one word is wrong in one letter. The others are right, and mostly one half of it,
// unless two letters in its middle are exchanged.
func halved(words []string) (searches []string) {
	for i, word := range words[:min(len(words), maxHalved)] {
		letters := []rune(word)
		half := max(3, len(letters)/2)
		if len(letters) < half {
			continue
		}
		rest := slices.Delete(slices.Clone(words), i, i+1)
		for _, part := range []string{string(letters[:half]), string(letters[len(letters)-half:])} {
			searches = append(searches, strings.Join(append(slices.Clone(rest), part), " "))
		}
		searches = append(searches, strings.Join(rest, " "))
	}
	return searches
}

// maxHalved is how many words of a name may be the wrong one.
const maxHalved = 4

// refuseDouble answers who creates a patient with Prefer: handling=strict, if that is probably one already.
func (db *DB) refuseDouble(ctx context.Context, by Actor, bind Bind[PatientFields]) error {
	in, err := bind.Read()
	if err != nil {
		return nil //nolint:nilerr // the creation says so
	}
	known := MatchFields{in.Name, in.DateOfBirth, in.Gender, in.Phone, in.Email, in.Identifiers}
	found, err := db.match(ctx, by, &known)
	if err != nil {
		return err
	}
	probable := slices.DeleteFunc(found, func(c Candidate) bool { return c.Score < probablySame })
	if len(probable) == 0 {
		return nil
	}
	return &apierror.Error{Code: apierror.PossibleDuplicate, Detail: "This is probably a patient already. Create it without Prefer: handling=strict if it is not.", Candidates: probable}
}
