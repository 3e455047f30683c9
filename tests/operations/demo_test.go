package operations

import (
	"context"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// demoData is all that the demonstration stored, but for the times.
func demoData(api *kit.API) []string {
	api.T.Helper()
	var data []string
	for _, query := range []string{
		"SELECT id || '|' || name || '|' || date_of_birth || gender || phone || email || address || blood_group || allergies || medical_history || '|' || version FROM patients ORDER BY id",
		"SELECT id || '|' || name || '|' || specialization || email || phone || license_number || years_of_experience FROM doctors ORDER BY id",
		"SELECT id || '|' || patient_id || '|' || doctor_id || '|' || (deleted_at IS NULL) FROM mappings ORDER BY id",
	} {
		data = append(data, api.Rows(query)...)
	}
	return data
}

func TestDemoInventsAClinic(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	for name, fresh := range kit.Fresh {
		t.Run(name+": the same each time, into an empty database", func(t *testing.T) {
			t.Parallel()
			first, second := kit.Start(t, kit.BaseConfig(fresh(t))), kit.Start(t, kit.BaseConfig(fresh(t)))
			code, says := first.RunCommand("", "demo")
			require.Zero(t, code, says)
			assert.NotContains(t, says, "%", "a progress bar without a terminal")
			assert.Contains(t, says, "username: demo\n  password: harbour lantern 42 cedar\nfor demonstration only")
			assert.Regexp(t, `\nNext: .*/docs.*README\.md.*\n$`, says)
			code, alsoSays := second.RunCommand("", "demo")
			require.Zero(t, code)
			assert.Equal(t, demoData(first), demoData(second))

			code, refusal := first.RunCommand("", "demo")
			assert.Equal(t, 1, code)
			assert.Contains(t, refusal, "--force")
			assert.Equal(t, demoData(second), demoData(first), "a refused run must store nothing")

			demo := loginToDemo(first, "demo")
			patients := demo.Get("/api/patients/?page_size=100").Expect(http.StatusOK)
			assert.EqualValues(t, 200, patients.JSON["count"])
			assert.EqualValues(t, 12, demo.Get("/api/doctors/").JSON["count"])
			assert.GreaterOrEqual(t, demo.Get("/api/mappings/").JSON["count"], 250.0)
			assert.GreaterOrEqual(t, first.Count("SELECT count(*) FROM mappings WHERE deleted_at IS NOT NULL"), 5)
			assert.GreaterOrEqual(t, first.Count("SELECT count(*) FROM patients WHERE version > 1"), 20)
			assert.NotEmpty(t, demo.Get("/api/patients/?search=M%C3%9CLLER").Results())
			assert.Equal(t, false, demo.Get("/api/auth/me/").JSON["is_staff"])
			staff, secret := staffOfDemo(first, says)
			assert.Equal(t, []any{"demo-staff", true}, []any{staff.JSON["username"], staff.JSON["is_staff"]})
			_, another := staffOfDemo(second, alsoSays)
			assert.NotEqual(t, secret, another, "a password of staff that everybody knows")
		})
		t.Run(name+": once more with --force", func(t *testing.T) {
			t.Parallel()
			api := kit.Start(t, kit.BaseConfig(fresh(t)))
			taken := api.User("demo")
			taken.Patch("/api/auth/me/", kit.Object{"email": "demo2@example.org"}).Expect(http.StatusOK)
			for _, name := range []string{"demo3", "demo4"} {
				code, says := api.RunCommand("", "demo", "--force")
				require.Zero(t, code, says)
				assert.Contains(t, says, "username: "+name+"\n")
				assert.EqualValues(t, 200, loginToDemo(api, name).Get("/api/patients/").JSON["count"])
			}
			assert.Equal(t, 24, api.Count("SELECT count(*) FROM doctors"))
			assert.Empty(t, taken.Get("/api/patients/").Results())
		})
		t.Run(name+": an interrupt stops it", func(t *testing.T) {
			t.Parallel()
			api := kit.Start(t, kit.BaseConfig(fresh(t)))
			ctx, interrupt := context.WithCancel(t.Context())
			var says kit.Buffer
			ended := make(chan int)
			go func() { ended <- api.RunCommandTo(ctx, nil, &says, "demo") }()
			require.Eventually(t, func() bool { return api.Count("SELECT count(*) FROM patients") > 0 }, kit.WaitLimit, time.Millisecond)
			interrupt()
			assert.Equal(t, 1, <-ended)
			assert.Regexp(t, `^Using .*\nhealthcare: stopped: a part of the clinic is in the database already\n$`, says.String())
			assert.Less(t, api.Count("SELECT count(*) FROM patients"), 200)
		})
	}
}

// staffOfDemo logs in as the staff account that demo opened, and returns that account and its password.
func staffOfDemo(api *kit.API, says string) (account *kit.Response, password string) {
	api.T.Helper()
	found := regexp.MustCompile(`Or as staff\n  username: (\S+)\n  password: (\S+)\n`).FindStringSubmatch(says)
	require.NotNil(api.T, found, says)
	c := api.Nobody()
	c.Token = c.Post("/api/auth/login/", kit.Object{"username": found[1], "password": found[2]}).Expect(http.StatusOK).JSON["access"].(string)
	return c.Get("/api/auth/me/").Expect(http.StatusOK), found[2]
}

// loginToDemo logs in with the password that every demonstration has.
func loginToDemo(api *kit.API, name string) *kit.Client {
	api.T.Helper()
	c := api.Nobody()
	r := c.Post("/api/auth/login/", kit.Object{"username": name, "password": "harbour lantern 42 cedar"}).Expect(http.StatusOK)
	c.Token = r.JSON["access"].(string)
	return c
}
