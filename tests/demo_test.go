package tests

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// demoData is all that the demonstration stored, but for the times.
func demoData(api *API) []string {
	api.t.Helper()
	var data []string
	for _, query := range []string{
		"SELECT id || '|' || name || '|' || date_of_birth || gender || phone || email || address || blood_group || allergies || medical_history || '|' || version FROM patients ORDER BY id",
		"SELECT id || '|' || name || '|' || specialization || email || phone || license_number || years_of_experience FROM doctors ORDER BY id",
		"SELECT id || '|' || patient_id || '|' || doctor_id || '|' || (deleted_at IS NULL) FROM mappings ORDER BY id",
	} {
		rows, err := api.sql().Query(query)
		require.NoError(api.t, err)
		for rows.Next() {
			var row string
			require.NoError(api.t, rows.Scan(&row))
			data = append(data, row)
		}
		require.NoError(api.t, rows.Err())
		require.NoError(api.t, rows.Close())
	}
	return data
}

func TestDemoInventsAClinic(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(*testing.T) string{"sqlite": freshSQLite, "postgres": freshPostgres} {
		t.Run(name+": the same each time, into an empty database", func(t *testing.T) {
			t.Parallel()
			first, second := start(t, baseConfig(fresh(t))), start(t, baseConfig(fresh(t)))
			code, says := first.cli("", "demo")
			require.Zero(t, code, says)
			assert.NotContains(t, says, "%", "a progress bar without a terminal")
			assert.Contains(t, says, "password: harbour lantern 42 cedar\nfor demonstration only")
			code, _ = second.cli("", "demo")
			require.Zero(t, code)
			assert.Equal(t, demoData(first), demoData(second))

			code, says = first.cli("", "demo")
			assert.Equal(t, 1, code)
			assert.Contains(t, says, "--force")
			assert.Equal(t, demoData(second), demoData(first), "a refused run must store nothing")

			demo := loginToDemo(first, "demo")
			patients := demo.Get("/api/patients/?page_size=100").Expect(http.StatusOK)
			assert.EqualValues(t, 200, patients.JSON["count"])
			assert.EqualValues(t, 12, demo.Get("/api/doctors/").JSON["count"])
			assert.GreaterOrEqual(t, demo.Get("/api/mappings/").JSON["count"], 250.0)
			assert.GreaterOrEqual(t, first.count("SELECT count(*) FROM mappings WHERE deleted_at IS NOT NULL"), 5)
			assert.GreaterOrEqual(t, first.count("SELECT count(*) FROM patients WHERE version > 1"), 20)
			assert.NotEmpty(t, demo.Get("/api/patients/?search=M%C3%9CLLER").Results())
			assert.Equal(t, false, demo.Get("/api/auth/me/").JSON["is_staff"])
		})
		t.Run(name+": once more with --force", func(t *testing.T) {
			t.Parallel()
			api := start(t, baseConfig(fresh(t)))
			taken := api.User("demo")
			taken.Patch("/api/auth/me/", map[string]any{"email": "demo2@example.org"}).Expect(http.StatusOK)
			for _, name := range []string{"demo3", "demo4"} {
				code, says := api.cli("", "demo", "--force")
				require.Zero(t, code, says)
				assert.Contains(t, says, "username: "+name+"\n")
				assert.EqualValues(t, 200, loginToDemo(api, name).Get("/api/patients/").JSON["count"])
			}
			assert.Equal(t, 24, api.count("SELECT count(*) FROM doctors"))
			assert.Empty(t, taken.Get("/api/patients/").Results())
		})
		t.Run(name+": an interrupt stops it", func(t *testing.T) {
			t.Parallel()
			api := start(t, baseConfig(fresh(t)))
			ctx, interrupt := context.WithCancel(t.Context())
			var says logBuffer
			ended := make(chan int)
			go func() { ended <- api.command(ctx, nil, &says, "demo") }()
			require.Eventually(t, func() bool { return api.count("SELECT count(*) FROM patients") > 0 }, waitLimit, time.Millisecond)
			interrupt()
			assert.Equal(t, 1, <-ended)
			assert.Equal(t, "healthcare: stopped: a part of the clinic is in the database already\n", says.String())
			assert.Less(t, api.count("SELECT count(*) FROM patients"), 200)
		})
	}
}

// loginToDemo logs in with the password that every demonstration has.
func loginToDemo(api *API, name string) *Client {
	api.t.Helper()
	c := api.Nobody()
	r := c.Post("/api/auth/login/", map[string]any{"username": name, "password": "harbour lantern 42 cedar"}).Expect(http.StatusOK)
	c.Token = r.JSON["access"].(string)
	return c
}
