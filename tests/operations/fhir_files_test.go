package operations

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// rowsOf are the rows of a list, in the order of their names, without what differs from one database to another.
func rowsOf(c *kit.Client, path string) (rows []kit.Object) {
	for _, row := range c.Get(path + "?ordering=name").Expect(http.StatusOK).Results() {
		for _, name := range []string{"id", "created_by", "created_at", "updated_at"} {
			row = kit.Without(row, name)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestWhatIsExportedAsFHIRComesInAsItWas(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana, ben, boss := api.User("ana"), api.User("ben"), api.Staff("boss")
		full := kit.Merge(kit.Records[0].Full, kit.Object{"name": "Petra  Åberg <x>", "identifiers": []kit.Object{
			{"system": "urn:z", "value": "2"}, {"system": "urn:a", "value": "1"}, {"system": "urn:z", "value": "1"},
		}})
		petra := ana.Post("/api/patients/", full).Expect(http.StatusCreated).ID()
		ana.Patient("Ali")
		dora := ana.Post("/api/doctors/", kit.Records[1].Full).Expect(http.StatusCreated).ID()
		ana.Assign(petra, dora).Expect(http.StatusCreated)
		ana.Assign(petra, ana.Doctor("Emil")).Expect(http.StatusCreated)
		patients, doctors := rowsOf(ana, "/api/patients/"), rowsOf(ana, "/api/doctors/")

		folder := filepath.Join(t.TempDir(), "all")
		code, printed := api.RunCommand("", "export", "--fhir", folder+string(filepath.Separator))
		require.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "Exported 2 Patient, 2 Practitioner, 2 CareTeam into "+folder)
		assert.Equal(t, []string{"CareTeam.ndjson", "Patient.ndjson", "Practitioner.ndjson"}, namesIn(t, folder))
		for _, name := range namesIn(t, folder) {
			if info, err := os.Stat(filepath.Join(folder, name)); assert.NoError(t, err) && runtime.GOOS != "windows" {
				assert.Equal(t, os.FileMode(0o600), info.Mode())
			}
		}
		events := boss.Get("/api/audit/?action=export").Expect(http.StatusOK).Column("object")
		assert.Equal(t, []any{"mapping", "doctor", "patient"}, events)
		teams := linesOf(t, filepath.Join(folder, "CareTeam.ndjson")) // newest patient first
		assert.Equal(t, []any{"inactive", "active"}, []any{teams[0]["status"], teams[1]["status"]})
		assert.Equal(t, "Patient/1", teams[1]["subject"].(kit.Object)["reference"])
		assert.Len(t, teams[1]["participant"], 2)
		assert.Equal(t, jsonOf(t, api.Count("SELECT max(id) FROM events WHERE object = 'mapping' AND action = 'assign'"))+"-3", teams[1]["meta"].(kit.Object)["versionId"])
		code, printed = api.RunCommand("", "export", "--fhir", folder)
		assert.Equal(t, 1, code)
		assert.Contains(t, printed, folder+" exists, and is no empty folder")

		for _, path := range []string{"/api/patients/", "/api/doctors/"} {
			for _, id := range ana.Get(path).Column("id") {
				ana.Delete(kit.Path(strings.Split(path, "/")[2], int(id.(float64)))).Expect(http.StatusNoContent)
			}
		}
		files := []string{filepath.Join(folder, "Patient.ndjson"), filepath.Join(folder, "Practitioner.ndjson")}
		args := append([]string{"import", "--owner", "ben", "--strict", "--fhir"}, files...)
		code, printed = api.RunCommand("", append(args, "--dry-run")...)
		require.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "patients: To be created: 2,")
		assert.Empty(t, rowsOf(ben, "/api/patients/"))
		code, printed = api.RunCommand("", args...)
		require.Equal(t, 0, code, printed)
		assert.NotContains(t, printed, "not stored")
		assert.Equal(t, patients, rowsOf(ben, "/api/patients/"))
		assert.Equal(t, doctors, rowsOf(ben, "/api/doctors/"))

		code, printed = api.RunCommand("", append(args, "--dry-run")...)
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "Patient.ndjson, line 2, Patient/1: Patient.identifier: This is a duplicate: it is there already.")
		assert.Contains(t, printed, "Practitioner.ndjson, line 2, Practitioner/1: Practitioner.identifier: This is a duplicate: it is there already.")
		assert.Contains(t, printed, "Practitioner.ndjson, line 1, Practitioner/2: possible duplicate of ")
		code, printed = api.RunCommand("", args...)
		assert.Equal(t, 1, code, printed)
		code, printed = api.RunCommand("", "import", "undo", "1")
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "Deleted: 2.")
	})
}

func namesIn(t *testing.T, dir string) (names []string) {
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, one := range all {
		names = append(names, one.Name())
	}
	return names
}

func linesOf(t *testing.T, file string) (all []kit.Object) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var one kit.Object
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		all = append(all, one)
	}
	return all
}

func jsonOf(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestAnExportAsFHIRThatFailsLeavesNothing(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		kit.EveryTable(api)
		dir := t.TempDir()
		for _, wrong := range [][]string{{"patients", filepath.Join(dir, "a")}, {}, {filepath.Join(dir, "a"), "--bom"}} {
			code, out := api.RunCommand("", append([]string{"export", "--fhir"}, wrong...)...)
			assert.Equal(t, 2, code, out)
		}
		if api.IsPostgres() {
			api.Exec("ALTER TABLE events ADD CONSTRAINT refuse CHECK (object <> 'mapping' OR action <> 'export') NOT VALID")
		} else {
			api.Exec("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.action = 'export' AND NEW.object = 'mapping' BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		code, out := api.RunCommand("", "export", "--fhir", filepath.Join(dir, "a"))
		assert.Equal(t, 1, code, out)
		assert.Empty(t, namesIn(t, dir))
	})
}

// synthea is a bundle as Synthea writes it, of invented people: two patients, one of them dead, and a doctor.
const synthea = `{
  "resourceType": "Bundle",
  "type": "transaction",
  "entry": [ {
    "fullUrl": "urn:uuid:0b1f",
    "resource": {
      "resourceType": "Patient",
      "id": "0b1f",
      "meta": { "profile": [ "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient" ] },
      "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Made up</div>" },
      "extension": [ {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [ { "url": "text", "valueString": "Other" } ]
      }, { "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Zaphodia77 Marker9" } ],
      "identifier": [ { "system": "https://github.com/synthetichealth/synthea", "value": "0b1f" }, {
        "type": { "coding": [ { "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR" } ], "text": "Medical Record Number" },
        "system": "http://hospital.smarthealthit.org", "value": "0b1f"
      }, { "period": { "start": "2001-01-01" }, "system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-31-4455" },
        { "use": "old", "system": "urn:old", "value": "7" } ],
      "name": [ { "use": "maiden", "family": "Marker8" }, { "use": "official", "family": "Quill77", "given": [ "Ines12", "Odile3" ], "prefix": [ "Mrs." ] }, { "use": "usual", "text": "Marker7" } ],
      "telecom": [ { "system": "phone", "value": "555-010-7734", "use": "home" }, { "system": "fax", "value": "555-010-7735" }, { "system": "email", "value": "ines@example.org" } ],
      "gender": "female",
      "birthDate": "1979-05-02",
      "_birthDate": { "extension": [ { "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "1979-05-02T04:00:00Z" } ] },
      "address": [ {
        "extension": [ { "url": "http://hl7.org/fhir/StructureDefinition/geolocation", "extension": [ { "url": "latitude", "valueDecimal": 42.10 } ] } ],
        "line": [ "12 Invented Lane" ], "city": "Nowhere", "state": "MA", "postalCode": "00000", "country": "US"
      } ],
      "maritalStatus": { "coding": [ { "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M" } ], "text": "M" },
      "multipleBirthBoolean": false,
      "communication": [ { "language": { "text": "English" } } ]
    },
    "request": { "method": "POST", "url": "Patient" }
  }, {
    "resource": { "resourceType": "Patient", "id": "0b20", "identifier": [ { "system": "urn:x", "value": "1" } ],
      "name": [ { "family": "Marker6" } ], "gender": "male", "birthDate": "1931-01-01", "deceasedDateTime": "2001-01-01T00:00:00Z", "maritalStatus": { "text": "W" } }
  }, {
    "resource": { "resourceType": "Practitioner", "id": "0c01", "active": true, "identifier": [ { "system": "http://hl7.org/fhir/sid/us-npi", "value": "9999" } ],
      "name": [ { "family": "Marker5", "given": [ "Bo" ], "prefix": [ "Dr." ] } ], "telecom": [ { "system": "email", "value": "bo@example.org", "use": "work" } ],
      "address": [ { "city": "Nowhere" } ], "gender": "male" }
  },
  { "resource": { "resourceType": "Encounter", "id": "e1", "status": "finished", "subject": { "reference": "urn:uuid:0b1f" } } },
  { "resource": { "resourceType": "Observation", "id": "o1", "status": "final" } },
  { "resource": { "resourceType": "Observation", "id": "o2", "status": "final" } },
  { "resource": { "resourceType": "Observation", "id": "o3", "status": "final" } }
 ]
}
`

func TestASyntheaBundleComesInAndTellsWhatDoesNot(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		dir := t.TempDir()
		file, list := filepath.Join(dir, "bundle.json"), filepath.Join(dir, "refused.csv")
		require.NoError(t, os.WriteFile(file, []byte(synthea), 0o600))

		code, printed := api.RunCommand("", "import", "--fhir", file, "--owner", "ana", "--strict")
		assert.Equal(t, 1, code, printed)
		assert.Contains(t, printed, "nothing is imported, because of these resources")
		assert.Contains(t, printed, "Patient.maritalStatus: This server cannot keep this element.")
		assert.Equal(t, 0, api.Count("SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM imports) + (SELECT count(*) FROM import_rows)"))

		code, printed = api.RunCommand("", "import", "--fhir", file, "--owner", "ana", "--refused", list)
		assert.Equal(t, 0, code, printed)
		for _, line := range []string{
			"Encounter                     not stored  1", "Observation                   not stored  3",
			"Patient._birthDate            not stored  1", "Patient.address.extension     not stored  1",
			"Patient.communication         not stored  1", "Patient.extension[…]          not stored  2",
			"Patient.identifier.period     not stored  1", "Patient.identifier.type       not stored  1",
			"Patient.identifier[…]         not stored  1", "Patient.maritalStatus         not stored  1",
			"Patient.meta.profile          not stored  1", "Patient.multipleBirthBoolean  not stored  1",
			"Patient.name.use              not stored  1", "Patient.name[…]               not stored  2",
			"Patient.telecom.use           not stored  1", "Patient.telecom[…]            not stored  1",
			"Patient.text                  not stored  1",
		} {
			assert.Contains(t, printed, line+"\n")
		}
		assert.Equal(t, 17, strings.Count(printed, "not stored"), printed)
		assert.Contains(t, printed, file+", line 34, entry 2, Patient/0b20: Patient.deceasedDateTime: This server cannot keep this element.\n")
		assert.Contains(t, printed, file+", line 37, entry 3, Practitioner/0c01: Practitioner.qualification: This server needs a specialization")
		assert.Contains(t, printed, "patients: To be created: 1, updated: 0. Unchanged: 0, possible duplicates: 0, refused: 1.\n")
		assert.Contains(t, printed, "doctors: To be created: 0, updated: 0. Unchanged: 0, possible duplicates: 0, refused: 1.\n")
		told, err := os.ReadFile(list)
		require.NoError(t, err)
		assert.Contains(t, string(told), `,"line 34, entry 2",Patient/0b20,Patient.deceasedDateTime: `)
		kit.Absent(t, printed+string(told), "Marker", "Quill", "Ines", "1931", "999-31", "555-")

		found := ana.Get("/api/patients/").Expect(http.StatusOK).Results()
		require.Len(t, found, 1)
		for field, want := range map[string]any{
			"name": "Mrs. Ines12 Odile3 Quill77", "date_of_birth": "1979-05-02", "gender": "female", "phone": "555-010-7734", "email": "ines@example.org",
			"address": "12 Invented Lane\n00000 Nowhere\nMA\nUS", "identifiers": []any{
				kit.Object{"system": "https://github.com/synthetichealth/synthea", "value": "0b1f"},
				kit.Object{"system": "http://hospital.smarthealthit.org", "value": "0b1f"},
				kit.Object{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-31-4455"},
			},
		} {
			assert.JSONEq(t, jsonOf(t, want), jsonOf(t, found[0][field]), field)
		}

		code, printed = api.RunCommand("", "import", "--fhir", file, "--owner", "ana")
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "line 4, entry 1, Patient/0b1f: Patient.identifier: This is a duplicate: it is there already.")
		assert.Contains(t, printed, "Nothing is imported: there is nothing new.")
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM imports"))

		require.NoError(t, os.WriteFile(file, []byte(`{"resourceType":"Patient","name":[{"text":"Mrs. Ines12 Odile3 Quill77"}],"birthDate":"1979-05-02","gender":"female"}`), 0o600))
		code, printed = api.RunCommand("", "import", "--fhir", file, "--owner", "ana")
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, fmt.Sprintf("line 1, Patient: possible duplicate of %v\n", found[0]["id"]))
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM patients"))
		code, printed = api.RunCommand("", "import", "--fhir", file, "--owner", "ana", "--strict", "--create-duplicates")
		assert.Equal(t, 0, code, printed)
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestAnImportOfFHIRLeavesNothingOutThatChangesTheRest(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		file := filepath.Join(t.TempDir(), "a.ndjson")
		const allergies = `{"url":"https://healthcare-api.example/fhir/StructureDefinition/allergies","valueString":"a"}`
		cases := []struct{ element, want string }{
			{`"active":false`, "Patient.active: "},
			{`"deceasedBoolean":false`, "Patient.deceasedBoolean: "},
			{`"_deceasedDateTime":{"extension":[{"url":"urn:x"}]}`, "Patient._deceasedDateTime: "},
			{`"modifierExtension":[{"url":"urn:x"}]`, "Patient.modifierExtension: "},
			{`"implicitRules":"urn:x"`, "Patient.implicitRules: "},
			{`"link":[{"type":"replaced-by"}]`, "Patient.link: "},
			{`"meta":{"tag":[{"code":"SUBSETTED"}]}`, "Patient.meta.tag[0]: "},
			{`"birthDate":"2001-02-31"`, "Patient.birthDate: "},
			{`"birthDate":"2001"`, "Patient.birthDate: "},
			{`"gender":"m"`, "Patient.gender: "},
			{`"telecom":[{"system":"phone","value":"Marker"}]`, "Patient.telecom: "},
			{`"colour":"red"`, "Patient.colour: "},
			{`"\u001b[31m":"red"`, "Patient.?[31m: "},
			{`"address":[{"text":"a\u0000b"}]`, "Patient.address[0].text: Null characters are not allowed."},
			{`"address":[{"text":"a\ud800b"}]`, "Patient.address[0].text: Invalid UTF-8 is not allowed."},
			{`"name":[{"text":"B"}]`, "Patient.name: This element was given twice."},
			{`"photo":[{"data":"` + strings.Repeat("A", 1<<20) + `"}]`, "Patient: It has more than 1024 KiB."},
			{`"extension":[` + allergies + "," + allergies + "]", "Patient.extension[1].valueString: "},
		}
		var text strings.Builder
		for _, c := range cases {
			text.WriteString(`{"resourceType":"Patient","name":[{"text":"Marker"}],` + c.element + "}\n")
		}
		text.WriteString(`{"resourceType":"Patient","name":[{"text":"Marker","use":"old"}]}`)
		require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
		code, printed := api.RunCommand("", "import", "--fhir", file, "--owner", "ana")
		assert.Equal(t, 0, code, printed)
		for i, c := range cases {
			assert.Contains(t, printed, fmt.Sprintf("%s, line %d, Patient: %s", file, i+1, c.want))
		}
		assert.Contains(t, printed, "Patient.name: This field may not be blank.")
		assert.Contains(t, printed, fmt.Sprintf("refused: %d.", len(cases)+1))
		kit.Absent(t, printed, "Marker", "\x1b")
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM patients"))
	})
}

func TestAFileThatIsNoFHIRIsAnErrorThatNamesTheLine(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		file := filepath.Join(t.TempDir(), "a.ndjson")
		good := strings.Repeat(`{"resourceType":"Patient","name":[{"text":"A"}]}`+"\n", 600)
		for _, c := range []struct {
			text string
			code int
			want string
			args []string
		}{
			{good + "hello", 1, "healthcare: " + file + ", line 601: this is no JSON", []string{"--fhir", file, "--owner", "ana"}},
			{good + `{"resourceType":"Patient","na`, 1, ", line 601: the file ends within a resource", []string{"--fhir", file, "--owner", "ana"}},
			{`{"resourceType":"Observation"}`, 1, "there is no Patient and no Practitioner in these files", []string{"--fhir", file, "--owner", "ana"}},
			{good, 1, "no such file or directory", []string{"--fhir", file, file + "x", "--owner", "ana"}},
			{good, 2, "--strict goes with --fhir", []string{"patients", file, "--owner", "ana", "--strict"}},
			{good, 2, "do not go with --fhir", []string{"--fhir", file, "--owner", "ana", "--skip-refused"}},
			{good, 2, "--owner NAME", []string{"--fhir", file}},
			{good, 2, "requires at least 1 arg", []string{"--fhir", "--owner", "ana"}},
		} {
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			code, printed := api.RunCommand("", append([]string{"import"}, c.args...)...)
			assert.Equal(t, c.code, code, printed)
			assert.Contains(t, printed, c.want)
		}
		assert.Equal(t, 0, api.Count("SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM imports) + (SELECT count(*) FROM import_rows)"))
	})
}

func TestAnImportOfFHIRIsAllOrNothingOfPatientsAndDoctors(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		file := filepath.Join(t.TempDir(), "a.ndjson")
		var text bytes.Buffer
		text.WriteString("\uFEFF")
		for i := range 1100 {
			fmt.Fprintf(&text, `{"resourceType":"Patient","identifier":[{"system":"urn:n","value":"%d"}],"name":[{"text":"P %d"}]}`+"\r\n", i, i)
		}
		doctor := `{"resourceType":"Practitioner","name":[{"text":"D"}],"qualification":[{"code":{"text":"Surgery","coding":[{"code":"S"}]},"issuer":{"display":"X"}}]}` + "\n"
		require.NoError(t, os.WriteFile(file, []byte(text.String()+doctor+doctor), 0o600))
		code, printed := api.RunCommand("", "import", "--fhir", file, "--owner", "ana", "--strict")
		assert.Equal(t, 1, code, printed)
		assert.Equal(t, 0, api.Count("SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM imports) + (SELECT count(*) FROM import_rows)"))

		code, printed = api.RunCommand("", "import", "--fhir", file, "--owner", "ana")
		assert.Equal(t, 0, code, printed)
		assert.Contains(t, printed, "line 1102, Practitioner: Practitioner.name: Another one of this import is about the same.")
		assert.Contains(t, printed, "Practitioner.qualification.code.coding  not stored  2")
		assert.Equal(t, 2, strings.Count(printed, "To take it back: healthcare import undo "))
		assert.EqualValues(t, 1100, ana.Get("/api/patients/").JSON["count"])
		assert.Equal(t, []any{"D"}, ana.Get("/api/doctors/").Column("name"))
		assert.Equal(t, 1101, api.Count("SELECT count(*) FROM events WHERE action = 'create' AND request_id LIKE 'import:%'"))
	})
}
