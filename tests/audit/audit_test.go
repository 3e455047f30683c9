package audit

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// trail spells the audit trail, oldest first: who, action, object, its id, whose data, outcome.
func trail(c *kit.Client, query string) []string {
	c.T.Helper()
	lines := []string{}
	for _, e := range c.Get(kit.Path("audit") + "?page_size=100" + query).Expect(http.StatusOK).Results() {
		who := "nobody"
		if user, known := e["user"].(kit.Object); known {
			who = user["username"].(string)
		}
		line := fmt.Sprint(who, " ", e["action"], " ", e["object"], " ", e["object_id"], " ", e["patient_ids"], " ", e["outcome"])
		lines = append([]string{line}, lines...)
	}
	return lines
}

func TestEveryReadAndWriteOfPatientDataIsAudited(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, q, d := ana.Patient("Ana"), ana.Patient("Bo"), ana.Doctor("Cy")
		steps := []struct {
			request *kit.Response
			says    []string
		}{
			{ana.Get(kit.Path("patients", p)), []string{"ana read patient 1 [1] ok"}},
			{ana.Do("HEAD", kit.Path("patients", p), nil), []string{"ana read patient 1 [1] ok"}},
			{ana.Do("GET", kit.Path("patients", p), nil, "If-None-Match", `"1"`), []string{"ana read patient 1 [1] ok"}},
			{ana.Get(kit.Path("patients")), []string{"ana list patient <nil> [2 1] ok"}},
			{ana.Get(kit.Path("patients") + "?page_size=1&page=2"), []string{"ana list patient <nil> [1] ok"}},
			{ana.Get(kit.Path("patients") + "?search=nobody"), []string{"ana list patient <nil> [] ok"}},
			{ana.Patch(kit.Path("patients", p), kit.Object{"name": "Zoe"}), []string{"ana update patient 1 [1] ok"}},
			{ana.Patch(kit.Path("patients", p), kit.Object{}), []string{"ana read patient 1 [1] ok"}}, // it shows the patient
			{ana.Once(kit.Path("patients"), kit.Object{"name": "Di"}, "k"), []string{"ana create patient 3 [3] ok"}},
			{ana.Once(kit.Path("patients"), kit.Object{"name": "Di"}, "k"), []string{"ana read patient 3 [3] ok"}},
			{ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d}), []string{"ana assign mapping 1 [1] ok"}},
			{ana.Get(kit.Path("mappings")), []string{"ana list mapping <nil> [1] ok"}},
			{ana.Get(kit.Path("mappings", p)), []string{"ana list mapping <nil> [1] ok"}},
			{ana.Get(kit.Path("doctor", "mappings", q)), []string{"ana list mapping <nil> [2] ok"}},
			{ana.Get(kit.Path("patients", p, "history")), []string{"ana read patient 1 [1] ok"}},
			{ana.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}), []string{"ana unassign mapping 1 [1] ok"}},
			{boss.Get(kit.Path("patients", p)), []string{"boss read patient 1 [1] ok"}},
			{ana.Delete(kit.Path("patients", q)), []string{"ana delete patient 2 [2] ok"}},
			{boss.Get(kit.Path("patients") + "?deleted=true"), []string{"boss list patient <nil> [2] ok"}},
			{boss.Post(kit.Path("patients", q, "restore"), nil), []string{"boss restore patient 2 [2] ok"}},
			{boss.Post(kit.Path("patients", q, "restore"), nil), []string{"boss read patient 2 [2] ok"}},
			{ana.Get(kit.Path("doctors")), nil},
			{ana.Get(kit.Path("doctors", d)), nil},
			{ana.Get("/api/auth/me/"), nil},
		}
		want := []string{"ana create patient 1 [1] ok", "ana create patient 2 [2] ok", "ana create doctor 1 [] ok"}
		for _, s := range steps {
			require.Less(t, s.request.Status, 400, s.request.Raw)
			want = append(want, s.says...)
		}
		got := trail(boss, "")
		assert.ElementsMatch(t, want, got) // reads may be stored after a write that followed them
		assert.Len(t, trail(boss, ""), len(want), "looking at the trail adds nothing to it")
	})
}

func TestWhatIsRefusedIsAuditedWithItsOutcome(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, eve, boss := api.User("ana"), api.User("eve"), api.Staff("boss")
		p, d := ana.Patient("Ana"), ana.Doctor("Cy")
		m := ana.Assign(p, d).Expect(http.StatusCreated).ID()
		for _, r := range []*kit.Response{
			eve.Get(kit.Path("patients", p)), eve.Patch(kit.Path("patients", p), kit.Object{"name": "X"}), eve.Put(kit.Path("patients", p), kit.Object{"name": "X"}),
			eve.Delete(kit.Path("patients", p)), eve.Get(kit.Path("patients", p, "history")), eve.Get(kit.Path("mappings", p)), eve.Delete(kit.Path("mappings", m)),
			eve.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}), eve.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d}),
			eve.Patch(kit.Path("doctors", d), kit.Object{"name": "X"}),
			ana.Patch(kit.Path("patients", p), kit.Object{"name": ""}), ana.Do("PATCH", kit.Path("patients", p), kit.Object{"name": "X"}, "If-Match", `"9"`),
			ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d}), boss.Post(kit.Path("patients", 99, "restore"), nil),
		} {
			assert.GreaterOrEqual(t, r.Status, 400, r.Raw)
		}
		assert.ElementsMatch(t, []string{
			"ana create patient 1 [1] ok", "ana create doctor 1 [] ok", "ana assign mapping 1 [1] ok",
			"eve read patient 1 [1] not_found", "eve update patient 1 [1] not_found", "eve update patient 1 [1] not_found",
			"eve delete patient 1 [1] not_found", "eve read patient 1 [1] not_found", "eve list mapping <nil> [1] not_found",
			"eve unassign mapping 1 [] not_found", "eve unassign mapping <nil> [1] not_found", "eve assign mapping <nil> [1] invalid",
			"eve update doctor 1 [] permission_denied", "ana update patient 1 [1] invalid", "ana update patient 1 [1] precondition_failed",
			"ana assign mapping <nil> [1] conflict", "boss restore patient 99 [99] not_found",
		}, trail(boss, ""))
	})
}

func TestAnAuditLineTellsWhenAndFromWhere(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		before := time.Now().UTC().Truncate(time.Microsecond)
		ana.Do("POST", kit.Path("patients"), kit.Object{"name": "Ana"}, "X-Request-ID", "the-request").Expect(http.StatusCreated)
		e := boss.Get(kit.Path("audit")).Results()[0]
		when, err := time.Parse(time.RFC3339Nano, e["at"].(string))
		require.NoError(t, err)
		assert.WithinRange(t, when, before, time.Now())
		delete(e, "at")
		assert.Equal(t, kit.Object{
			"id": 1.0, "user": kit.Object{"id": float64(ana.ID), "username": "ana"}, "action": "create", "object": "patient", "object_id": 1.0,
			"patient_ids": []any{1.0}, "address": "127.0.0.1", "outcome": "ok", "request_id": "the-request", "reason": "",
		}, e)
	})
}

func TestStaffFilterTheAuditTrail(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, bob, boss := api.User("ana"), api.User("bob"), api.Staff("boss")
		p := ana.Patient("Ana")
		bob.Patient("Bo")
		moment := time.Now().UTC()
		boss.Get(kit.Path("patients")).Expect(http.StatusOK)
		bob.Get(kit.Path("patients", p)).Expect(http.StatusNotFound)
		created, read := "ana create patient 1 [1] ok", "boss list patient <nil> [2 1] ok"
		refused, other := "bob read patient 1 [1] not_found", "bob create patient 2 [2] ok"
		since := "&since=" + url.QueryEscape(moment.Format(time.RFC3339Nano))
		until := "&until=" + url.QueryEscape(moment.Format(time.RFC3339Nano))
		today := moment.Format(time.DateOnly)
		for query, want := range map[string][]string{
			"&patient_id=1": {created, read, refused}, "&patient_id=2": {other, read}, "&patient_id=3": {},
			"&patient_id=-1": {}, "&patient_id=-2": {}, "&patient_id=0": {}, "&patient_id=-0": {}, "&patient_id=-9223372036854775808": {}, "&patient_id=%2B2": {other, read},
			"&user_id=" + fmt.Sprint(bob.ID): {other, refused}, "&action=create": {created, other}, "&action=list": {read},
			"&action=restore": {}, since: {read, refused}, until: {created, other}, "&patient_id=1&action=create": {created},
			"&patient_id=2&user_id=" + fmt.Sprint(boss.ID): {read}, "&since=2020-01-01&until=2020-12-31": {}, "&since=" + today + "&action=list": {read},
			"&until=9999-12-31": {created, other, read, refused}, "&since=0001-01-01": {created, other, read, refused}, "&unknown=1": {created, other, read, refused},
			"&since=" + moment.Add(-time.Hour).In(time.FixedZone("", 7200)).Format(time.RFC3339): {created, other, read, refused}, // a + not escaped
		} {
			assert.ElementsMatch(t, want, trail(boss, query), query)
		}
		for _, wrong := range []string{"patient_id=x", "patient_id=1.5", "user_id=ana", "action=destroy", "since=yesterday", "until=2026-13-01", "since=0000-01-01"} {
			name, _, _ := strings.Cut(wrong, "=")
			assert.NotEmpty(t, boss.Get(kit.Path("audit")+"?"+wrong).Expect(http.StatusBadRequest).Error(name), wrong)
		}
		ana.Get(kit.Path("audit")).Expect(http.StatusForbidden)
		api.Nobody().Get(kit.Path("audit")).Expect(http.StatusUnauthorized)
		page := boss.Get(kit.Path("audit") + "?page_size=3").Expect(http.StatusOK)
		assert.EqualValues(t, 4, page.JSON["count"])
		assert.NotNil(t, page.JSON["next"])
	})
}

func TestEventsAreOnlyEverAdded(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana").Patient("Ana")
		api.Seal()
		before := api.Rows("SELECT * FROM events")
		statements := []string{"UPDATE events SET user_id = 9", "UPDATE events SET id = id WHERE false", "DELETE FROM events", "UPDATE seals SET mac = ''", "DELETE FROM seals"}
		if api.IsPostgres() {
			statements = append(statements, "TRUNCATE events", "TRUNCATE seals")
		} else {
			statements = append(statements[:1], statements[2:]...) // there a trigger is of rows
		}
		for _, s := range statements {
			_, err := api.SQL().Exec(s)
			assert.ErrorContains(t, err, "append-only", s)
		}
		assert.Equal(t, before, api.Rows("SELECT * FROM events"))
		api.Config.Migrated = false
		kit.Start(t, api.Config) // another start leaves it so
		_, err := api.SQL().Exec("DELETE FROM events")
		assert.ErrorContains(t, err, "append-only")
	})
}

func TestAWriteAndItsEventAreOneTransaction(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := api.User("ana"), api.Staff("boss")
		p, d, d2 := ana.Patient("Ana"), ana.Doctor("Cy"), ana.Doctor("Di")
		m := ana.Assign(p, d).Expect(http.StatusCreated).ID()
		gone := ana.Patient("Gone")
		ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)
		state := func() []string {
			return append(append(api.Rows("SELECT * FROM patients ORDER BY id"), api.Rows("SELECT * FROM doctors ORDER BY id")...), api.Rows("SELECT * FROM mappings ORDER BY id")...)
		}
		before := state()
		if api.IsPostgres() {
			api.Exec("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.outcome = 'ok') EXECUTE FUNCTION refuse()")
		} else {
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.outcome = 'ok' BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		for _, r := range []*kit.Response{
			ana.Post(kit.Path("patients"), kit.Object{"name": "X"}), ana.Patch(kit.Path("patients", p), kit.Object{"name": "X"}), ana.Delete(kit.Path("patients", p)),
			ana.Post(kit.Path("doctors"), kit.Object{"name": "X", "specialization": "X"}), ana.Patch(kit.Path("doctors", d), kit.Object{"name": "X"}), ana.Delete(kit.Path("doctors", d)),
			ana.Post(kit.Path("mappings"), kit.Object{"patient_id": p, "doctor_id": d2}), ana.Delete(kit.Path("mappings", m)),
			ana.Post(kit.Path("doctor", "mappings", p, "remove"), kit.Object{"doctor_id": d}), boss.Post(kit.Path("patients", gone, "restore"), nil),
		} {
			r.Expect(http.StatusInternalServerError)
		}
		assert.Equal(t, before, state())
		if api.IsPostgres() {
			api.Exec("DROP TRIGGER refuse ON events")
		} else {
			api.Exec("DROP TRIGGER refuse")
		}
		trail(boss, "&action=create")
		assert.Equal(t, 8, api.Count("SELECT count(*) FROM events WHERE outcome = 'error'"), "all but the creations, which were of nothing yet")
	})
}

func TestReadsAreStoredWithinASecondAndAtTheLatestWhenTheServerStops(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		p := ana.Patient("Ana")
		reads := "SELECT count(*) FROM events WHERE action = 'read'"
		ana.Get(kit.Path("patients", p)).Expect(http.StatusOK)
		require.Eventually(t, func() bool { return api.Count(reads) == 1 }, kit.WaitLimit, 10*time.Millisecond)

		t.Run("until it stops", func(t *testing.T) {
			other := ana.At(kit.Start(t, api.Config))
			for range 5 {
				other.Get(kit.Path("patients", p)).Expect(http.StatusOK)
			}
		})
		assert.Equal(t, 6, api.Count(reads))
		report, err := api.DB.VerifyAudit(context.Background(), "", func(int64, int64) {})
		require.NoError(t, err)
		assert.Zero(t, report.Unsealed, "what is stored at the end is sealed too")
	})
}
