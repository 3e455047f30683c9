package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// record is what patients and doctors have in common.
type record struct {
	path     string
	required object // the fields that a new one needs
	full     object // every field that a client writes
	defaults object // the optional fields of a new one
}

var records = []record{
	{
		"/api/patients/",
		object{"name": "Petra"},
		object{
			"name": "Petra Müller", "date_of_birth": "1984-02-29", "gender": "female", "phone": "+49 (0)30 123-45.6 x7/8", "email": "petra@example.org",
			"address": "Weg 1\n10115 Berlin", "blood_group": "AB-", "allergies": "Pollen 🌼", "medical_history": "Asthma",
		},
		object{
			"date_of_birth": nil, "gender": "unknown", "phone": "", "email": "", "address": "", "blood_group": "", "allergies": "", "medical_history": "",
		},
	},
	{
		"/api/doctors/",
		object{"name": "Dora", "specialization": "Surgery"},
		object{
			"name": "Dr. Dora Öz", "specialization": "Kardiologie", "email": "dora@example.org", "phone": "030/123", "license_number": "L-1", "years_of_experience": 0.0,
		},
		object{"email": "", "phone": "", "license_number": "", "years_of_experience": nil},
	},
}

// onBothRecords runs a test for patients and for doctors.
func onBothRecords(t *testing.T, test func(t *testing.T, api *API, c *Client, kind record)) {
	t.Helper()
	onBoth(t, func(t *testing.T, api *API) {
		c := api.User("ana")
		for _, kind := range records {
			test(t, api, c, kind)
		}
	})
}

// oneOf is the path of the record in an answer.
func oneOf(kind record, r *Response) string { return fmt.Sprintf("%s%d/", kind.path, r.ID()) }

func merged(objects ...object) object {
	all := object{}
	for _, o := range objects {
		for name, value := range o {
			all[name] = value
		}
	}
	return all
}

func TestCreatingAnswersWithTheWholeObject(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		for _, body := range []object{kind.required, kind.full} {
			r := c.Post(kind.path, body).Expect(http.StatusCreated)
			assert.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`, r.JSON["created_at"])
			readOnly := object{
				"id": r.JSON["id"], "created_by": float64(c.ID), "version": 1.0, "created_at": r.JSON["created_at"], "updated_at": r.JSON["created_at"],
			}
			assert.Equal(t, merged(kind.defaults, body, readOnly), r.JSON)
			assert.Equal(t, r.JSON, c.Get(oneOf(kind, r)).Expect(http.StatusOK).JSON)
		}
		assert.Equal(t, 2.0, c.Get(kind.path).Expect(http.StatusOK).JSON["count"])
	})
}

func TestPutReplacesTheWholeObject(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		made := c.Post(kind.path, kind.full).Expect(http.StatusCreated)
		one := oneOf(kind, made)
		r := c.Put(one, kind.required).Expect(http.StatusOK)
		assert.NotEqual(t, made.JSON["updated_at"], r.JSON["updated_at"])
		want := merged(made.JSON, kind.defaults, kind.required, object{"version": 2.0, "updated_at": r.JSON["updated_at"]})
		assert.Equal(t, want, r.JSON)
		assert.Equal(t, want, c.Get(one).Expect(http.StatusOK).JSON)

		before := api.contents()
		for name := range kind.required {
			body := merged(kind.full)
			delete(body, name)
			assert.Equal(t, "This field is required.", c.Put(one, body).Expect(http.StatusBadRequest).Error(name))
		}
		assert.Equal(t, before, api.contents())
	})
}

func TestPatchChangesWhatItNames(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		now := c.Post(kind.path, kind.full).Expect(http.StatusCreated)
		one := oneOf(kind, now)
		for name, value := range kind.defaults {
			for _, step := range []struct{ set, becomes any }{{nil, value}, {kind.full[name], kind.full[name]}} {
				r := c.Patch(one, object{name: step.set}).Expect(http.StatusOK)
				want := with(now.JSON, name, step.becomes, "version", now.JSON["version"].(float64)+1, "updated_at", r.JSON["updated_at"])
				assert.Equal(t, want, r.JSON, name)
				assert.Equal(t, r.JSON, c.Get(one).JSON)
				now = r
			}
		}
		for name := range kind.required {
			assert.Equal(t, "This field may not be null.", c.Patch(one, object{name: nil}).Expect(http.StatusBadRequest).Error(name))
		}
		assert.Equal(t, now.JSON, c.Get(one).JSON)
	})
}

func TestWhatGetReturnedCanBePutBackAndChangesNothing(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		for _, body := range []object{kind.required, kind.full} {
			one := oneOf(kind, c.Post(kind.path, body).Expect(http.StatusCreated))
			got, stored := c.Get(one).JSON, api.contents()
			assert.Equal(t, got, c.Put(one, got).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Put(one, body).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, got).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, object{}).Expect(http.StatusOK).JSON)
			assert.Equal(t, got, c.Patch(one, object{"name": "  " + body["name"].(string) + "\n"}).Expect(http.StatusOK).JSON)
			assert.Equal(t, stored, api.contents())
		}
	})
}

func TestReadOnlyFieldsOfARecordAreIgnored(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		readOnly := object{"id": 99, "created_by": 99, "version": "seven", "created_at": nil, "updated_at": []int{1}}
		made := c.Post(kind.path, merged(kind.required, readOnly)).Expect(http.StatusCreated)
		assert.NotEqual(t, 99, made.ID())
		assert.EqualValues(t, c.ID, made.JSON["created_by"])
		one, stored := oneOf(kind, made), api.contents()
		assert.Equal(t, made.JSON, c.Put(one, merged(kind.required, readOnly)).Expect(http.StatusOK).JSON)
		assert.Equal(t, made.JSON, c.Patch(one, readOnly).Expect(http.StatusOK).JSON)
		assert.Equal(t, stored, api.contents())
	})
}

func TestAFieldThatDoesNotExistIsNamed(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		one := oneOf(kind, c.Post(kind.path, kind.required).Expect(http.StatusCreated))
		before := api.contents()
		for _, name := range []string{"nmae", "Name", "NAME", "deleted_at", "name_key", "search_text", "owner_id", "Creator", "", "$where", "nämé"} {
			for _, r := range []*Response{
				c.Post(kind.path, with(kind.full, name, "x")), c.Put(one, with(kind.full, name, "x")), c.Patch(one, object{"name": "New", name: "x"}),
			} {
				assert.Equal(t, http.StatusBadRequest, r.Status, name)
				assert.Equal(t, object{name: []any{"There is no such field."}}, r.JSON["errors"], name)
			}
		}
		assert.Equal(t, before, api.contents())
	})
}

func TestADeletedRecordIsGoneEverywhere(t *testing.T) {
	onBothRecords(t, func(t *testing.T, api *API, c *Client, kind record) {
		kept, gone := c.Post(kind.path, kind.required), c.Post(kind.path, kind.full)
		one := oneOf(kind, gone)
		assert.Empty(t, c.Delete(one).Expect(http.StatusNoContent).Header.Get("Content-Type"))
		for _, r := range []*Response{c.Get(one), c.Put(one, kind.required), c.Patch(one, object{"name": "Back"}), c.Delete(one)} {
			assert.Equal(t, http.StatusNotFound, r.Status)
			assert.Equal(t, "not_found", r.JSON["code"])
		}
		assert.Equal(t, []any{kept.JSON["id"]}, c.Get(kind.path).Column("id"))
		assert.Empty(t, c.Get(kind.path+"?search="+kind.full["email"].(string)).Results())
		table := kind.path[len("/api/") : len(kind.path)-1]
		assert.Equal(t, 2, api.count("SELECT count(*) FROM "+table)) // nothing is erased
		assert.Equal(t, 1, api.count("SELECT count(*) FROM "+table+" WHERE deleted_at IS NOT NULL AND name <> 'Back'"))
		assert.NotEqual(t, gone.ID(), c.Post(kind.path, kind.required).Expect(http.StatusCreated).ID())
	})
}
