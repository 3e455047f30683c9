package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestAListHasPagesWithLinksToTheirNeighbours(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for i := range 45 {
			c.Patient(fmt.Sprintf("Patient %02d", i))
		}
		query := url.Values{"ordering": {"name"}, "search": {"patient"}, "unknown": {"a b&c=d"}}
		first := c.Get("/api/patients?" + query.Encode()).Expect(http.StatusOK)
		assert.Equal(t, []string{"count", "next", "previous", "results"}, kit.Keys(first.JSON))
		assert.Nil(t, first.JSON["previous"])
		assert.Equal(t, api.URL+"/api/patients/?ordering=name&page=2&search=patient&unknown=a+b%26c%3Dd", first.JSON["next"])

		names := first.Column("name")
		last := first
		for last.JSON["next"] != nil {
			last = c.Get(strings.TrimPrefix(last.JSON["next"].(string), api.URL)).Expect(http.StatusOK)
			names = append(names, last.Column("name")...)
		}
		assert.Len(t, names, 45)
		assert.Len(t, last.Results(), 5)
		assert.Equal(t, "Patient 00", names[0])
		assert.True(t, slices.IsSortedFunc(names, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }))
		assert.Equal(t, 45.0, last.JSON["count"])
		back := c.Get(strings.TrimPrefix(last.JSON["previous"].(string), api.URL)).Expect(http.StatusOK)
		assert.Equal(t, first.JSON, c.Get(strings.TrimPrefix(back.JSON["previous"].(string), api.URL)).JSON)
		kit.Absent(t, back.JSON["previous"].(string), "page=")
	})
}

func TestPageSizesAreCapped(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		api.Exec("INSERT INTO patients (name, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version, name_key, search_text)" +
			" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)" +
			" SELECT 'P', 'unknown', '', '', '', '', '', '', created_by, created_at, updated_at, 1, 'p', 'p' FROM n, patients")
		for size, want := range map[string]int{"": 20, "1": 1, "007": 7, "100": 100, "101": 100, "1000": 100, "9223372036854775808": 100} {
			r := ana.Get("/api/patients/?page_size=" + size).Expect(http.StatusOK)
			assert.Len(t, r.Results(), want, size)
			assert.Equal(t, 121.0, r.JSON["count"])
		}
		assert.Len(t, ana.Get("/api/patients/?page_size=1000&page=2").Expect(http.StatusOK).Results(), 21)
	})
}

func TestWrongParametersOfAListAreNamed(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		before := api.Contents()
		for _, c := range []struct {
			query  string
			status int
			field  string
		}{
			{"page=9223372036854775808", 404, "page"}, {"page=9223372036854775807", 404, "page"}, {"page=2", 404, "page"}, {"page=2147483648", 404, "page"}, {"page=2147483647", 404, "page"},
			{"page=0", 400, "page"}, {"page=-1", 400, "page"}, {"page=abc", 400, "page"}, {"page=1.5", 400, "page"}, {"page=+1", 400, "page"}, {"page=%201", 400, "page"},
			{"page_size=0", 400, "page_size"}, {"page_size=abc", 400, "page_size"}, {"page_size=-5", 400, "page_size"}, {"page_size=1e3", 400, "page_size"},
			{"ordering=password", 400, "ordering"}, {"ordering=id", 400, "ordering"}, {"ordering=-", 400, "ordering"}, {"ordering=--created_at", 400, "ordering"},
			{"ordering=deleted_at", 400, "ordering"}, {"ordering=created_at,name", 400, "ordering"}, {"ordering=CREATED_AT", 400, "ordering"},
			{"ordering=id%3Bdrop%20table%20patients", 400, "ordering"}, {"ordering=id;drop%20table%20patients", 400, "ordering"}, {"ordering=created_at;", 400, "ordering"},
			{"ordering=(select+1)", 400, "ordering"}, {"page=1&page_size=%zz", 400, "page_size"}, {"search=%00", 400, "search"}, {"search=%ff", 400, "search"},
			{"unknown=%00", 400, "unknown"}, {"unknown=1;page=2", 400, "unknown"},
		} {
			for _, list := range kit.Lists {
				r := ana.Get(list + "?" + c.query)
				assert.Equal(t, c.status, r.Status, list+c.query)
				assert.NotEmpty(t, r.Error(c.field), list+c.query)
				assert.Len(t, r.JSON["errors"], 1, list+c.query)
			}
		}
		for list, query := range map[string]string{
			"/api/patients/?gender=x": "gender", "/api/patients/?gender=unknown%27--": "gender", "/api/patients/?blood_group=A": "blood_group",
			"/api/mappings/?patient_id=abc": "patient_id", "/api/mappings/?doctor_id=9223372036854775808": "doctor_id", "/api/mappings/?doctor_id=1%20OR%201=1": "doctor_id",
			"/api/mappings/?ordering=name":                     "ordering",
			"/api/doctors/?search=" + strings.Repeat("x", 256): "search",
		} {
			assert.NotEmpty(t, ana.Get(list).Expect(http.StatusBadRequest).Error(query), list)
		}
		r := ana.Get("/api/patients/?page=x&page_size=x&ordering=x&gender=x&blood_group=x").Expect(http.StatusBadRequest)
		assert.Equal(t, []string{"blood_group", "gender", "ordering", "page", "page_size"}, kit.Keys(r.JSON["errors"].(kit.Object)))
		assert.Equal(t, before, api.Contents())
	})
}

func TestUnknownAndEmptyParametersAreIgnored(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := kit.EveryTable(api)
		for _, list := range kit.Lists {
			want := ana.Get(list).Expect(http.StatusOK).JSON
			for _, query := range []string{"?", "?colour=red", "?page=&page_size=&ordering=&search=&gender=", "?search=%20%20", "?page=1", "?=", "?&&", "?page=01"} {
				assert.Equal(t, want, ana.Get(list+query).Expect(http.StatusOK).JSON, list+query)
			}
		}
	})
}

func TestAListIsNewestFirstUnlessOrdered(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		ids := []int{}
		for range 3 {
			ids = append(ids, c.Post(kind.Path, kind.Required).Expect(http.StatusCreated).ID())
		}
		c.Patch(fmt.Sprintf("%s%d/", kind.Path, ids[1]), kit.Object{"phone": "1"}).Expect(http.StatusOK)
		a, b, d := float64(ids[0]), float64(ids[1]), float64(ids[2])
		for query, want := range map[string][]any{
			"": {d, b, a}, "?ordering=created_at": {a, b, d}, "?ordering=-created_at": {d, b, a}, "?ordering=updated_at": {a, d, b}, "?ordering=-updated_at": {b, d, a},
			"?ordering=name": {a, b, d}, "?ordering=-name": {d, b, a}, // the same name: by id
		} {
			assert.Equal(t, want, c.Get(kind.Path+query).Expect(http.StatusOK).Column("id"), query)
		}
		// Times are compared as times, with and without a fraction.
		table := kind.Path[len("/api/") : len(kind.Path)-1]
		for i, fraction := range []string{"", ".5", ".123456"} {
			api.Exec(fmt.Sprintf("UPDATE %s SET created_at = '2020-01-01 00:00:00%s+00:00' WHERE id = %d", table, fraction, ids[i]))
		}
		assert.Equal(t, []any{a, d, b}, c.Get(kind.Path+"?ordering=created_at").Expect(http.StatusOK).Column("id"))
	})
}

func TestLinksFollowATrustedProxyOnly(t *testing.T) {
	forwarded := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "clinic.example.org"}
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		c.Patient("Petra")
		c.Patient("Paul")
		r := c.Do("GET", "/api/patients/?page_size=1", nil, forwarded...).Expect(http.StatusOK)
		assert.Equal(t, api.URL+"/api/patients/?page=2&page_size=1", r.JSON["next"])

		cfg := *api.Config
		for network, want := range map[string]string{"127.0.0.0/8": "https://clinic.example.org", "10.0.0.0/8": ""} {
			var n config.Network
			assert.NoError(t, n.UnmarshalText([]byte(network)))
			cfg.TrustedProxies = []config.Network{n}
			behind := kit.Start(t, &cfg)
			if want == "" {
				want = behind.URL
			}
			r = c.At(behind).Do("GET", "/api/patients/?page_size=1", nil, forwarded...).Expect(http.StatusOK)
			assert.Equal(t, want+"/api/patients/?page=2&page_size=1", r.JSON["next"], network)
			several := []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "clinic.example.org, inner:8000"}
			r = c.At(behind).Do("GET", "/api/patients/?page_size=1", nil, several...).Expect(http.StatusOK)
			assert.Equal(t, want+"/api/patients/?page=2&page_size=1", r.JSON["next"], network)
			for _, evil := range []string{"evil.org/?", "a b", "evil.org\\@", "<x>"} {
				r = c.At(behind).Do("GET", "/api/patients/?page_size=1", nil, "X-Forwarded-Host", evil, "X-Forwarded-Proto", "javascript").Expect(http.StatusOK)
				assert.Equal(t, behind.URL+"/api/patients/?page=2&page_size=1", r.JSON["next"], evil)
			}
		}
	})
}
