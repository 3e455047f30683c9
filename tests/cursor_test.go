package tests

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
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

// cursorOf is the cursor of the next page of a list, of which the path asks for the first.
func cursorOf(c *kit.Client, path string) string {
	c.T.Helper()
	next, err := url.Parse(c.Get(path).Expect(http.StatusOK).JSON["next"].(string))
	require.NoError(c.T, err)
	return next.Query().Get("cursor")
}

func assertNoCursor(c *kit.Client, path, cursor string) {
	c.T.Helper()
	r := c.Get(path + url.QueryEscape(cursor))
	assert.Equal(c.T, http.StatusBadRequest, r.Status, path+cursor)
	assert.Equal(c.T, "Invalid cursor.", r.Error("cursor"), path+cursor)
}

func TestACursorThatWasTamperedWithIsRefused(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 3 {
			ana.Patient("P")
		}
		const list = "/api/patients/?page_size=1&ordering=name&cursor="
		good := cursorOf(ana, list)
		ana.Get(list + good).Expect(http.StatusOK)
		for i := range good {
			for _, letter := range "Aa_" {
				if rune(good[i]) != letter {
					assertNoCursor(ana, list, good[:i]+string(letter)+good[i+1:])
				}
			}
		}
		last := good[:len(good)-1] + string(good[len(good)-1]+1) // in some lengths, this letter has bits that say nothing
		made := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		for _, cursor := range []string{
			last, good[1:], good[:len(good)-1], good + "A", good + "=", "A" + good, good + good, "x", "=", "a b", "\n", "%",
			made(`{"o":"name","k":"p","i":1}`), made(`{"k":"p","i":1}`), made(strings.Repeat("x", 28)), made(strings.Repeat("x", 60)),
		} {
			assertNoCursor(ana, list, cursor)
		}
	})
}

func TestACursorBelongsToItsListAndItsOrder(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		for range 2 {
			ana.Assign(ana.Patient("P"), ana.Doctor("D")).Expect(http.StatusCreated)
			ana.Login()
		}
		lists := []string{
			"/api/patients/?", "/api/patients/?ordering=name&", "/api/patients/?ordering=-name&", "/api/patients/?ordering=created_at&", "/api/patients/?ordering=-created_at&",
			"/api/doctors/?", "/api/doctors/?ordering=name&", "/api/mappings/?", "/api/auth/sessions/?", "/api/patients/1/history/?", "/api/audit/?", "/api/users/?", "/api/users/?ordering=name&",
		}
		for _, from := range lists {
			good := cursorOf(boss, from+"page_size=1&cursor=")
			boss.Get(from + "cursor=" + good).Expect(http.StatusOK)
			for _, to := range lists {
				if to != from {
					assertNoCursor(boss, to+"cursor=", good)
				}
			}
		}
	})
}

func TestACursorIsGoodAtEveryInstanceWithTheSameSecret(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		ana.Patient("Ana")
		ana.Patient("Bo")
		const list = "/api/patients/?page_size=1&ordering=name&cursor="
		good := cursorOf(ana, list)
		assert.Equal(t, []any{"Bo"}, ana.At(kit.Start(t, api.Config)).Get(list+good).Expect(http.StatusOK).Column("name"))
		other := *api.Config
		other.JWTSecret = "another-secret-of-another-clinic-9876543210"
		eve := ana.At(kit.Start(t, &other))
		eve.Login()
		assertNoCursor(eve, list, good)
	}, func(cfg *config.Config) { cfg.AuditKey = "a-key-that-only-the-tests-use-9876543210" }) // both instances seal
}

func TestACursorHoldsNoName(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for range 3 {
			ana.Patient("Änne-" + kit.Marker)
		}
		_, last := follow(ana, "/api/patients/?page_size=1&ordering=name&cursor=", "next")
		for _, link := range []string{"/api/patients/?page_size=1&ordering=name&cursor=" + cursorOf(ana, "/api/patients/?page_size=1&ordering=name&cursor="), last.JSON["previous"].(string)} {
			u, err := url.Parse(link)
			require.NoError(t, err)
			shown := []string{link, u.Query().Get("cursor")}
			for offset := range 4 { // a base64 may begin anywhere
				text, err := base64.RawURLEncoding.DecodeString(shown[1][offset : offset+(len(shown[1])-offset)/4*4])
				require.NoError(t, err)
				shown = append(shown, string(text))
			}
			name := strings.ToLower("Änne-" + kit.Marker)
			for i := range len(name) - 7 { // eight bytes are there by chance in one of a thousand million cursors
				for _, text := range shown {
					assert.NotContains(t, strings.ToLower(text), name[i:i+8])
				}
			}
		}
	})
}
