package fhir

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestASearchFindsWhatItShould(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := user(api, "ana"), user(api, "eve")
		add := func(c client, row kit.Object) string {
			return fmt.Sprint(c.Post("/api/patients/", row).Expect(http.StatusCreated).ID())
		}
		asa := add(ana, kit.Object{
			"name": "Åsa Maria Lindström", "date_of_birth": "1958-03-14", "gender": "female", "phone": "+49 30 1234", "email": "asa@example.org", "address": "Große Straße 1\n10115 Kraków",
			"identifiers": []any{kit.Object{"system": "urn:clinic:file", "value": "7,1|a"}, kit.Object{"system": "urn:insurer", "value": "42"}},
		})
		bo := add(ana, kit.Object{"name": "Bo O'Brien-Ng 100%", "date_of_birth": "1958-12-31", "gender": "male", "phone": "030/5", "email": "Bo.İI@Example.org", "address": "Đà Nẵng"})
		cy := add(ana, kit.Object{"name": "cy asa_x", "gender": "other", "identifiers": []any{kit.Object{"system": "urn:insurer", "value": "43"}}})
		add(eve, kit.Object{"name": "Åsa of another", "date_of_birth": "1958-03-14", "gender": "female", "phone": "030/5", "address": "Kraków"})

		for query, want := range map[string][]string{
			"":                                   {asa, bo, cy},
			"name=asa":                           {asa, cy},
			"name=ASA":                           {asa, cy},
			"name=%C3%85s":                       {asa, cy},
			"name=lindstrom":                     {asa},
			"name=maria lind":                    {asa},
			"name=indstr":                        {},
			"name:contains=indstr":               {asa},
			"name:exact=Åsa":                     {},
			"name:exact=cy asa_x":                {cy},
			"name=asa_":                          {cy},
			"name=100%25":                        {bo},
			"name=%25":                           {},
			"name=o'b":                           {bo},
			"name=bo,cy":                         {bo, cy},
			"name=asa&name=lind":                 {asa},
			"name=asa&name=bo":                   {},
			"identifier=42":                      {asa},
			"identifier=urn:insurer|42":          {asa},
			"identifier=urn:insurer|":            {asa, cy},
			"identifier=|42":                     {},
			"identifier=urn:clinic:file|42":      {},
			`identifier=urn:clinic:file|7\,1\|a`: {asa},
			"identifier=urn:insurer|42,urn:insurer|43": {asa, cy},
			"birthdate=1958":                          {asa, bo},
			"birthdate=1958-03":                       {asa},
			"birthdate=1958-03-14":                    {asa},
			"birthdate=ne1958-03-14":                  {bo},
			"birthdate=gt1958-03":                     {bo},
			"birthdate=ge1958-03":                     {asa, bo},
			"birthdate=lt1958-12-31":                  {asa},
			"birthdate=le1958":                        {asa, bo},
			"birthdate=sa1958":                        {},
			"birthdate=eb1959":                        {asa, bo},
			"birthdate=ge1958-03-15&birthdate=lt1959": {bo},
			"birthdate:missing=true":                  {cy},
			"birthdate:missing=false":                 {asa, bo},
			"gender=female":                           {asa},
			"gender=female,other":                     {asa, cy},
			"gender=http://hl7.org/fhir/administrative-gender|male": {bo},
			"gender=urn:x|male":             {},
			"phone=030/5":                   {bo},
			"phone=phone|030/5":             {bo},
			"phone:missing=true":            {cy},
			"email=asa@example.org":         {asa},
			"email=ASA@EXAMPLE.ORG":         {asa},
			"email=email|Asa@example.org":   {asa},
			"email=bo.%C4%B0i@example.ORG":  {bo},
			"email=bo.ii@example.org":       {},
			"email=b%25@example.org":        {},
			"telecom=asa@example.org":       {asa},
			"telecom=email|ASA@example.org": {asa},
			"telecom=phone|asa@example.org": {},
			"telecom=phone|030/5":           {bo},
			"telecom=email|030/5":           {},
			"address=krakow":                {asa},
			"address=KRAKÓW":                {asa},
			"address=strasse":               {},
			"address=GROSSE STRASSE":        {asa},
			"address=rak":                   {},
			"address:contains=rak":          {asa},
			"address=da nang":               {bo},
			"address:exact=Đà Nẵng":         {bo},
			"address:missing=true":          {cy},
			"active=true":                   {asa, bo, cy},
			"active=false":                  {},
			"_id=" + asa:                    {asa},
			"_id=" + asa + "," + cy:         {asa, cy},
			"_id=x":                         {},
			"_lastUpdated=ge2020":           {asa, bo, cy},
			"_lastUpdated=lt2020-01":        {},
			"_lastUpdated=gt9000&name=":     {},
			"name=":                         {asa, bo, cy},
		} {
			if query == "address=strasse" {
				want = []string{asa} // a word of it
			}
			r := ana.read("Patient?_sort=name&" + escaped(query)).Expect(http.StatusOK)
			assert.ElementsMatch(t, want, idsOf(r), query)
			assert.EqualValues(t, len(want), r.JSON["total"], query)
			form := ana.do("POST", "Patient/_search?_sort=name", escaped(query), "Content-Type", "application/x-www-form-urlencoded").Expect(http.StatusOK)
			assert.Equal(t, idsOf(r), idsOf(form), query)
		}
		assert.Equal(t, []string{bo, cy, asa}, idsOf(ana.read("Patient?_sort=name")), "by code point, as in /api")
		assert.Equal(t, []string{cy, bo, asa}, idsOf(ana.read("Patient?_sort=-_lastUpdated")))
	})
}

func TestAHyphenAndAnApostropheBeginAWordOfAName(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		id := ana.patient("Jean\u2011Luc Müller-Schmidt d\u2019Été") // with a hyphen at which no line ends
		ana.patient("Jeanluc Mullerschmidt")
		for name, found := range map[string]bool{
			"schmidt": true, "luc": true, "ete": true, "luc mull": true, "jean-l": true, "jean-luc mull": true, "muller-schmidt d'e": true, "d'": true,
			"uc": false, "jean luc": false, "muller schmidt": false, "jean- luc": false, "d' ete": false, "chmidt": false, "-schmidt": false, "-": false,
		} {
			want := map[bool][]string{true: {id}, false: {}}[found]
			assert.Equal(t, want, idsOf(ana.read("Patient?name="+url.QueryEscape(name)).Expect(http.StatusOK)), name)
		}
		assert.Equal(t, []string{id}, idsOf(ana.read("Patient?name:contains=n-l").Expect(http.StatusOK)))
		assert.Empty(t, idsOf(ana.read("Patient?name:contains=n-+l").Expect(http.StatusOK)))
	})
}

// escaped is a query as a client sends it.
func escaped(query string) string {
	return strings.NewReplacer(" ", "%20", "|", "%7C", "\\", "%5C", "'", "%27", "Å", "%C3%85", "Ó", "%C3%93", "Đ", "%C4%90", "à", "%C3%A0", "ẵ", "%E1%BA%B5").Replace(query)
}

func TestASearchThatIsNotUnderstoodIsRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		ana.patient("Petra")
		for _, query := range []string{
			"identifer=1", "name:sounds=x", "gender:not=male", "birthdate=ap1958", "birthdate=58", "birthdate=1958-02-30", "birthdate=1958-03-14T10:00", "birthdate:missing=x",
			"_lastUpdated=x", "active=x", "name=a,", "name=,", "_count=-1", "_count=x", "_sort=birthdate", "_total=all", "_summary=x", "_cursor=x", "_has:Observation:patient:code=1",
			"_include=Patient:organization", "name.given=x", "name=%00", "_format=xml&name=a",
		} {
			want := http.StatusBadRequest
			if strings.HasPrefix(query, "_format") {
				want = http.StatusNotAcceptable
			}
			r := ana.read("Patient?" + query).Expect(want)
			assert.Equal(t, "OperationOutcome", r.JSON["resourceType"], query)
		}
		ana.read("CareTeam?_sort=name").Expect(http.StatusBadRequest)

		// What is repeated counts, too: each value is a condition that the database must look at.
		values := func(n int) string { return strings.Repeat("a,", n-1) + "a" }
		for query, want := range map[string]int{
			strings.Repeat("name=a&", 50):                        http.StatusOK,
			strings.Repeat("name=a&", 51):                        http.StatusBadRequest,
			"name=" + values(100) + "&name=" + values(100):       http.StatusOK,
			"name=" + values(100) + "&name=" + values(101):       http.StatusBadRequest,
			"address=" + values(20):                              http.StatusOK,
			"address=" + values(10) + "&address=" + values(11):   http.StatusBadRequest,
			"_id=" + values(200) + "&identifier=" + values(1):    http.StatusBadRequest,
			"address:missing=true&address:contains=" + values(2): http.StatusOK,
		} {
			assert.Equal(t, want, ana.read("Patient?"+query).Status, query)
		}

		r := ana.read("Patient?identifer=1&name=pet", "Prefer", "handling=lenient").Expect(http.StatusOK)
		assert.EqualValues(t, 1, r.JSON["total"])
		assert.Equal(t, "Patient?name=pet", link(ana, r, "self"))
		assert.Equal(t, "OperationOutcome", entries(r)[1]["resourceType"])
		r = ana.read("Patient?name=nobody").Expect(http.StatusOK)
		assert.NotContains(t, r.JSON, "entry")
		assert.EqualValues(t, 0, r.JSON["total"])
		for _, query := range []string{"_summary=count", "_count=0"} {
			r = ana.read("Patient?" + query).Expect(http.StatusOK)
			assert.NotContains(t, r.JSON, "entry", query)
			assert.EqualValues(t, 1, r.JSON["total"], query)
		}
		assert.NotContains(t, ana.read("Patient?_total=none").Expect(http.StatusOK).JSON, "total")
		assert.Len(t, idsOf(ana.read("Patient?_count=1000").Expect(http.StatusOK)), 1)
		one := entries(ana.read("Patient?_summary=true").Expect(http.StatusOK))[0]
		assert.Equal(t, "SUBSETTED", one["meta"].(kit.Object)["tag"].([]any)[0].(kit.Object)["code"])
		one = entries(ana.read("Patient?_elements=gender").Expect(http.StatusOK))[0]
		assert.Equal(t, []string{"gender", "id", "meta", "resourceType"}, kit.Keys(one))
	})
}

func TestPagesMissAndRepeatNobodyWhileOthersAdd(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		wanted := []string{}
		for i := range 45 {
			wanted = append(wanted, ana.patient(fmt.Sprint("Page ", i)))
		}
		for _, query := range []string{"Patient?name=page", "Patient?name=page&_sort=name", "Patient?name=page&_sort=-_lastUpdated&_count=20&_total=none"} {
			seen := []string{}
			pages := 0
			for path := query; path != ""; pages++ {
				page := ana.read(path).Expect(http.StatusOK)
				seen = append(seen, idsOf(page)...)
				path = link(ana, page, "next")
				ana.patient("Another " + query)
			}
			assert.ElementsMatch(t, wanted, seen, query)
			assert.Equal(t, 3, pages)
		}
		first := ana.do("POST", "Patient/_search", "name=page&_count=30", "Content-Type", "application/x-www-form-urlencoded").Expect(http.StatusOK)
		next := link(ana, first, "next")
		assert.Contains(t, next, "name=page")
		second := ana.read(next).Expect(http.StatusOK)
		assert.ElementsMatch(t, wanted, append(idsOf(first), idsOf(second)...))
		assert.Equal(t, "Patient?_count=30&name=page", link(ana, second, "self"))
	})
}

func TestThoseWhoCreateTheSameAtOnceCreateOne(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := user(api, "ana")
		other := ana.At(kit.Start(t, api.Config)) // a second instance
		body := kit.With(named("Petra"), "identifier", []any{kit.Object{"system": "urn:clinic:file", "value": "1"}})
		answers := kit.AtOnce(20, func(i int) *kit.Response {
			c := ana
			if i%2 == 1 {
				c = client{other}
			}
			return c.do("POST", "Patient", body, "If-None-Exist", "identifier=urn:clinic:file|1")
		})
		assert.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: 19}, kit.Tally(answers))
		for _, a := range answers {
			assert.Equal(t, answers[0].JSON["id"], a.JSON["id"])
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))

		// Without an identifier too: those who ask for the same take turns.
		answers = kit.AtOnce(20, func(int) *kit.Response { return ana.do("POST", "Patient", named("Olga"), "If-None-Exist", "name=olga") })
		assert.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: 19}, kit.Tally(answers))

		// An e-mail address is one in capital and small letters.
		for i, address := range []string{"Eva@Example.org", "eva@example.org"} {
			eva := kit.With(named("Eva"), "telecom", []any{kit.Object{"system": "email", "value": address}})
			ana.do("POST", "Patient", eva, "If-None-Exist", "email="+address).Expect([]int{http.StatusCreated, http.StatusOK}[i])
		}

		ana.patient("Olga")
		assert.Equal(t, "multiple-matches", issues(ana.do("POST", "Patient", named("Olga"), "If-None-Exist", "name=olga").Expect(http.StatusPreconditionFailed)))
		for _, wrong := range []string{"nme=olga", "name=", "_count=1", "%zz", "name:sounds=x"} {
			ana.do("POST", "Patient", named("Olga"), "If-None-Exist", wrong).Expect(http.StatusBadRequest)
		}
		eve := user(api, "eve")
		eve.do("POST", "Patient", body, "If-None-Exist", "identifier=urn:clinic:file|1").Expect(http.StatusCreated)
	})
}

// FuzzQuery asks for anything: the answer is a Bundle or an OperationOutcome, and never an error of the server.
func FuzzQuery(f *testing.F) {
	apis := map[string]client{}
	for name, fresh := range kit.Fresh {
		if name == "postgres" && testing.Short() {
			continue
		}
		c := user(kit.Start(f, kit.BaseConfig(fresh(f))), "ana")
		c.patient("Petra Åsa")
		apis[name] = c
	}
	for _, query := range []string{
		"name=a&birthdate=ge1958", `identifier=a\,b|c,\`, "_sort=-name&_count=1&_elements=name,id", "address:contains=%25_", "name:exact=x&gender=a|b|c", "_lastUpdated=2026-11-24T10:30:05.123456789Z",
		"phone=%F0%9F%98%80", "name=ﷺ", "_cursor=AAAA", "birthdate=eb9998-12-31", "_id=9223372036854775807,1",
	} {
		f.Add("Patient", query)
		f.Add("CareTeam", strings.ReplaceAll(query, "identifier", "patient"))
	}
	f.Fuzz(func(t *testing.T, kind, query string) {
		if kind != "Patient" && kind != "Practitioner" && kind != "CareTeam" {
			return
		}
		address, err := url.Parse(strings.ReplaceAll(query, "#", "%23"))
		if err != nil || len(query) > 500 {
			return
		}
		for name, c := range apis {
			c.T = t
			r := c.read(kind + "?" + (&url.URL{RawQuery: address.RawQuery + "&" + url.QueryEscape(query) + "=1&name=" + url.QueryEscape(query)}).RawQuery)
			require.Less(t, r.Status, 500, "%s %q: %s", name, query, r.Raw)
			r = c.read(kind + "?name=" + url.QueryEscape(query))
			require.Less(t, r.Status, 500, "%s %q: %s", name, query, r.Raw)
		}
	})
}
