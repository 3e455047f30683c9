package tests

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// sendFile imports a file of CSV over HTTP; the query says how.
func sendFile(c *kit.Client, query, content string) *kit.Response {
	c.T.Helper()
	return c.Do("POST", "/api/imports/?"+query, []byte(content), "Content-Type", "text/csv")
}

// importAll imports a file over HTTP and waits for the end.
func importAll(c *kit.Client, query, content string) kit.Object {
	c.T.Helper()
	begun := sendFile(c, query+"&dry_run=false", content).Expect(http.StatusAccepted)
	writeImports(c.API)
	return c.Get(kit.Path("imports", begun.ID())).Expect(http.StatusOK).JSON
}

// writeImports does what the server does in the background.
func writeImports(api *kit.API) {
	api.T.Helper()
	require.NoError(api.T, api.DB.WriteImports(context.Background(), func(int64, int64) {}))
}

// results are what became of each row: "2 created", ….
func results(r *kit.Response) (all []string) {
	for _, row := range r.JSON["rows"].([]any) {
		all = append(all, fmt.Sprint(row.(kit.Object)["row"], " ", row.(kit.Object)["result"]))
	}
	return all
}

const threePatients = "Name;Geb.-Datum;Geschlecht;Blutgruppe\nPetra Müller;29.02.1984;w;AB neg\nAli Öz;01.12.1970;m;0 pos\nSam;;divers;\n"

const german = "of=patients&date_format=DD.MM.YYYY"

func TestAFileOfPatientsIsCheckedAndThenImported(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		checked := sendFile(chief, german, threePatients).Expect(http.StatusOK)
		assert.Equal(t, "checked", checked.JSON["state"])
		assert.EqualValues(t, 3, checked.JSON["created"])
		assert.Equal(t, []string{"2 created", "3 created", "4 created"}, results(checked))
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM patients")+api.Count("SELECT count(*) FROM imports")+api.Count("SELECT count(*) FROM import_rows"))

		done := importAll(chief, german+"&file=clinic.csv", threePatients)
		assert.Equal(t, "done", done["state"])
		assert.EqualValues(t, 3, done["written"])
		assert.Equal(t, "clinic.csv", done["file"])
		assert.Equal(t, kit.Object{"id": float64(chief.ID), "username": "chief"}, done["by"])
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM import_rows"), "no record waits any more")
		petra := chief.Get("/api/patients/?search=petra").Expect(http.StatusOK).Results()[0]
		assert.Equal(t, "1984-02-29", petra["date_of_birth"])
		assert.Equal(t, "female", petra["gender"])
		assert.Equal(t, "AB-", petra["blood_group"])
		assert.EqualValues(t, chief.ID, petra["created_by"])
		history := chief.Get(kit.Path("patients", petra["id"], "history")).Expect(http.StatusOK).Results()
		require.Len(t, history, 1)
		assert.Equal(t, "create", history[0]["action"])
		assert.Equal(t, done["id"], history[0]["import"])
		assert.Equal(t, []any{done["id"]}, chief.Get("/api/imports/").Expect(http.StatusOK).Column("id"))

		again := importAll(chief, german, threePatients)
		assert.EqualValues(t, 3, again["unchanged"], "the same file changes nothing")
		assert.Equal(t, 3, api.Count("SELECT count(*) FROM patients"))
		assert.Equal(t, 3, api.Count("SELECT count(*) FROM events WHERE action = 'create'"))
	})
}

func TestRefusedRowsAreToldWithEveryReasonAndKeepAllFromBeingImported(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		const file = "Name,Birth date,Phone,E-Mail\n,1984-02-30,abc,no\nPetra,1984-02-29,,\nPetra,1984-02-29,,\nAli,2999-01-01,,\n"
		for _, query := range []string{"of=patients", "of=patients&dry_run=false"} {
			refused := sendFile(chief, query, file).Expect(http.StatusOK)
			assert.Equal(t, []string{"2 refused", "4 refused", "5 refused", "3 created"}, results(refused))
			rows := refused.JSON["rows"].([]any)
			assert.Equal(t, kit.Object{
				"Name":       []any{"This field may not be blank."},
				"Birth date": []any{"Date has wrong format. Use one of these formats instead: YYYY-MM-DD."},
				"Phone":      []any{"Enter a valid phone number: digits, spaces and + - ( ) . x / only."},
				"E-Mail":     []any{"Enter a valid email address."},
			}, rows[0].(kit.Object)["errors"])
			assert.Equal(t, kit.Object{"Name": []any{"Row 3 is about the same."}}, rows[1].(kit.Object)["errors"])
			assert.Equal(t, kit.Object{"Birth date": []any{"Ensure this date is not before 1900-01-01 and not in the future."}}, rows[2].(kit.Object)["errors"])
			writeImports(api)
			assert.Equal(t, 0, api.Count("SELECT count(*) FROM patients")+api.Count("SELECT count(*) FROM imports"))
		}
		done := importAll(chief, "of=patients&skip_refused=true", file)
		assert.EqualValues(t, 3, done["refused"])
		assert.Equal(t, []string{"Petra"}, api.Rows("SELECT name FROM patients"))
	})
}

func TestATableOfManyIdentifiersIsReadToItsEnd(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		header, row := "Name", "Petra"
		for i := range 199 {
			header += fmt.Sprint(",identifier:urn:x:", i)
			row += fmt.Sprint(",", i)
		}
		refused := sendFile(api.Staff("chief"), "of=patients", header+"\n"+strings.Repeat(row+"\n", 400)).Expect(http.StatusOK)
		assert.EqualValues(t, 400, refused.JSON["refused"])
	})
}

func TestPossibleDuplicatesAreNotImportedUnlessTheyAreWanted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		there := chief.Post("/api/patients/", kit.Object{"name": "Petra Müller", "date_of_birth": "1984-02-29", "phone": "030 1"}).Expect(http.StatusCreated).ID()
		const file = "Name,Birth date,Phone\nPETRA MÜLLER,1984-02-29,030 2\n"
		found := sendFile(chief, "of=patients&dry_run=false", file).Expect(http.StatusOK)
		assert.Equal(t, "refused", found.JSON["state"])
		assert.Equal(t, []string{"2 possible_duplicate"}, results(found))
		assert.EqualValues(t, there, found.JSON["rows"].([]any)[0].(kit.Object)["id"])
		told := func() bool {
			return api.Count("SELECT count(*) FROM events WHERE action = 'list' AND object = 'patient'") == 1
		}
		assert.Eventually(t, told, kit.WaitLimit, 10*time.Millisecond, "the answer told of a patient")
		importAll(chief, "of=patients&create_duplicates=true", file)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestARowIsAPossibleDuplicateOfWhoIsNamedAlmostLikeIt(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		full := kit.Object{"name": "Anna Schmidt", "date_of_birth": "1984-02-29", "allergies": "Pollen"}
		there := chief.Post("/api/patients/", full).Expect(http.StatusCreated).ID()
		// The last two are of nobody's birth date, one of which no database could hold.
		found := sendFile(chief, "of=patients", "Name,Birth date,Allergies\nAnne Schmidt,1984-02-29,\nAnna Schmidt,1984-02-29,\nANNA SCHMIDT,,Pollen\nBo,1984-02-28,\nSam,0000-01-01,\n").
			Expect(http.StatusOK)
		assert.Equal(t, []string{"2 possible_duplicate", "3 possible_duplicate", "6 refused", "4 created", "5 created"}, results(found))
		for _, row := range found.JSON["rows"].([]any)[:2] {
			assert.EqualValues(t, there, row.(kit.Object)["id"])
		}
	})
}

func TestARowIsAboutThePatientWhoHasItsIdentifier(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		const first = "Aktennummer,Name,Geburtsdatum,Vers.-Nr.\n2024-0017,Petra Müller,1984-02-29,X-1\n2024-0018,Ali Öz,,\n"
		const insurer = "&map=Vers.-Nr.%3Didentifier:urn:insurer:x"
		importAll(chief, "of=patients"+insurer, first)
		petra := chief.Get("/api/patients/?identifier=urn:clinic:file%7C2024-0017").Expect(http.StatusOK).Results()[0]
		assert.Equal(t, []any{
			kit.Object{"system": "urn:clinic:file", "value": "2024-0017"}, kit.Object{"system": "urn:insurer:x", "value": "X-1"},
		}, petra["identifiers"])
		assert.EqualValues(t, 2, importAll(chief, "of=patients"+insurer, first)["unchanged"])

		chief.Patch(kit.Path("patients", petra["id"]), kit.Object{"phone": "030 1"}).Expect(http.StatusOK)
		changed := importAll(chief, "of=patients", "File number,Name,Phone,Allergies\n2024-0017,Petra Öz,030 1,Pollen\n2024-0019,Sam,,\n")
		assert.EqualValues(t, 1, changed["updated"])
		assert.EqualValues(t, 1, changed["created"])
		now := chief.Get(kit.Path("patients", petra["id"])).Expect(http.StatusOK).JSON
		assert.Equal(t, "Petra Öz", now["name"])
		assert.Equal(t, "1984-02-29", now["date_of_birth"], "what the file does not have stays")
		assert.Len(t, now["identifiers"], 2)
		history := chief.Get(kit.Path("patients", petra["id"], "history")).Expect(http.StatusOK).Results()
		assert.Equal(t, changed["id"], history[0]["import"])
		assert.Nil(t, history[1]["import"])

		two := sendFile(chief, "of=patients"+insurer, "Aktennummer,Name,Vers.-Nr.\n2024-0018,Ali Öz,X-1\n2024-0018,Ali Öz,\n").Expect(http.StatusOK)
		assert.Equal(t, []string{"2 refused", "3 refused"}, results(two))
		assert.Equal(t, kit.Object{"Aktennummer": []any{"Row 2 is about the same."}}, two.JSON["rows"].([]any)[1].(kit.Object)["errors"])

		chief.Doctor("Dora")
		mappings := "Patienten-Nr.,doctor_id\n2024-0017,1\n"
		assert.EqualValues(t, 1, importAll(chief, "of=mappings", mappings)["created"])
		assert.EqualValues(t, 1, importAll(chief, "of=mappings", mappings)["unchanged"])
		assert.Equal(t, []string{"Dora"}, chief.DoctorsOf(int(petra["id"].(float64)), ""))
		missing := sendFile(chief, "of=mappings", "Patienten-Nr.,doctor_id\nnone,1\n").Expect(http.StatusOK)
		assert.Equal(t, kit.Object{"Patienten-Nr.": []any{"There is no patient with this identifier."}}, missing.JSON["rows"].([]any)[0].(kit.Object)["errors"])
	})
}

func TestDoctorsAndAssignmentsAreImportedToo(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		petra := chief.Patient("Petra")
		const doctors = "Arzt,Fachrichtung,LANR,Berufsjahre\nDr. Dora Öz,Chirurgie,L-1,7\nDr. No,Radiologie,,\n"
		assert.EqualValues(t, 2, importAll(chief, "of=doctors", doctors)["created"])
		assert.EqualValues(t, 2, importAll(chief, "of=doctors", doctors)["unchanged"])
		changed := strings.Replace(doctors, "Chirurgie", "Kardiologie", 1)
		assert.EqualValues(t, 1, importAll(chief, "of=doctors", changed)["updated"])
		dora := chief.Get("/api/doctors/?search=dora").Expect(http.StatusOK).Results()[0]
		assert.Equal(t, "Kardiologie", dora["specialization"])
		assert.EqualValues(t, 7, dora["years_of_experience"])
		assert.EqualValues(t, 2, dora["version"])

		mappings := fmt.Sprintf("patient_id,licence number\n%d,l-1\n", petra)
		assert.EqualValues(t, 1, importAll(chief, "of=mappings", mappings)["created"])
		assert.EqualValues(t, 1, importAll(chief, "of=mappings", mappings)["unchanged"])
		assert.Equal(t, []string{"Dr. Dora Öz"}, chief.DoctorsOf(petra, ""))
		wrong := sendFile(chief, "of=mappings", "patient,licence\n999,L-1\nx,L-9\n").Expect(http.StatusOK)
		rows := wrong.JSON["rows"].([]any)
		assert.Equal(t, kit.Object{"patient": []any{"There is no such patient."}}, rows[0].(kit.Object)["errors"])
		assert.Equal(t, kit.Object{"patient": []any{"A valid integer is required."}, "licence": []any{"There is no doctor with this licence number."}}, rows[1].(kit.Object)["errors"])
	})
}

func TestAnImportIsUndoneButForWhatSomebodyHasTouched(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		id := int(importAll(chief, german, threePatients)["id"].(float64))
		ids := map[string]int{}
		for _, row := range chief.Get("/api/patients/").Expect(http.StatusOK).Results() {
			ids[row["name"].(string)] = int(row["id"].(float64))
		}
		chief.Patch(kit.Path("patients", ids["Ali Öz"]), kit.Object{"phone": "1"}).Expect(http.StatusOK)
		chief.Assign(ids["Sam"], chief.Doctor("Dora")).Expect(http.StatusCreated)

		undoing := chief.Post(kit.Path("imports", id, "undo"), nil).Expect(http.StatusOK)
		assert.Equal(t, "undoing", undoing.JSON["state"])
		writeImports(api)
		undone := chief.Get(kit.Path("imports", id)).Expect(http.StatusOK).JSON
		assert.Equal(t, "undone", undone["state"])
		assert.EqualValues(t, 1, undone["deleted"])
		assert.EqualValues(t, 2, undone["left"])
		chief.Get(kit.Path("patients", ids["Petra Müller"])).Expect(http.StatusNotFound)
		chief.Post(kit.Path("patients", ids["Petra Müller"], "restore"), nil).Expect(http.StatusOK)
		history := chief.Get(kit.Path("patients", ids["Petra Müller"], "history")).Expect(http.StatusOK).Results()
		assert.Equal(t, []any{"restore", "delete", "create"}, []any{history[0]["action"], history[1]["action"], history[2]["action"]})
		assert.EqualValues(t, id, history[1]["import"])
		assert.Nil(t, history[0]["import"])
		chief.Post(kit.Path("imports", id, "undo"), nil).Expect(http.StatusConflict)
	})
}

func TestWhatWasTakenBackCanBeImportedAgain(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		const file = "File number,Name\n17,Petra\n18,Ali\n"
		first := importAll(chief, "of=patients&file=%ff%00.csv", file)
		assert.Equal(t, "\uFFFD\uFFFD.csv", first["file"])
		chief.Post(kit.Path("imports", first["id"], "undo"), nil).Expect(http.StatusOK)
		writeImports(api)
		again := importAll(chief, "of=patients", file)
		assert.Equal(t, "done", again["state"])
		assert.EqualValues(t, 2, again["created"])
	})
}

func TestAnUpdateThatIsRefusedWhenItIsWrittenIsNotCounted(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		const first = "File number,Name\n17,Petra\n18,Ali\n"
		importAll(chief, "of=patients", first)
		begun := sendFile(chief, "of=patients&dry_run=false", strings.Replace(first, "Ali", "Ali Oz", 1)).Expect(http.StatusAccepted)
		assert.EqualValues(t, 1, begun.JSON["updated"])
		ali := chief.Get("/api/patients/?identifier=18").Expect(http.StatusOK).Results()[0]["id"]
		chief.Delete(kit.Path("patients", ali)).Expect(http.StatusNoContent)
		writeImports(api)
		ended := chief.Get(kit.Path("imports", begun.ID())).Expect(http.StatusOK).JSON
		assert.Equal(t, "done", ended["state"])
		assert.EqualValues(t, 0, ended["written"])
	})
}

func TestAnImportThatLosesARaceComesToNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		var file strings.Builder
		file.WriteString("Name,Specialty,Licence\n")
		for i := range 250 {
			fmt.Fprintf(&file, "Dr. %d,Surgery,L-%d\n", i, i)
		}
		begun := sendFile(chief, "of=doctors&dry_run=false", file.String()).Expect(http.StatusAccepted).ID()
		chief.Post("/api/doctors/", kit.Object{"name": "Dora", "specialization": "Surgery", "license_number": "L-249"}).Expect(http.StatusCreated)
		writeImports(api)
		failed := chief.Get(kit.Path("imports", begun)).Expect(http.StatusOK).JSON
		assert.Equal(t, "failed", failed["state"])
		assert.Contains(t, failed["reason"], "Row 251 cannot be written any more")
		assert.Equal(t, []any{"Dora"}, chief.Get("/api/doctors/").Expect(http.StatusOK).Column("name"))
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM import_rows"))
	})
}

// So it may be after an upgrade, when the new version is stricter.
func TestAnImportOfARowThatIsNoLongerValidComesToNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		begun := sendFile(chief, "of=patients&dry_run=false", "Name,Gender\nPetra,female\nAli,male\nDora,female\n").Expect(http.StatusAccepted).ID()
		api.Exec(`UPDATE import_rows SET record = replace(record, '"male"', '"sideways"')`)
		writeImports(api)
		failed := chief.Get(kit.Path("imports", begun)).Expect(http.StatusOK).JSON
		assert.Equal(t, "failed", failed["state"])
		assert.Contains(t, failed["reason"], "Row 3 cannot be written any more")
		assert.Empty(t, chief.Get("/api/patients/").Expect(http.StatusOK).Results())
	})
}

// A process that ends in the middle leaves an import that is decided. Whoever comes next writes the rest, once.
func TestAnImportGoesOnAfterACrash(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		var file strings.Builder
		file.WriteString("Name\n")
		for i := range 450 {
			fmt.Fprintf(&file, "Patient %d\n", i)
		}
		begun := sendFile(chief, "of=patients&dry_run=false", file.String()).Expect(http.StatusAccepted).ID()
		ctx, crash := context.WithCancel(t.Context())
		err := api.DB.WriteImports(ctx, func(written, _ int64) {
			if written >= 200 {
				crash()
			}
		})
		require.Error(t, err)
		assert.Less(t, api.Count("SELECT count(*) FROM patients"), 450)

		another := kit.Start(t, api.Config)
		done := make(chan error, 2)
		for _, instance := range []*kit.API{api, another} {
			go func() { done <- instance.DB.WriteImports(context.Background(), func(int64, int64) {}) }()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		assert.EqualValues(t, 450, chief.Get(kit.Path("imports", begun)).Expect(http.StatusOK).JSON["written"])
		assert.Equal(t, 450, api.Count("SELECT count(DISTINCT name) FROM patients"))
		assert.Equal(t, 450, api.Count("SELECT count(*) FROM patients"))
		assert.Equal(t, 450, api.Count("SELECT count(DISTINCT object_id) FROM events WHERE action = 'create'"))
	})
}

func TestAnImportIsForStaffAndItsQueryAndFileMustBeRight(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, chief := api.User("ana"), api.Staff("chief")
		sendFile(ana, "of=patients", "Name\nPetra\n").Expect(http.StatusForbidden)
		ana.Get("/api/imports/").Expect(http.StatusForbidden)
		id := int(importAll(chief, "of=patients", "Name\nPetra\n")["id"].(float64))
		ana.Get(kit.Path("imports", id)).Expect(http.StatusForbidden)
		ana.Post(kit.Path("imports", id, "undo"), nil).Expect(http.StatusForbidden)
		sendFile(api.Nobody(), "of=patients", "Name\n").Expect(http.StatusUnauthorized)

		wrong := sendFile(chief, "of=cats&dry_run=maybe&map=x", "Name\n").Expect(http.StatusBadRequest)
		assert.NotEmpty(t, wrong.Error("of"))
		assert.Equal(t, "Must be true or false.", wrong.Error("dry_run"))
		assert.Equal(t, "Write header=field.", wrong.Error("map"))
		for content, want := range map[string]string{
			"":                        "The file is empty: its first row must name the columns.",
			"Name,Shoes\n":            `The columns cannot be imported: column "Shoes" is not understood.`,
			"Name\nA,B\n":             "Row 2 has more cells than the header names columns.",
			"\xD0\xCF\x11\xE0 old":    "This is a file of Excel 97 to 2003, or one with a password. Save it as .xlsx without a password, or as .csv.",
			strings.Repeat("a,", 9e5): "A row has more than 1024 KiB.",
		} {
			assert.Equal(t, want, sendFile(chief, "of=patients", content).Expect(http.StatusBadRequest).Error("file"))
		}
		chief.Do("POST", "/api/imports/?of=patients", []byte("{}")).Expect(http.StatusUnsupportedMediaType)
		chief.Get(kit.Path("imports", 999)).Expect(http.StatusNotFound)
		hostile := sendFile(chief, "of=patients", "Name,Address\n\"a\x00b\",\xff\n").Expect(http.StatusOK)
		assert.Equal(t, []string{"2 refused"}, results(hostile))
	})
}

func TestAFormMaySendTheFile(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		chief := api.Staff("chief")
		xlsx, err := os.ReadFile(filepath.Join("..", "tabular", "testdata", "libreoffice.xlsx"))
		require.NoError(t, err)
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		part, err := w.CreateFormFile("file", "Patienten.xlsx")
		require.NoError(t, err)
		_, err = part.Write(xlsx)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		begun := chief.Do("POST", "/api/imports/?of=patients&dry_run=false&map=Telefon=", form.Bytes(), "Content-Type", w.FormDataContentType()).
			Expect(http.StatusAccepted)
		assert.Equal(t, "Patienten.xlsx", begun.JSON["file"])
		writeImports(api)
		assert.Equal(t, []string{"Müller, Jürgen 1958-03-14", "Lindström Åsa 2001-02-28", "O'Neill–Çelik Zoë "},
			api.Rows("SELECT name || ' ' || coalesce(CAST(date_of_birth AS text), '') FROM patients ORDER BY id"))
	})
}

func TestWhereEverybodySeesAllPatientsTheyAreComparedWithAll(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		kit.CreateAdmin(t, api.DB, "chief")
		chief := api.Nobody()
		chief.Name = "chief"
		chief.Login()
		importAll(chief, german, threePatients)
		assert.EqualValues(t, 3, sendFile(chief, german, threePatients).Expect(http.StatusOK).JSON["unchanged"])
	}, func(cfg *config.Config) { cfg.PatientAccess, cfg.Registration = "clinic", "closed" })
}
