package tests

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// follow walks through a list from one page to the next (or back), and returns the ids it saw, page by page.
func follow(c *kit.Client, path, link string) (pages [][]any, last *kit.Response) {
	for path != "" {
		last = c.Get(path).Expect(http.StatusOK)
		pages = append(pages, last.Column("id"))
		next, _ := last.JSON[link].(string)
		path = strings.TrimPrefix(next, c.API.URL)
	}
	return pages, last
}

func flat(pages [][]any) []any {
	all := []any{}
	for _, p := range pages {
		all = append(all, p...)
	}
	return all
}

func TestCursorsWalkThroughAListInEveryOrderAndBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		for _, name := range []string{"Zoë", "ana", "Ana", "Ömer", "bo", "Bo", "BO", "李雷"} {
			ana.Post("/api/patients/", kit.Object{"name": name, "gender": "other"}).Expect(http.StatusCreated)
		}
		ana.Patch("/api/patients/3/", kit.Object{"phone": "1"}).Expect(http.StatusOK)
		eve.Post("/api/patients/", kit.Object{"name": "not hers"}).Expect(http.StatusCreated)
		for _, ordering := range []string{"", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"} {
			by := "&gender=other&ordering=" + ordering
			whole := ana.Get("/api/patients/?page_size=100" + by).Column("id")
			pages, last := follow(ana, "/api/patients/?page_size=3&cursor="+by, "next")
			assert.Equal(t, whole, flat(pages), ordering)
			assert.Len(t, pages, 3)
			assert.NotContains(t, last.JSON, "count")
			previous, _ := last.JSON["previous"].(string)
			back, first := follow(ana, strings.TrimPrefix(previous, api.URL), "previous")
			assert.Equal(t, [][]any{pages[1], pages[0]}, back, ordering)
			assert.NotNil(t, first.JSON["next"])
		}
	})
}

func TestACursorNeitherRepeatsNorSkipsWhileRowsComeAndGo(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 9 {
			ana.Post("/api/patients/", kit.Object{"name": "P"}).Expect(http.StatusCreated)
		}
		first := ana.Get("/api/patients/?page_size=3&cursor=").Expect(http.StatusOK)
		assert.Equal(t, []any{9.0, 8.0, 7.0}, first.Column("id"))
		ana.Post("/api/patients/", kit.Object{"name": "new"}).Expect(http.StatusCreated)
		ana.Delete("/api/patients/7/").Expect(http.StatusNoContent) // where the cursor stands
		ana.Delete("/api/patients/5/").Expect(http.StatusNoContent)
		pages, last := follow(ana, strings.TrimPrefix(first.JSON["next"].(string), api.URL), "next")
		assert.Equal(t, []any{6.0, 4.0, 3.0, 2.0, 1.0}, flat(pages))
		ana.Delete("/api/patients/1/").Expect(http.StatusNoContent)
		ana.Delete("/api/patients/2/").Expect(http.StatusNoContent)
		previous, _ := follow(ana, strings.TrimPrefix(last.JSON["previous"].(string), api.URL), "previous")
		assert.Equal(t, []any{9.0, 8.0, 6.0, 4.0, 3.0}, append(append([]any{}, previous[1][1:]...), previous[0]...))
	})
}

func TestEveryListHasCursors(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		for i := range 3 {
			ana.Post("/api/patients/", kit.Object{"name": "P"}).Expect(http.StatusCreated)
			ana.Post("/api/doctors/", kit.Object{"name": "D", "specialization": "s"}).Expect(http.StatusCreated)
			ana.Post("/api/mappings/", kit.Object{"patient_id": 1, "doctor_id": i + 1}).Expect(http.StatusCreated)
			ana.Login()
		}
		for _, list := range []string{
			"/api/patients/", "/api/doctors/", "/api/mappings/", "/api/doctor/mappings/", "/api/mappings/1/", "/api/doctor/mappings/1/",
			"/api/auth/sessions/", "/api/patients/1/history/", "/api/doctors/1/history/",
		} {
			whole := ana.Get(list).Expect(http.StatusOK)
			rows := []kit.Object{}
			for next := list + "?page_size=2&cursor="; next != ""; {
				page := ana.Get(next).Expect(http.StatusOK)
				rows = append(rows, page.Results()...)
				link, _ := page.JSON["next"].(string)
				next = strings.TrimPrefix(link, api.URL)
			}
			assert.Equal(t, whole.Results(), rows, list)
		}
		for _, list := range []string{"/api/users/", "/api/audit/"} {
			pages, _ := follow(boss, list+"?page_size=2&cursor=", "next")
			assert.Equal(t, boss.Get(list+"?page_size=100").Column("id"), flat(pages), list)
		}
	})
}

func TestACursorThatWasTamperedWithIsRefusedOrHarmless(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve := api.User("ana"), api.User("eve")
		for range 3 {
			ana.Post("/api/patients/", kit.Object{"name": "P"}).Expect(http.StatusCreated)
		}
		secret := eve.Post("/api/patients/", kit.Object{"name": "Eve's"}).Expect(http.StatusCreated).ID()
		made := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		for _, cursor := range []string{
			"x", "=", "a b", made("{}x"), made(`[1]`), made(`{"o":"name","k":"x","i":1}`), made(`{"o":"","k":"yesterday","i":1}`),
			made(`{"o":"","k":"","i":1}`), made(`{"o":"","k":"10000-01-01T00:00:00Z","i":1}`), made(`{"o":"","k":"2026-01-01T00:00:00Z","i":"1"}`),
		} {
			r := ana.Get("/api/patients/?cursor=" + url.QueryEscape(cursor))
			assert.Equal(t, http.StatusBadRequest, r.Status, cursor)
			assert.Equal(t, "Invalid cursor.", r.Error("cursor"), cursor)
		}
		for _, cursor := range []string{
			`{"o":"","k":"2999-01-01T00:00:00Z","i":9223372036854775807}`, `{"o":"","k":"0001-01-01T00:00:00Z","i":-5,"b":true}`, `{"o":"","k":"2999-01-01T00:00:00+14:00","i":0}`,
		} {
			r := ana.Get("/api/patients/?cursor=" + made(cursor)).Expect(http.StatusOK)
			assert.NotContains(t, r.Column("id"), float64(secret))
			assert.Len(t, r.Results(), 3)
		}
		ana.Get("/api/patients/?ordering=name&cursor=" + made(`{"o":"name","k":"\u0000","i":1}`)).Expect(http.StatusBadRequest)
	})
}
