package tests

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"golang.org/x/text/unicode/norm"

	"healthcare/models"
	"healthcare/tests/kit"
)

// searchSpellings are names with texts that find them, and texts that do not.
var searchSpellings = []struct {
	name  string
	finds []string
	not   []string
}{
	{"Lindström", []string{"lindstrom", "LINDSTRÖM", "lindstro\u0308m", "STROM", "strȯm"}, []string{"lindstroem", "lndstrom"}},
	{"Ingrid Lindstrom", []string{"lindström", "Íngrid"}, nil},
	{"Jörg Weiß", []string{"weiss", "WEISS", "WEIẞ", "jorg weiß", "Weiß, Jörg", "weiss,jorg", "jorg,"}, []string{"joerg", "weisz", "Weiß, Jürg"}},
	{"Søren Ångström", []string{"soren angstrom", "SØREN", "\u212bngstrom"}, []string{"soeren"}},
	{"Łukasz Wałęsa", []string{"lukasz walesa", "łukasz", "WALESA"}, nil},
	{"Ægir Þórðarson", []string{"aegir thordarson", "ægir", "þór"}, []string{"agir"}},
	{"Œuvrard", []string{"oeuvrard"}, nil},
	{"Işık İnönü", []string{"isik inonu", "ISIK INONU", "ışık", "İNÖNÜ", "IŞIK", "işik"}, nil},
	{"Nguyễn Thị Đặng", []string{"nguyen thi dang", "NGUYỄN", "Nguyê\u0303n"}, nil},
	{"Ｌｉｎｄｓｔｒöｍ Ｆｕｌｌ", []string{"lindstrom full", "ＬＩＮＤ"}, nil},
	{"Семён Йодко", []string{"семен", "СЕМЁН", "йодко", "Йодко", "се\u0301мен"}, []string{"иодко"}},
	{"Иодко", []string{"иодко"}, []string{"йодко"}},
	{"Іван Їжак", []string{"їжак", "іжак"}, nil},
	{"Ольга Плющ\u0301", []string{"плющ"}, nil},
	{"Ολυσσεύς ᾌδης", []string{"ολυσσευς", "ΟΛΥΣΣΕΥΣ", "ολυσσεύς", "αιδης", "ΑΙΔΗΣ"}, nil},
	{"أحمد مُحَمَّد", []string{"احمد", "أحمد", "محمد"}, []string{"احمق"}},
	{"שָׁלוֹם", []string{"שלום", "שָׁלוֹם"}, []string{"שלומ"}},
	{"がくと", []string{"がくと", "か\u3099くと"}, []string{"かくと"}},
	{"かくと", []string{"かくと"}, []string{"がくと"}},
	{"ｶﾞｸﾄ", []string{"ガクト", "ｶﾞｸ"}, []string{"カクト"}},
	{"한국", []string{"한국", "\u1112\u1161\u11ab국"}, []string{"하국"}},
	{"कि", []string{"कि"}, []string{"का"}},
	{"O’Brien Müller‑Lü", []string{"o'brien", "o’brien", "muller-lu", "müller‑lü"}, []string{"obrien"}},
	{"ﬁle Ǆ", []string{"file", "ﬁle"}, nil},
	{"ΐ\u0301\u0345x", []string{"ιιx"}, nil},
	{"\u0301alone e\u0301\u0302\u0303", []string{"alone", "e"}, nil},
}

func TestASearchFindsOtherSpellings(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		for _, s := range searchSpellings {
			c.Post(kind.Path, kit.With(kind.Required, "name", s.name)).Expect(http.StatusCreated)
		}
		for _, s := range searchSpellings {
			for _, words := range s.finds {
				assert.Contains(t, found(c, kind.Path, "page_size=100&"+search(words)), s.name, words)
			}
			for _, words := range s.not {
				assert.NotContains(t, found(c, kind.Path, "page_size=100&"+search(words)), s.name, words)
			}
		}
	})
}

func TestASearchFindsABirthDate(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		c.Post("/api/patients/", kit.Object{"name": "Petra Ö", "date_of_birth": "1958-03-14"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", kit.Object{"name": "Paul", "date_of_birth": "1958-04-13", "phone": "14.03.1958"}).Expect(http.StatusCreated)
		c.Post("/api/patients/", kit.Object{"name": "Nobody"}).Expect(http.StatusCreated)
		for words, want := range map[string][]any{
			"1958-03-14": {"Petra Ö"}, "14.03.1958": {"Petra Ö"}, "14.3.1958": {"Petra Ö"}, "１９５８-03-14": {"Petra Ö"}, "o 14.3.1958 PETRA": {"Petra Ö"},
			"1958": {"Paul", "Petra Ö"}, "1958-03": {"Petra Ö"}, "03/14/1958": {}, "1958-04-14": {}, "1958-13-04": {}, "paul 1958-03-14": {}, "1958-03-14 1958-04-13": {},
		} {
			assert.Equal(t, want, found(c, "/api/patients/", search(words)), words)
		}
		c.Patch("/api/patients/1/", kit.Object{"date_of_birth": nil}).Expect(http.StatusOK)
		assert.Empty(t, found(c, "/api/patients/", search("1958-03-14")))
	})
}

func TestASearchFindsAPhoneNumberHoweverItIsWritten(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for name, phone := range map[string]string{"Anna": "+49 (30) 123-4567", "Berta": "+49 (0)89 765 43 21 x7", "Carl": "030/123 4567", "Dora": "030123"} {
			c.Post("/api/patients/", kit.Object{"name": name, "phone": phone}).Expect(http.StatusCreated)
		}
		c.Post("/api/patients/", kit.Object{"name": "Emil 030-1", "email": "emil.123-4567@example.org"}).Expect(http.StatusCreated)
		for words, want := range map[string][]any{
			"0301234567":           {"Anna", "Carl"},
			"+49301234567":         {"Anna"},
			"0049301234567":        {"Anna"},
			"301234567":            {"Anna", "Carl"},
			"1234567":              {"Anna", "Carl"},
			"030 123 4567":         {"Anna", "Carl", "Emil 030-1"}, // as one number, or word by word
			"030 / 123-4567":       {"Anna", "Carl"},
			"(030) 1234567 anna":   {"Anna"},
			"+49 (0)30 1234567":    {"Anna"},
			"+49 30 123":           {"Anna"},
			"０３０ １２３ ４５６７":         {"Anna", "Carl", "Emil 030-1"},
			"4567 123":             {"Anna", "Carl", "Emil 030-1"},
			"123-4567":             {"Anna", "Carl", "Emil 030-1"},
			"089 7654321":          {"Berta"},
			"7654321 x7":           {"Berta"},
			"7654321x7":            {"Berta"},
			"+49":                  {"Anna", "Berta"},
			"030-1":                {"Carl", "Dora", "Emil 030-1"},
			"+49 89 berta 7654321": {"Berta"},
			"030123":               {"Anna", "Carl", "Dora"},
			"030124":               {},
			"0301234568":           {},
			"000000":               {},
			"berta 0301234567":     {},
			"1234567 0301234567":   {"Carl"}, // both as they are
		} {
			assert.Equal(t, want, found(c, "/api/patients/", search(words)), words)
		}
		c.Post("/api/doctors/", kit.Object{"name": "Dora", "specialization": "Surgery", "phone": "+49 30 1234567", "license_number": "GMC 030-1234567"}).Expect(http.StatusCreated)
		assert.Len(t, found(c, "/api/doctors/", search("gmc 030-1234567")), 1)
		assert.Empty(t, found(c, "/api/doctors/", search("301234567")))
	})
}

// randomName is of letters and marks of all scripts, and of those that are likely to go wrong.
func randomName(random *rand.Rand) string {
	likely := []rune("aeouAEOUßẞæØłıİiIſŉǰΐᾳςΣёйЁЙїがガｶﾞ한\u1100\u1161\u0308\u0301\u0327\u0345\u05b8\u0651’-'0. \u3000\u00a0")
	tables := []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Mn, unicode.L}
	name := []rune{'x'} // so that it is not blank
	for range 1 + random.IntN(30) {
		letter := likely[random.IntN(len(likely))]
		if random.IntN(3) == 0 {
			ranges := tables[random.IntN(len(tables))].R16
			some := ranges[random.IntN(len(ranges))]
			letter = rune(int(some.Lo) + random.IntN(int(some.Hi-some.Lo)/int(some.Stride)+1)*int(some.Stride))
		}
		name = append(name, letter)
	}
	return string(name)
}

func TestEveryNameIsFoundByItsOwnWords(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		random := rand.New(rand.NewPCG(3, 4))
		names := 60
		if !kit.Whole {
			names = 15
		}
		for range names {
			name := randomName(random)
			id := c.Post(kind.Path, kit.With(kind.Required, "name", name)).Expect(http.StatusCreated).JSON["id"]
			for _, word := range append(strings.Fields(name), name) {
				for _, written := range []string{word, strings.ToUpper(word), norm.NFD.String(word), norm.NFC.String(word), models.Plain(word)} {
					r := c.Get(kind.Path + "?page_size=100&" + search(written)).Expect(http.StatusOK)
					assert.Contains(t, r.Column("id"), id, "%+q by %+q", name, written)
				}
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range searchSpellings {
		f.Add(s.name)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("no client can store this")
		}
		plain := models.Plain(text)
		assert.Equal(t, plain, models.Plain(plain), "%+q", text)
		for _, word := range strings.Fields(text) {
			assert.Contains(t, plain, models.Plain(word), "%+q in %+q", word, text)
		}
	})
}
