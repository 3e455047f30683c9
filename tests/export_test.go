package tests

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"healthcare/tabular"
	"healthcare/tests/kit"
)

// insertPatients adds so many patients of the client, each with a text of so many letters.
func insertPatients(c *kit.Client, n, letters int) {
	c.T.Helper()
	c.API.Exec(fmt.Sprintf("INSERT INTO patients (name, gender, phone, email, address, blood_group, allergies, medical_history, created_by, created_at, updated_at, version, name_key, search_text)"+
		" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"+
		" SELECT 'P' || i, 'unknown', '', '', '', '', '', '%s', %d, %s, %s, 1, 'p' || i, 'p' || i FROM n",
		n, strings.Repeat("x", letters), c.ID, kit.Ago(time.Hour), kit.Ago(time.Hour)))
}

func readCSV(t *testing.T, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	for _, row := range rows {
		for i := range row {
			row[i] = tabular.Unescape(row[i])
		}
	}
	return rows
}

func readXLSX(t *testing.T, text string) [][]string {
	t.Helper()
	book, err := excelize.OpenReader(strings.NewReader(text))
	require.NoError(t, err)
	defer func() { _ = book.Close() }()
	rows, err := book.GetRows(book.GetSheetName(0))
	require.NoError(t, err)
	return rows
}

func TestAnExportHoldsTheWholeListInEachFormat(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, ben := api.User("ana"), api.User("ben")
		insertPatients(ana, 600, 1) // several batches, all of one time
		ben.Patient("Ben's")
		r := ana.Get("/api/patients/export/").Expect(http.StatusOK)
		today := time.Now().UTC().Format(time.DateOnly)
		assert.Contains(t, r.Header.Get("Content-Disposition"), `attachment; filename="patients-`+today[:8])
		assert.Equal(t, "text/csv; charset=utf-8", r.Header.Get("Content-Type"))
		rows := readCSV(t, r.Raw)
		assert.Equal(t, "id,name,date_of_birth,gender,phone,email,address,blood_group,allergies,medical_history,created_by,created_at,updated_at,version",
			strings.Join(rows[0], ","))
		ids := map[string]bool{}
		for _, row := range rows[1:] {
			ids[row[0]] = true
		}
		assert.Len(t, rows, 601)
		assert.Len(t, ids, 600, "a row came twice")

		sheet := readXLSX(t, ana.Get("/api/patients/export/?format=xlsx").Expect(http.StatusOK).Raw)
		assert.Equal(t, rows, sheet)

		lines := strings.Split(strings.TrimSpace(ana.Get("/api/patients/export/?format=jsonl").Expect(http.StatusOK).Raw), "\n")
		assert.Len(t, lines, 600)
		var last kit.Object
		require.NoError(t, json.Unmarshal([]byte(lines[599]), &last))
		assert.Equal(t, ana.Get(kit.Path("patients", int(last["id"].(float64)))).JSON, last)
		assert.Equal(t, "\uFEFFid", ben.Get("/api/patients/export/?bom=true").Expect(http.StatusOK).Raw[:5])
	})
}

func TestAnExportHasTheListsFiltersAndRights(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := kit.EveryTable(api), api.Staff("boss")
		ben := api.User("ben")
		gone := ana.Patient("Gone")
		ana.Post("/api/patients/", kit.Object{"name": "Fritz", "gender": "male"}).Expect(http.StatusCreated)
		ana.Delete(kit.Path("patients", gone)).Expect(http.StatusNoContent)
		names := func(c *kit.Client, path string) (names []string) {
			for _, row := range readCSV(t, c.Get(path).Expect(http.StatusOK).Raw)[1:] {
				names = append(names, row[1])
			}
			return names
		}
		assert.Equal(t, []string{"Fritz", "Petra"}, names(ana, "/api/patients/export/"))
		assert.Equal(t, []string{"Fritz"}, names(ana, "/api/patients/export/?gender=male"))
		assert.Equal(t, []string{"Petra"}, names(ana, "/api/patients/export/?search=pet"))
		assert.Equal(t, []string{"Petra", "Fritz"}, names(ana, "/api/patients/export/?ordering=-name"))
		assert.Empty(t, names(ben, "/api/patients/export/"))
		assert.Equal(t, []string{"Gone"}, names(boss, "/api/patients/export/?deleted=true"))
		assert.Equal(t, []string{"Fritz", "Petra"}, names(boss, fmt.Sprintf("/api/patients/export/?created_by=%d", ana.ID)))
		assert.Equal(t, []string{"Dora"}, names(ben, "/api/doctors/export/"))
		assert.Len(t, readCSV(t, ana.Get("/api/mappings/export/").Expect(http.StatusOK).Raw), 2)
		assert.Len(t, readCSV(t, ben.Get("/api/mappings/export/").Expect(http.StatusOK).Raw), 1)

		none := ben.Get("/api/mappings/export/?format=jsonl").Expect(http.StatusOK)
		assert.Equal(t, "", none.Raw)
		assert.Contains(t, none.Header.Get("Content-Disposition"), ".jsonl")

		ben.Get("/api/patients/export/?deleted=true").Expect(http.StatusForbidden)
		r := ben.Get("/api/patients/export/?format=pdf&bom=perhaps").Expect(http.StatusBadRequest)
		assert.Contains(t, r.Error("format"), "csv, xlsx, jsonl")
		assert.Contains(t, r.Error("bom"), "true or false")
		assert.NotEmpty(t, ben.Get("/api/patients/export/?gender=blue").Expect(http.StatusBadRequest).Error("gender"))
		api.Nobody().Get("/api/patients/export/").Expect(http.StatusUnauthorized)
	})
}

func TestNoCellOfAnExportIsAFormulaAndEachComesBack(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		hostile := []string{
			`=HYPERLINK("http://evil.example","x")`, "+1", "-2+3", "@SUM(A1)", "'=1", "''=1", "'", "''", "'Ali", "a,b;c", `"quoted"`, "two\nlines",
			"=a\r\nb", "Ünï", `\`, "0012", "1e5", "<b>&amp;</b>",
		}
		want := []string{}
		for i, text := range hostile {
			body := kit.Object{"name": fmt.Sprintf("P%02d", i), "allergies": text, "address": text, "phone": "+49 30 123"}
			want = append(want, ana.Post("/api/patients/", body).Expect(http.StatusCreated).JSON["allergies"].(string))
		}
		raw := ana.Get("/api/patients/export/?ordering=name").Expect(http.StatusOK).Raw
		cells, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
		require.NoError(t, err)
		for _, row := range cells[1:] {
			for _, cell := range row {
				assert.NotRegexp(t, "^[=+@\t\r-]", cell)
			}
		}
		column := func(rows [][]string, name string) (texts []string) {
			i := slices.Index(rows[0], name)
			for _, row := range rows[1:] {
				texts = append(texts, row[i])
			}
			return texts
		}
		rows := readCSV(t, raw)
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "\r\n", "\n") // which a reader of CSV makes of it
		}
		assert.Equal(t, want, column(rows, "allergies"))
		assert.Equal(t, want, column(rows, "address"))
		assert.Equal(t, "+49 30 123", column(rows, "phone")[0])

		sheet := ana.Get("/api/patients/export/?ordering=name&format=xlsx").Expect(http.StatusOK).Raw
		for i, text := range column(readXLSX(t, sheet), "allergies") {
			assert.Equal(t, want[i], strings.ReplaceAll(text, "\r\n", "\n"))
		}
		book, err := excelize.OpenReader(strings.NewReader(sheet))
		require.NoError(t, err)
		formula, err := book.GetCellFormula(book.GetSheetName(0), "I2")
		require.NoError(t, err)
		assert.Empty(t, formula)
	})
}

func TestAnExportIsImportedAsItIs(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.Staff("ana")
		ids := []kit.Object{{"system": "urn:clinic:file", "value": "=7"}, {"system": "https://insurer.example/id", "value": "0012"}}
		patient := kit.Object{
			"name": "'=Ana", "date_of_birth": "1958-03-14", "gender": "female", "phone": "+49 30 1", "email": "a@example.org", "address": "-1\n=2",
			"blood_group": "AB-", "allergies": "@x", "medical_history": "''", "identifiers": ids,
		}
		made := ana.Post("/api/patients/", patient).Expect(http.StatusCreated)
		ana.Assign(made.ID(), ana.Doctor("+Dora")).Expect(http.StatusCreated)
		for _, of := range []string{"patients", "doctors", "mappings"} {
			for format, media := range map[string]string{"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"} {
				file := ana.Get("/api/" + of + "/export/?format=" + format).Expect(http.StatusOK).Raw
				plan := ana.Do("POST", "/api/imports/?of="+of, []byte(file), "Content-Type", media).Expect(http.StatusOK)
				assert.Equal(t, []any{1.0, 0.0}, []any{plan.JSON["unchanged"], plan.JSON["refused"]}, "%s as %s: %s", of, format, plan.Raw)
			}
		}
	})
}

func TestAnExportIsAuditedBeforeItIsShown(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, boss := kit.EveryTable(api), api.Staff("boss")
		patient := ana.Get("/api/patients/").Results()[0]["id"]
		ana.Get("/api/patients/export/").Expect(http.StatusOK)
		ana.Get("/api/mappings/export/").Expect(http.StatusOK)
		ana.Get("/api/doctors/export/").Expect(http.StatusOK)
		events := boss.Get("/api/audit/?action=export").Expect(http.StatusOK).Results()
		require.Len(t, events, 3)
		assert.Equal(t, []any{"doctor", "mapping", "patient"}, []any{events[0]["object"], events[1]["object"], events[2]["object"]})
		assert.Equal(t, []any{patient}, events[1]["patient_ids"])
		assert.Equal(t, []any{patient}, events[2]["patient_ids"])
		assert.Equal(t, "ana", events[2]["user"].(kit.Object)["username"])
		assert.Empty(t, api.Rows("SELECT id FROM events WHERE action = 'export' AND object = 'patient' AND user_id <> "+fmt.Sprint(ana.ID)))

		if api.IsPostgres() {
			api.Exec("ALTER TABLE events ADD CONSTRAINT refuse CHECK (action <> 'export') NOT VALID")
		} else {
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.action = 'export' BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		for _, path := range []string{"/api/patients/export/", "/api/patients/export/?format=xlsx", "/api/patients/export/?format=jsonl", kit.Path("patients", patient, "export")} {
			r := ana.Get(path)
			assert.GreaterOrEqual(t, r.Status, 500, path)
			kit.Absent(t, r.Raw, "Petra")
			assert.Empty(t, r.Header.Get("Content-Disposition"))
		}
	})
}

// begin begins an export on a connection of its own, and reads its header only.
func begin(c *kit.Client, path, version string) (*http.Response, net.Conn) {
	c.T.Helper()
	u, err := url.Parse(c.API.URL)
	require.NoError(c.T, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(c.T, err)
	c.T.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET %s HTTP/%s\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, version, u.Host, c.Token)
	require.NoError(c.T, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(c.T, err)
	c.T.Cleanup(func() { _ = answer.Body.Close() })
	assert.Equal(c.T, http.StatusOK, answer.StatusCode)
	return answer, conn
}

func TestAnExportThatFailsHalfWayIsNoWholeFile(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		insertPatients(ana, 3000, 10_000) // more than a connection buffers
		for _, format := range []string{"csv", "jsonl"} {
			ana.Login()
			answer, _ := begin(ana, "/api/patients/export/?format="+format, "1.1") //nolint:bodyclose // begin does

			// While nobody reads it, it is the account's only one, and keeps nobody from anything else.
			r := ana.Get("/api/patients/export/").Expect(http.StatusTooManyRequests)
			assert.NotEmpty(t, r.Header.Get("Retry-After"))
			ana.Get("/api/patients/").Expect(http.StatusOK)
			ana.Patient("New")

			ana.Post("/api/auth/logout/", nil).Expect(http.StatusNoContent)
			_, err := io.Copy(io.Discard, answer.Body)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF, format)
		}
		require.Eventually(t, func() bool { return strings.Count(api.Log.String(), "the answer was cut off") == 2 }, kit.WaitLimit, 10*time.Millisecond)
		kit.Absent(t, api.Log.String(), "xxxxxxxxxx")
		ana.Login()
		_, conn := begin(ana, "/api/patients/export/", "1.1") //nolint:bodyclose // begin does
		require.NoError(t, conn.Close())
		// Who hangs up has a place again.
		require.Eventually(t, func() bool { return ana.Get("/api/patients/export/?search=new").Status == http.StatusOK }, kit.WaitLimit, 10*time.Millisecond)
	})
}

func TestAnExportToAnOldClientTellsItsLength(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		insertPatients(ana, 300, 10)
		answer, _ := begin(ana, "/api/patients/export/", "1.0") //nolint:bodyclose // begin does
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		assert.EqualValues(t, len(text), answer.ContentLength)
		assert.Len(t, readCSV(t, string(text)), 301)
	})
}
