package operations

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// started starts the program on the instance's database, and returns what it logs until it serves.
func started(api *kit.API) (running *kit.API, log string) {
	api.T.Helper()
	p := kit.Launch(api.T, api.T.TempDir(), nil, api.Environ()...)
	running = p.Serving()
	return running, p.Err.String()
}

func TestKeysOfNamesAreBroughtUpToDate(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, name := range []string{"ana", "eve", "twin", "tom"} {
			api.User(name)
		}
		// As an earlier version stored them: e-mails folded, but not in NFKC.
		api.Exec("UPDATE users SET email = 'Ｅve@example.org', email_key = 'ｅve@example.org' WHERE username = 'eve'")
		api.Exec("UPDATE users SET email = 'ａna@example.org', email_key = 'ａna@example.org' WHERE username = 'twin'")
		api.Exec("UPDATE users SET username = 'ﬁle', username_key = 'ﬁle' WHERE username = 'tom'")
		running, log := started(api)
		assert.Equal(t, []string{"1 ana ana@example.org", "2 eve eve@example.org", "3 twin ａna@example.org", "4 file tom@example.org"},
			api.Rows("SELECT id || ' ' || username_key || ' ' || email_key FROM users ORDER BY id"))
		assert.Regexp(t, `this one keeps its old key.*user"?[=:]3\b.*email_key`, log)
		kit.Absent(t, log, "example.org", "twin", "tom")

		for name, id := range map[string]float64{"eve@example.org": 2, "ＥＶＥ@example.org": 2, "ana@example.org": 1, "ａna@example.org": 1, "twin": 3, "file": 4} {
			assert.Equal(t, id, running.TryLogin(name, kit.Password).Expect(http.StatusOK).JSON["user"].(kit.Object)["id"], name)
		}
		// Whose e-mail another has changes all else, is disabled by staff, and takes another e-mail.
		twin := &kit.Client{T: t, API: api, Name: "twin", ID: 3}
		twin.Login()
		me := twin.Get(kit.MePath).JSON
		assert.Equal(t, "Tina", twin.Patch(kit.MePath, kit.With(me, "first_name", "Tina")).Expect(http.StatusOK).JSON["first_name"])
		staff := api.Staff("boss")
		for _, active := range []bool{false, true} {
			staff.Patch(twin.AccountPath(), kit.Object{"is_active": active}).Expect(http.StatusOK)
		}
		twin.Login()
		assert.Equal(t, http.StatusBadRequest, twin.Patch(kit.MePath, kit.Object{"email": "ANA@example.org"}).Status)
		twin.Patch(kit.MePath, kit.Object{"email": "twin@example.org"}).Expect(http.StatusOK)
		before := api.Contents()
		_, log = started(api)
		kit.Absent(t, log, "old key")
		assert.Equal(t, before, api.Contents())
	}, kit.MigrateAgain)
}

func TestLicenceNumbersOfAnEarlierVersionGetTheirKeys(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		for _, number := range []string{"C-1042", "D-1", "E-1", "E-2", "", "F-1"} {
			ana.Post("/api/doctors/", kit.Object{"name": "Dora", "specialization": "Surgery", "license_number": number}).Expect(http.StatusCreated)
		}
		ana.Delete("/api/doctors/6/").Expect(http.StatusNoContent)
		api.Exec("DROP INDEX doctors_license_key")
		api.Exec("ALTER TABLE doctors DROP COLUMN license_key")
		api.Exec("UPDATE doctors SET license_number = 'c-1042' WHERE id IN (3, 6)")
		api.Exec("UPDATE doctors SET license_number = 'Ｃ-1042' WHERE id = 4")
		api.Exec("CREATE UNIQUE INDEX doctors_license ON doctors (license_number) WHERE deleted_at IS NULL AND license_number <> ''")
		running, log := started(api)
		keys := "SELECT id || ' ' || coalesce(license_key, 'none') FROM doctors ORDER BY id"
		assert.Equal(t, []string{"1 c-1042", "2 d-1", "3 DOCTOR 3", "4 DOCTOR 4", "5 none", "6 c-1042"}, api.Rows(keys))
		assert.Regexp(t, `this one keeps a key of its own.*doctor"?[=:]3\b`, log)
		assert.Regexp(t, `this one keeps a key of its own.*doctor"?[=:]4\b`, log)
		kit.Absent(t, log, "1042", "Dora")
		kit.Absent(t, schemaOf(api), "doctors_license ", "doctors_license\n")

		ana.API = running
		ana.Patch("/api/doctors/3/", kit.Object{"phone": "1"}).Expect(http.StatusOK) // goes on as it is
		assert.Equal(t, http.StatusBadRequest, ana.Patch("/api/doctors/3/", kit.Object{"license_number": "C-1042"}).Status)
		assert.Equal(t, http.StatusBadRequest, ana.Patch("/api/doctors/2/", kit.Object{"license_number": "C-1042"}).Status)
		ana.Patch("/api/doctors/1/", kit.Object{"license_number": ""}).Expect(http.StatusOK)
		ana.Patch("/api/doctors/4/", kit.Object{"license_number": "G-1"}).Expect(http.StatusOK)
		schema := schemaOf(api)
		_, log = started(api)
		kit.Absent(t, log, "key of its own")
		assert.Equal(t, []string{"1 none", "2 d-1", "3 c-1042", "4 g-1", "5 none", "6 c-1042"}, api.Rows(keys))
		assert.Equal(t, schema, schemaOf(api))
	}, kit.MigrateAgain)
}
