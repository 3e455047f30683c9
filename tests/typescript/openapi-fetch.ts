// Every route, as a web page calls it with openapi-typescript and openapi-fetch. It is compiled, then run as
// staff: node openapi-fetch.js <address> <password of the account chief>
import createClient from "openapi-fetch";
import type { components, paths } from "./clinic";

type Schemas = components["schemas"];

declare const process: { argv: string[] }; // of Node.js
const [baseUrl = "", password = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl });

// data is what was answered; an error ends the program. It is a problem, or an OperationOutcome of FHIR, but for headers that
// are too large.
function data<T>(answer: { data?: T; error?: Schemas["Problem"] | Schemas["OperationOutcome"] | string; response: Response }): NonNullable<T> {
  if (answer.data === undefined || answer.data === null) {
    throw new Error(`${JSON.stringify(answer.error)} from ${answer.response.url}`);
  }
  return answer.data;
}

function status(answer: { response: Response }, want: number): void {
  if (answer.response.status !== want) throw new Error(`${answer.response.status}, not ${want}, from ${answer.response.url}`);
}

function equal<T>(got: T, want: T): void {
  if (got !== want) throw new Error(`${got}, not ${want}`);
}

// Accounts.
const account = { username: "ana", email: "ana@example.org", password: "correct horse battery" };
const { user: ana } = data(await api.POST("/api/auth/register/", { body: account }));
const again = await api.POST("/api/auth/register/", { body: account });
status(again, 400);
equal(again.error?.code, "invalid");
equal(again.error?.errors?.username?.length, 1);
const login = data(await api.POST("/api/auth/login/", { body: { username: "chief", password } }));
const tokens = data(await api.POST("/api/auth/refresh/", { body: { refresh: login.refresh } }));
api.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `${tokens.token_type} ${tokens.access}`);
  },
});
data(await api.POST("/api/auth/verify/", { body: { token: tokens.access } }));
const me: Schemas["User"] = data(await api.GET("/api/auth/me/"));
equal(data(await api.PATCH("/api/auth/me/", { body: { last_name: "Keller" } })).last_name, "Keller");
data(await api.PATCH("/api/auth/me/", { body: me }));
status(await api.POST("/api/auth/password/", { body: { current_password: password, new_password: password + "!" } }), 204);

// Patients.
const patient = data(await api.POST("/api/patients/", {
  params: { header: { "Idempotency-Key": "patient-1" } },
  body: { name: "Jürgen Müller" },
}));
const params = { path: { id: patient.id } };
const born: string | null = patient.date_of_birth;
equal(born, null);
const read = await api.GET("/api/patients/{id}/", { params });
const version = read.response.headers.get("ETag") ?? "";
status(await api.GET("/api/patients/{id}/", { params: { ...params, header: { "If-None-Match": version } } }), 304);
const called = data(await api.PATCH("/api/patients/{id}/", {
  params: { ...params, header: { "If-Match": version } },
  body: { phone: "+49 30 5550 118" },
}));
equal(called.name, patient.name);
const late = { ...params, header: { "If-Match": version } };
status(await api.PATCH("/api/patients/{id}/", { params: late, body: { phone: null } }), 412);
equal(data(await api.PUT("/api/patients/{id}/", { params, body: called })).version, called.version);
const page = data(await api.GET("/api/patients/", { params: { query: { search: "müller", gender: "unknown", page_size: 1 } } }));
equal(page.count, 1);
equal(page.results[0]?.name, patient.name);
const beside = data(await api.GET("/api/patients/", { params: { query: { cursor: "" } } }));
equal(beside.count, undefined);
equal(beside.next, null);
equal(beside.results.length, 1);

const likely = data(await api.POST("/api/patients/match/", { body: { name: "Mueller, Juergen", phone: "030 5550 118" } }));
equal(likely.results.length <= 10, true);

// Doctors, and who treats whom.
const doctor = data(await api.POST("/api/doctors/", { body: { name: "Dr. Amara Okafor", specialization: "Cardiology" } }));
const ofDoctor = { path: { id: doctor.id } };
data(await api.GET("/api/doctors/{id}/", { params: ofDoctor }));
data(await api.PUT("/api/doctors/{id}/", { params: ofDoctor, body: { ...doctor, license_number: "BE-104477" } }));
const experienced = data(await api.PATCH("/api/doctors/{id}/", { params: ofDoctor, body: { years_of_experience: 15 } }));
equal(experienced.years_of_experience, 15);
equal(data(await api.GET("/api/doctors/", { params: { query: { specialization: "Cardiology" } } })).results.length, 1);
const ids = { patient_id: patient.id, doctor_id: doctor.id };
const mapping = data(await api.POST("/api/mappings/", { body: ids }));
equal(data(await api.GET("/api/mappings/")).results[0]?.doctor.name, doctor.name);
equal(data(await api.GET("/api/mappings/{id}/", { params })).results[0]?.mapping_id, mapping.id);
status(await api.DELETE("/api/mappings/{id}/", { params: { path: { id: mapping.id } } }), 204);
data(await api.POST("/api/doctor/mappings/", { body: ids }));
equal(data(await api.GET("/api/doctor/mappings/")).results.length, 1);
equal(data(await api.GET("/api/doctor/mappings/{id}/", { params })).results.length, 1);
const { message } = data(await api.POST("/api/doctor/mappings/{id}/remove/", { params, body: { doctor_id: doctor.id } }));
equal<string>(message, "Doctor removed from patient.");

// What was deleted, and what is remembered.
status(await api.DELETE("/api/patients/{id}/", { params }), 204);
status(await api.DELETE("/api/doctors/{id}/", { params: ofDoctor }), 204);
data(await api.POST("/api/patients/{id}/restore/", { params }));
data(await api.POST("/api/doctors/{id}/restore/", { params: ofDoctor }));
const history = data(await api.GET("/api/patients/{id}/history/", { params }));
equal(history.results[0]?.action, "restore");
equal(history.results.at(-1)?.changes.name?.to, patient.name);
data(await api.GET("/api/doctors/{id}/history/", { params: ofDoctor }));
const audit = data(await api.GET("/api/audit/", { params: { query: { patient_id: patient.id, action: "restore" } } }));
equal(audit.results[0]?.outcome, "ok");
equal(audit.more_than_count, undefined);
const double = data(await api.POST("/api/patients/", { body: { name: "Double" } }));
const ofDouble = { path: { id: double.id } };
equal(data(await api.POST("/api/patients/{id}/merge/", { params: ofDouble, body: { into: patient.id } })).id, patient.id);
equal(data(await api.GET("/api/patients/{id}/history/", { params })).results[1]?.merged_from, double.id);
equal((await api.GET("/api/patients/{id}/", { params: ofDouble })).error?.merged_into, patient.id);
equal(data(await api.POST("/api/patients/{id}/unmerge/", { params: ofDouble })).id, double.id);

// What can be taken along.
const file: string = data(await api.GET("/api/patients/export/", { params: { query: { format: "csv", bom: true } }, parseAs: "text" }));
equal(file.includes(patient.name), true);
data(await api.GET("/api/doctors/export/", { params: { query: { format: "xlsx" } }, parseAs: "blob" }));
data(await api.GET("/api/mappings/export/", { params: { query: { format: "csv" } }, parseAs: "text" }));
const report = data(await api.GET("/api/patients/{id}/export/", { params }));
equal(typeof report === "string" ? report : report.seen_by[0]?.action, "export");

// Staff.
equal(data(await api.GET("/api/users/")).results.length, 2);
const ofAna = { path: { id: ana.id } };
data(await api.GET("/api/users/{id}/", { params: ofAna }));
equal(data(await api.PATCH("/api/users/{id}/", { params: ofAna, body: { is_active: false } })).is_active, false);
equal(data(await api.POST("/api/users/{id}/unlock/", { params: ofAna })).id, ana.id);
equal(data(await api.PATCH("/api/users/{id}/", { params: ofAna, body: { is_active: true } })).is_active, true);
const cem = data(await api.POST("/api/users/", { body: { username: "cem", email: "cem@example.org" } }));
equal<string | null>(cem.invitation.link, null);
data(await api.POST("/api/users/{id}/reset/", { params: ofAna }));
status(await api.POST("/api/auth/accept/", { body: { token: cem.invitation.token, password } }), 204);
status(await api.POST("/api/auth/forgot/", { body: { email: "cem@example.org" } }), 404); // this server sends no mails

// Import.
const csv = { headers: { "Content-Type": "text/csv" }, bodySerializer: (text: unknown) => text as string };
const ofPatients = { query: { of: "patients" as const } };
const checked = data(await api.POST("/api/imports/", { params: ofPatients, body: "Name,Birth date\nAda,1984-02-29\n", ...csv }));
equal(checked.rows[0]?.result, "created");
const begun = data(await api.POST("/api/imports/", {
  params: { query: { ...ofPatients.query, dry_run: false } }, body: "Name\nAda\n", ...csv,
}));
equal(begun.state, "writing");
const ofImport = { path: { id: begun.id } };
equal(data(await api.GET("/api/imports/")).results[0]?.id, begun.id);
while (data(await api.GET("/api/imports/{id}/", { params: ofImport })).state === "writing") await new Promise((done) => setTimeout(done, 50));
equal(data(await api.POST("/api/imports/{id}/undo/", { params: ofImport })).id, begun.id);

// FHIR. What is stored comes back, unless Prefer asks for the outcome: resourceType tells which it is.
function stored<T extends { resourceType: string }>(answer: T | Schemas["OperationOutcome"]): T {
  if (answer.resourceType === "OperationOutcome") throw new Error(JSON.stringify(answer));
  return answer as T;
}
function firstID(bundle: Schemas["Bundle"]): string | undefined {
  const found = bundle.entry?.[0]?.resource;
  return found?.resourceType === "OperationOutcome" ? undefined : found?.id;
}
const asForm = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };
equal(data(await api.GET("/fhir/metadata")).rest[0]?.resource.length, 4);
const person: Schemas["FHIRPatient"] = {
  resourceType: "Patient", identifier: [{ system: "urn:clinic:file", value: "2024-0017" }], name: [{ given: ["Åsa"], family: "Lindström" }],
};
const ifNone = { header: { "If-None-Exist": "identifier=urn:clinic:file|2024-0017" } };
const asa = stored(data(await api.POST("/fhir/Patient", { params: ifNone, body: person })));
status(await api.POST("/fhir/Patient", { params: ifNone, body: person }), 200);
const inFHIR = { path: { id: Number(asa.id) } };
const shown = await api.GET("/fhir/Patient/{id}", { params: inFHIR });
const versionTag = shown.response.headers.get("ETag") ?? "";
const whole = data(shown);
equal(whole.name?.[0]?.text, "Åsa Lindström");
const newer = { ...whole, telecom: [{ system: "phone" as const, value: "+46 8 5550 118" }] };
const mine = { ...inFHIR, header: { "If-Match": versionTag } };
equal(stored(data(await api.PUT("/fhir/Patient/{id}", { params: mine, body: newer }))).meta?.versionId, "2");
status(await api.PUT("/fhir/Patient/{id}", { params: mine, body: newer }), 412);
equal(firstID(data(await api.GET("/fhir/Patient", { params: { query: { name: "lind", _lastUpdated: ["ge2026"], _count: 1 } } }))), asa.id);
equal(data(await api.POST("/fhir/Patient/_search", { body: { name: "lind" }, ...asForm })).total, 1);
equal(data(await api.GET("/fhir/Patient/{id}/_history", { params: inFHIR })).entry?.length, 2);
const old = data(await api.GET("/fhir/Patient/{id}/_history/{version}", { params: { path: { ...inFHIR.path, version: 1 } } }));
equal(old.telecom, undefined);

const cardiologist: Schemas["FHIRPractitioner"] = {
  resourceType: "Practitioner", name: [{ text: "Dr. Amara Okafor" }], qualification: [{ code: { text: "Cardiology" } }],
};
const okafor = stored(data(await api.POST("/fhir/Practitioner", { body: cardiologist })));
const ofOkafor = { path: { id: Number(okafor.id) } };
data(await api.GET("/fhir/Practitioner", { params: { query: { name: "okafor" } } }));
data(await api.POST("/fhir/Practitioner/_search", { body: { name: "okafor" }, ...asForm }));
const practitioner = data(await api.GET("/fhir/Practitioner/{id}", { params: ofOkafor }));
data(await api.PUT("/fhir/Practitioner/{id}", { params: ofOkafor, body: practitioner }));
data(await api.GET("/fhir/Practitioner/{id}/_history", { params: ofOkafor }));
data(await api.GET("/fhir/Practitioner/{id}/_history/{version}", { params: { path: { ...ofOkafor.path, version: 1 } } }));

const nobody = data(await api.GET("/fhir/CareTeam/{id}", { params: inFHIR }));
equal(nobody.status, "inactive");
const members = [{ member: { reference: `Practitioner/${okafor.id}` } }];
const careTeam: Schemas["FHIRCareTeam"] = { resourceType: "CareTeam", id: asa.id, participant: members };
equal(stored(data(await api.PUT("/fhir/CareTeam/{id}", { params: inFHIR, body: careTeam }))).status, "active");
equal(firstID(data(await api.GET("/fhir/CareTeam", { params: { query: { participant: okafor.id } } }))), asa.id);
data(await api.POST("/fhir/CareTeam/_search", { body: { patient: asa.id }, ...asForm }));
const event = firstID(data(await api.GET("/fhir/AuditEvent", { params: { query: { patient: asa.id } } })));
data(await api.POST("/fhir/AuditEvent/_search", { body: { patient: asa.id }, ...asForm }));
const line = data(await api.GET("/fhir/AuditEvent/{id}", { params: { path: { id: Number(event) } } }));
equal(line.resourceType, "AuditEvent");

status(await api.DELETE("/fhir/Practitioner/{id}", { params: ofOkafor }), 204);
status(await api.DELETE("/fhir/Patient/{id}", { params: inFHIR }), 204);
const gone = await api.GET("/fhir/Patient/{id}", { params: inFHIR });
status(gone, 410);
equal(gone.error?.issue[0]?.code, "deleted");
for (const no of [
  await api.POST("/fhir"),
  await api.PUT("/fhir/Patient"), await api.DELETE("/fhir/Patient"),
  await api.PUT("/fhir/Practitioner"), await api.DELETE("/fhir/Practitioner"),
  await api.PUT("/fhir/CareTeam"), await api.DELETE("/fhir/CareTeam"),
]) equal(no.error?.issue[0]?.code, "not-supported");

// The service.
equal(data(await api.GET("/healthz")).status, "ok");
equal(data(await api.GET("/readyz")).status, "ok");
const home: string = data(await api.GET("/", { parseAs: "text" }));
equal(home.includes("Healthcare API"), true);
data(await api.GET("/accept", { parseAs: "text" }));
data(await api.GET("/docs", { parseAs: "text" }));
data(await api.GET("/console", { parseAs: "text" }));
data(await api.GET("/console/{path}", { params: { path: { path: "doctors" } }, parseAs: "text" }));
data(await api.GET("/docs/{file}", { params: { path: { file: "pages.css" } }, parseAs: "text" }));
data(await api.GET("/openapi.yaml", { parseAs: "text" }));
data(await api.GET("/openapi.json"));

// The end.
const sessions = data(await api.GET("/api/auth/sessions/"));
const elsewhere = data(await api.POST("/api/auth/login/", { body: { username: "chief", password: password + "!" } }));
equal(elsewhere.user.id, me.id);
const other = data(await api.GET("/api/auth/sessions/")).results.find((s) => !s.current);
equal(sessions.results.length, 1);
status(await api.DELETE("/api/auth/sessions/{id}/", { params: { path: { id: other?.id ?? 0 } } }), 204);
status(await api.POST("/api/auth/logout/"), 204);
status(await api.GET("/api/auth/me/"), 401);
console.log("Every route was called.");

// What must not compile. It is never called.
export function mistakes(): void {
  // @ts-expect-error: the name is missing
  api.POST("/api/patients/", { body: {} });
  // @ts-expect-error: there is no such gender
  api.POST("/api/patients/", { body: { name: "Eve", gender: "none" } });
  // @ts-expect-error: there is no such field (within a call, openapi-fetch does not look for those)
  const patch: Schemas["PatientPatch"] = { telephone: "1" };
  api.PATCH("/api/patients/{id}/", { params, body: patch });
  // @ts-expect-error: a patient has a name
  api.PATCH("/api/patients/{id}/", { params, body: { name: null } });
  // @ts-expect-error: the name is missing
  api.PUT("/api/patients/{id}/", { params, body: { phone: "1" } });
  // @ts-expect-error: the specialization is missing
  api.POST("/api/doctors/", { body: { name: "Dr. Amara Okafor" } });
  // @ts-expect-error: both ids are missing
  api.POST("/api/mappings/", { body: {} });
  // @ts-expect-error: the doctor is missing
  api.POST("/api/doctor/mappings/", { body: { patient_id: 1 } });
  // @ts-expect-error: the doctor is missing
  api.POST("/api/doctor/mappings/{id}/remove/", { params, body: {} });
  // @ts-expect-error: the password is missing
  api.POST("/api/auth/register/", { body: { username: "ana", email: "ana@example.org" } });
  // @ts-expect-error: the patient's number is missing
  api.GET("/api/patients/{id}/");
  // @ts-expect-error: this server cannot keep a photo
  const photo: Schemas["FHIRPatient"] = { resourceType: "Patient", photo: [] };
  api.POST("/fhir/Patient", { body: photo });
  // @ts-expect-error: an identifier has a system
  const numbered: Schemas["FHIRPatient"] = { resourceType: "Patient", identifier: [{ value: "1" }] };
  api.PUT("/fhir/Patient/{id}", { params, body: numbered });
  // @ts-expect-error: it may be null
  born.length;
  // @ts-expect-error: beside a cursor there is no count
  page.count.toFixed();
}
