package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// versioned are the objects that carry an entity tag, each with a body that creates one.
var versioned = map[string]kit.Object{
	"patients": {"name": "Ana", "date_of_birth": "1980-02-29", "gender": "female", "allergies": "Nuts"},
	"doctors":  {"name": "Dr. Bo", "specialization": "Surgery", "license_number": "B-1", "years_of_experience": 7},
}

// onVersioned runs a test for patients and for doctors, on both databases. The one at path is in version 1.
func onVersioned(t *testing.T, test func(t *testing.T, api *kit.API, ana *kit.Client, path string)) {
	t.Helper()
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for kind, body := range versioned {
			test(t, api, ana, kit.Path(kind, ana.Post(kit.Path(kind), body).Expect(http.StatusCreated).ID()))
		}
	})
}

func TestASingleObjectCarriesItsVersionAsEntityTag(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for kind, body := range versioned {
			made := ana.Post(kit.Path(kind), body).Expect(http.StatusCreated)
			path := kit.Path(kind, made.ID())
			assert.Equal(t, `"1"`, made.Header.Get("ETag"))
			assert.Equal(t, `"1"`, ana.Get(path).Header.Get("ETag"))
			changed := ana.Patch(path, kit.Object{"name": "Zoe"}).Expect(http.StatusOK)
			assert.Equal(t, `"2"`, changed.Header.Get("ETag"))
			assert.EqualValues(t, 2, changed.JSON["version"])
			assert.Equal(t, `"2"`, ana.Get(path).Header.Get("ETag"))
			assert.Empty(t, ana.Get(kit.Path(kind)).Header.Get("ETag"), "of a list")
		}
	})
}

func TestWhoHasTheVersionAlreadyGetsNoBody(t *testing.T) {
	onVersioned(t, func(t *testing.T, _ *kit.API, ana *kit.Client, path string) {
		whole := ana.Get(path).Expect(http.StatusOK)
		for _, known := range []string{`"1"`, `W/"1"`, `*`, `"7", W/"1"`, `"7","1"`} {
			r := ana.Do("GET", path, nil, "If-None-Match", known).Expect(http.StatusNotModified)
			assert.Empty(t, r.Raw, known)
			assert.Equal(t, `"1"`, r.Header.Get("ETag"), known)
		}
		for _, other := range []string{`"2"`, `"11"`, `1`, `W/"2", "3"`, `""`} {
			r := ana.Do("GET", path, nil, "If-None-Match", other).Expect(http.StatusOK)
			assert.Equal(t, whole.JSON, r.JSON, other)
		}
		ana.Do("HEAD", path, nil, "If-None-Match", `"1"`).Expect(http.StatusNotModified)
		ana.Patch(path, kit.Object{"phone": "1"}).Expect(http.StatusOK)
		ana.Do("GET", path, nil, "If-None-Match", `"1"`).Expect(http.StatusOK)
	})
}

func TestAChangeOfAnotherVersionIsRefused(t *testing.T) {
	onVersioned(t, func(t *testing.T, api *kit.API, ana *kit.Client, path string) {
		ana.Patch(path, kit.Object{"phone": "1"}).Expect(http.StatusOK)
		now := ana.Get(path).JSON
		for _, stale := range []string{`"1"`, `W/"1"`, `"3"`, `"1", "3"`, `nonsense`} {
			for _, method := range []string{"PUT", "PATCH", "DELETE"} {
				r := ana.Do(method, path, now, "If-Match", stale).Expect(http.StatusPreconditionFailed)
				assert.Equal(t, "precondition_failed", r.JSON["code"])
			}
		}
		assert.Equal(t, now, ana.Get(path).JSON)
		for i, right := range []string{`"2"`, `W/"3"`, `*`, `"1", "5"`} {
			ana.Do("PATCH", path, kit.Object{"phone": fmt.Sprint(2 + i)}, "If-Match", right).Expect(http.StatusOK)
		}
		ana.Do("PUT", path, now, "If-Match", `"6"`).Expect(http.StatusOK)
		ana.Do("DELETE", path, nil, "If-Match", `"7"`).Expect(http.StatusNoContent)
		ana.Do("PATCH", path, kit.Object{"phone": "9"}, "If-Match", `"7"`).Expect(http.StatusNotFound)
		assert.Zero(t, api.Count("SELECT count(*) FROM "+strings.Split(path, "/")[2]+" WHERE deleted_at IS NULL"))
	})
}

func TestWithoutAPreconditionTheLastWriterWins(t *testing.T) {
	onVersioned(t, func(t *testing.T, _ *kit.API, ana *kit.Client, path string) {
		old := ana.Get(path).JSON
		ana.Patch(path, kit.Object{"name": "Zoe"}).Expect(http.StatusOK)
		again := ana.Put(path, old).Expect(http.StatusOK)
		assert.Equal(t, old["name"], again.JSON["name"])
		assert.EqualValues(t, 3, again.JSON["version"])
	})
}

func TestOfEightEditsOfOneVersionOneWins(t *testing.T) {
	onVersioned(t, func(t *testing.T, _ *kit.API, ana *kit.Client, path string) {
		for version := 1; version <= 3; version++ {
			statuses := kit.Tally(kit.AtOnce(8, func(i int) *kit.Response {
				name := fmt.Sprintf("Edit %d of %d", i, version)
				return ana.Do("PATCH", path, kit.Object{"name": name}, "If-Match", fmt.Sprintf(`"%d"`, version))
			}))
			assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: 7}, statuses)
			assert.EqualValues(t, version+1, ana.Get(path).JSON["version"])
		}
	})
}

func TestEightEditsWithoutPreconditionAllCount(t *testing.T) {
	onVersioned(t, func(t *testing.T, _ *kit.API, ana *kit.Client, path string) {
		// Each changes another field or value: none of them may be lost.
		names := []string{"name", "email", "phone"}
		statuses := kit.Tally(kit.AtOnce(8, func(i int) *kit.Response {
			value := fmt.Sprintf("%d", i)
			if i%3 == 1 {
				value += "@example.org"
			}
			return ana.Patch(path, kit.Object{names[i%3]: value})
		}))
		assert.Equal(t, map[int]int{http.StatusOK: 8}, statuses)
		assert.EqualValues(t, 9, ana.Get(path).JSON["version"])
		history := ana.Get(path + "history/").Expect(http.StatusOK)
		assert.Len(t, history.Results(), 9)
		last := kit.Object{}
		for i := len(history.Results()) - 1; i >= 0; i-- { // each entry goes on from where the one before it ended
			for field, change := range history.Results()[i]["changes"].(kit.Object) {
				c := change.(kit.Object)
				if before, known := last[field]; known {
					assert.Equal(t, before, c["from"], field)
				}
				last[field] = c["to"]
			}
		}
		for _, name := range names {
			assert.Equal(t, last[name], ana.Get(path).JSON[name])
		}
	})
}

func TestWhatChangesNothingKeepsTheVersion(t *testing.T) {
	onVersioned(t, func(t *testing.T, api *kit.API, ana *kit.Client, path string) {
		before := ana.Get(path)
		writes := "SELECT count(*) FROM events WHERE action NOT IN ('read', 'list')"
		events := api.Count(writes)
		for _, same := range []*kit.Response{
			ana.Put(path, before.JSON), ana.Patch(path, before.JSON), ana.Patch(path, kit.Object{}),
			ana.Patch(path, kit.Object{"name": "  " + before.JSON["name"].(string) + " ", "version": 99, "created_at": "x", "id": 5}),
			ana.Do("PUT", path, before.JSON, "If-Match", `"1"`),
		} {
			same.Expect(http.StatusOK)
			assert.Equal(t, before.Raw, same.Raw)
			assert.Equal(t, `"1"`, same.Header.Get("ETag"))
		}
		assert.Equal(t, events, api.Count(writes))
		assert.Len(t, ana.Get(path+"history/").Results(), 1)
	})
}
