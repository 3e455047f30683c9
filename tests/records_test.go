package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// onBothRecords runs a test for patients and for doctors.
func onBothRecords(t *testing.T, test func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record)) {
	t.Helper()
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for _, kind := range kit.Records {
			test(t, api, c, kind)
		}
	})
}

// oneOf is the path of the record in an answer.
func oneOf(kind kit.Record, r *kit.Response) string { return fmt.Sprintf("%s%d/", kind.Path, r.ID()) }

func TestCreatingAnswersWithTheWholeObject(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		for _, body := range []kit.Object{kind.Required, kind.Full} {
			r := c.Post(kind.Path, body).Expect(http.StatusCreated)
			assert.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, r.JSON["created_at"])
			readOnly := kit.Object{
				"id": r.JSON["id"], "created_by": float64(c.ID), "version": 1.0, "created_at": r.JSON["created_at"], "updated_at": r.JSON["created_at"],
			}
			assert.Equal(t, kit.Merge(kind.Defaults, body, readOnly), r.JSON)
			assert.Equal(t, r.JSON, c.Get(oneOf(kind, r)).Expect(http.StatusOK).JSON)
		}
		assert.Equal(t, 2.0, c.Get(kind.Path).Expect(http.StatusOK).JSON["count"])
	})
}

func TestPutReplacesTheWholeObject(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		made := c.Post(kind.Path, kind.Full).Expect(http.StatusCreated)
		one := oneOf(kind, made)
		r := c.Put(one, kind.Required).Expect(http.StatusOK)
		assert.NotEqual(t, made.JSON["updated_at"], r.JSON["updated_at"])
		want := kit.Merge(made.JSON, kind.Defaults, kind.Required, kit.Object{"version": 2.0, "updated_at": r.JSON["updated_at"]})
		assert.Equal(t, want, r.JSON)
		assert.Equal(t, want, c.Get(one).Expect(http.StatusOK).JSON)

		before := api.Contents()
		for name := range kind.Required {
			body := kit.Merge(kind.Full)
			delete(body, name)
			assert.Equal(t, "This field is required.", c.Put(one, body).Expect(http.StatusBadRequest).Error(name))
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestPatchChangesWhatItNames(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		now := c.Post(kind.Path, kind.Full).Expect(http.StatusCreated)
		one := oneOf(kind, now)
		for name, value := range kind.Defaults {
			for _, step := range []struct{ set, becomes any }{{nil, value}, {kind.Full[name], kind.Full[name]}} {
				r := c.Patch(one, kit.Object{name: step.set}).Expect(http.StatusOK)
				want := kit.With(now.JSON, name, step.becomes, "version", now.JSON["version"].(float64)+1, "updated_at", r.JSON["updated_at"])
				assert.Equal(t, want, r.JSON, name)
				assert.Equal(t, r.JSON, c.Get(one).JSON)
				now = r
			}
		}
		for name := range kind.Required {
			assert.Equal(t, "This field may not be null.", c.Patch(one, kit.Object{name: nil}).Expect(http.StatusBadRequest).Error(name))
		}
		assert.Equal(t, now.JSON, c.Get(one).JSON)
	})
}

func TestWhatGetReturnedCanBePutBackAndChangesNothing(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		for _, body := range []kit.Object{kind.Required, kind.Full} {
			one := oneOf(kind, c.Post(kind.Path, body).Expect(http.StatusCreated))
			got, stored := c.Get(one).JSON, api.Contents()
			assert.Equal(t, got, c.Put(one, got).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Put(one, body).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, got).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, kit.Object{}).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, kit.Object{"name": "  " + body["name"].(string) + "\n"}).Expect(http.StatusOK).JSON)
			assert.Equal(t, stored, api.Contents())
		}
	})
}

func TestReadOnlyFieldsOfARecordAreIgnored(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		readOnly := kit.Object{"id": 99, "created_by": 99, "version": "seven", "created_at": nil, "updated_at": []int{1}}
		made := c.Post(kind.Path, kit.Merge(kind.Required, readOnly)).Expect(http.StatusCreated)
		assert.NotEqual(t, 99, made.ID())
		assert.EqualValues(t, c.ID, made.JSON["created_by"])
		one, stored := oneOf(kind, made), api.Contents()
		assert.Equal(t, made.JSON, c.Put(one, kit.Merge(kind.Required, readOnly)).Expect(http.StatusOK).JSON)
		assert.Equal(t, made.JSON, c.Patch(one, readOnly).Expect(http.StatusOK).JSON)
		assert.Equal(t, stored, api.Contents())
	})
}

func TestAFieldThatDoesNotExistIsNamed(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		one := oneOf(kind, c.Post(kind.Path, kind.Required).Expect(http.StatusCreated))
		before := api.Contents()
		for _, name := range []string{"nmae", "Name", "NAME", "deleted_at", "name_key", "search_text", "owner_id", "Creator", "", "$where", "nämé"} {
			for _, r := range []*kit.Response{
				c.Post(kind.Path, kit.With(kind.Full, name, "x")), c.Put(one, kit.With(kind.Full, name, "x")), c.Patch(one, kit.Object{"name": "New", name: "x"}),
			} {
				assert.Equal(t, http.StatusBadRequest, r.Status, name)
				assert.Equal(t, kit.Object{name: []any{"There is no such field."}}, r.JSON["errors"], name)
			}
		}
		assert.Equal(t, before, api.Contents())
	})
}

func TestADeletedRecordIsGoneEverywhere(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *kit.API, c *kit.Client, kind kit.Record) {
		kept, gone := c.Post(kind.Path, kind.Required), c.Post(kind.Path, kind.Full)
		one := oneOf(kind, gone)
		assert.Empty(t, c.Delete(one).Expect(http.StatusNoContent).Header.Get("Content-Type"))
		for _, r := range []*kit.Response{c.Get(one), c.Put(one, kind.Required), c.Patch(one, kit.Object{"name": "Back"}), c.Delete(one)} {
			assert.Equal(t, http.StatusNotFound, r.Status)
			assert.Equal(t, "not_found", r.JSON["code"])
		}
		assert.Equal(t, []any{kept.JSON["id"]}, c.Get(kind.Path).Column("id"))
		assert.Empty(t, c.Get(kind.Path+"?search="+kind.Full["email"].(string)).Results())
		table := kind.Path[len("/api/") : len(kind.Path)-1]
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM "+table)) // nothing is erased
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM "+table+" WHERE deleted_at IS NOT NULL AND name <> 'Back'"))
		assert.NotEqual(t, gone.ID(), c.Post(kind.Path, kind.Required).Expect(http.StatusCreated).ID())
	})
}
