// Every route, with the client that @hey-api/openapi-ts generates. It is compiled, not run.
import * as api from "./hey";
import { client } from "./hey/client.gen";
import type { FhirPatient, OperationOutcome, Patient, Problem } from "./hey";

client.setConfig({ baseUrl: "http://127.0.0.1:8000", auth: "token" });

export async function everything(): Promise<void> {
  await api.register({ body: { username: "ana", email: "ana@example.org", password: "correct horse battery" } });
  const login = await api.login({ body: { username: "ana", password: "correct horse battery" }, throwOnError: true });
  await api.refresh({ body: { refresh: login.data.refresh } });
  await api.verify({ body: { token: login.data.access } });
  await api.getMe();
  await api.updateMe({ body: { last_name: "Keller" } });
  await api.changePassword({ body: { current_password: "a", new_password: "b" } });
  const sessions = await api.listSessions({ throwOnError: true });
  await api.endSession({ path: { id: sessions.data.results.length } });

  const made = await api.createPatient({ body: { name: "Jürgen Müller" }, headers: { "Idempotency-Key": "patient-1" } });
  const problem: Problem | undefined = made.error;
  const path = { id: made.data?.id ?? Number(problem?.status) };
  const patient: Patient = (await api.getPatient({ path, headers: { "If-None-Match": '"1"' }, throwOnError: true })).data;
  await api.updatePatient({ path, body: { phone: "+49 30 5550 118" }, headers: { "If-Match": '"1"' } });
  await api.replacePatient({ path, body: patient });
  const page = await api.listPatients({ query: { search: "müller", gender: "male", page_size: 1 }, throwOnError: true });
  const texts: (string | null)[] = [page.data.next, page.data.previous, ...page.data.results.map((p) => p.date_of_birth)];
  const count: number | undefined = page.data.count ?? texts.length;
  await api.listPatientHistory({ path, query: { page: count } });
  await api.deletePatient({ path });
  await api.restorePatient({ path });
  const likely = await api.matchPatients({ body: { name: "Jürgen Müller" }, throwOnError: true });
  const reasons: string[] = likely.data.results.flatMap((r) => r.reasons);
  await api.listPatients({ query: { page: reasons.length } });
  const merged = await api.mergePatient({ path, body: { into: patient.id }, headers: { "If-Match": '"1"' } });
  const into: number | undefined = merged.error?.merged_into;
  await api.unmergePatient({ path: { id: into ?? patient.id } });

  await api.createDoctor({ body: { name: "Dr. Amara Okafor", specialization: "Cardiology" } });
  const doctor = (await api.getDoctor({ path, throwOnError: true })).data;
  await api.replaceDoctor({ path, body: doctor });
  await api.updateDoctor({ path, body: { years_of_experience: 15 } });
  const doctors = await api.listDoctors({ query: { specialization: "Cardiology" }, throwOnError: true });
  const years: (number | null)[] = doctors.data.results.map((d) => d.years_of_experience);
  await api.listDoctorHistory({ path, query: { page: years.length } });
  await api.deleteDoctor({ path });
  await api.restoreDoctor({ path });

  const body = { patient_id: patient.id, doctor_id: doctor.id };
  await api.createMapping({ body });
  await api.listMappings({ query: { patient_id: patient.id } });
  const treating = await api.listDoctorsOfPatient({ path, query: { as_of: "2026-01-31" }, throwOnError: true });
  await api.deleteMapping({ path: { id: treating.data.results.map((d) => d.mapping_id)[0] ?? 1 } });
  await api.assignDoctor({ body });
  await api.listAssignments();
  await api.listAssignedDoctors({ path });
  await api.unassignDoctor({ path, body: { doctor_id: doctor.id } });

  await api.exportPatients({ query: { format: "csv", search: "müller" } });
  await api.exportDoctors({ query: { format: "xlsx" } });
  await api.exportMappings({ query: { format: "jsonl" } });
  const known = (await api.exportPatient({ path, throwOnError: true })).data;
  const seen: string | undefined = typeof known === "string" ? known : known.seen_by[0]?.by.username;

  await api.listUsers({ query: { is_staff: true } });
  await api.getUser({ path });
  await api.updateUser({ path, body: { is_active: false } });
  await api.unlockUser({ path });
  const invited = await api.inviteUser({ body: { username: "cem", email: "cem@example.org" }, throwOnError: true });
  const token: string = invited.data.invitation.token;
  await api.resetUser({ path });
  await api.acceptInvitation({ body: { token, password: "a lantern in the harbour" } });
  await api.forgotPassword({ body: { email: "cem@example.org" } });
  const report = await api.importFile({ query: { of: "patients" }, body: "Name\nAda\n", throwOnError: true });
  const refused: string[] = report.data.rows.flatMap((row) => Object.values(row.errors).flat());
  await api.listImports({ query: { page: refused.length } });
  await api.getImport({ path });
  await api.undoImport({ path });
  const audit = await api.listAudit({ query: { action: "read" }, throwOnError: true });
  const names: (string | undefined)[] = audit.data.results.map((e) => e.user?.username);
  console.log(names);

  await api.fhirCapabilities();
  const named: FhirPatient = { resourceType: "Patient", name: [{ text: "Åsa Lindström" }] };
  const stored = await api.fhirCreatePatient({ body: named, headers: { "If-None-Exist": "name=lind" }, throwOnError: true });
  const issues: string[] = stored.data.resourceType === "OperationOutcome" ? stored.data.issue.map((i) => i.details.text) : [];
  console.log(issues);
  const found = await api.fhirSearchPatients({ query: { "name:contains": "ström", birthdate: ["ge1950", "lt1960"] }, throwOnError: true });
  const urls: (string | undefined)[] = found.data.entry?.map((e) => e.fullUrl) ?? [];
  await api.fhirSearchPatientsByForm({ body: { _id: urls.join(",") } });
  const whole = (await api.fhirReadPatient({ path, throwOnError: true })).data;
  const changed = await api.fhirUpdatePatient({ path, body: { ...whole, gender: "female" }, headers: { "If-Match": 'W/"1"' } });
  const outcome: OperationOutcome | undefined = changed.error;
  console.log(outcome?.issue[0]?.expression);
  await api.fhirHistoryOfPatient({ path });
  await api.fhirReadPatientVersion({ path: { ...path, version: 1 } });
  await api.fhirDeletePatient({ path });
  await api.fhirCreatePractitioner({ body: { resourceType: "Practitioner", name: [{ text: "Dr. Okafor" }], qualification: [{ code: { text: "Cardiology" } }] } });
  await api.fhirSearchPractitioners({ query: { name: "okafor" } });
  await api.fhirSearchPractitionersByForm({ body: { name: "okafor" } });
  const practitioner = (await api.fhirReadPractitioner({ path, throwOnError: true })).data;
  await api.fhirUpdatePractitioner({ path, body: practitioner });
  await api.fhirHistoryOfPractitioner({ path });
  await api.fhirReadPractitionerVersion({ path: { ...path, version: 1 } });
  await api.fhirDeletePractitioner({ path });
  await api.fhirSearchCareTeams({ query: { participant: "Practitioner/1" } });
  await api.fhirSearchCareTeamsByForm({ body: { patient: "1" } });
  const careTeam = (await api.fhirReadCareTeam({ path, throwOnError: true })).data;
  await api.fhirUpdateCareTeam({ path, body: { ...careTeam, participant: [{ member: { reference: "Practitioner/1" } }] } });
  await api.fhirSearchAuditEvents({ query: { patient: "1", action: "R" } });
  await api.fhirSearchAuditEventsByForm({ body: { date: ["ge2026-11-24"] } });
  await api.fhirReadAuditEvent({ path });
  await api.fhirBatch();
  await api.fhirConditionalUpdatePatient();
  await api.fhirConditionalDeletePatient();
  await api.fhirConditionalUpdatePractitioner();
  await api.fhirConditionalDeletePractitioner();
  await api.fhirConditionalUpdateCareTeam();
  await api.fhirConditionalDeleteCareTeam();

  await api.getLiveness();
  await api.getReadiness();
  await api.getHome();
  await api.getAcceptPage();
  await api.getReference();
  await api.getConsole();
  await api.getConsolePage({ path: { path: "doctors" } });
  await api.getPageFile({ path: { file: "pages.css" } });
  await api.getOpenapiYaml();
  await api.getOpenapiJson();
  await api.logout();

  // What must not compile.
  // @ts-expect-error: the name is missing
  await api.createPatient({ body: {} });
  // @ts-expect-error: there is no such gender
  await api.createPatient({ body: { name: "Eve", gender: "none" } });
  // @ts-expect-error: there is no such field
  await api.updatePatient({ path, body: { telephone: "1" } });
  // @ts-expect-error: the name is missing
  await api.replacePatient({ path, body: { phone: "1" } });
  // @ts-expect-error: the specialization is missing
  await api.createDoctor({ body: { name: "Dr. Amara Okafor" } });
  // @ts-expect-error: both ids are missing
  await api.createMapping({ body: {} });
  // @ts-expect-error: the doctor is missing
  await api.assignDoctor({ body: { patient_id: 1 } });
  // @ts-expect-error: the doctor is missing
  await api.unassignDoctor({ path, body: {} });
  // @ts-expect-error: the password is missing
  await api.register({ body: { username: "ana", email: "ana@example.org" } });
  // @ts-expect-error: this server cannot keep a photo
  await api.fhirCreatePatient({ body: { resourceType: "Patient", photo: [] } });
  // @ts-expect-error: it may be null
  patient.date_of_birth.length;
  // @ts-expect-error: beside a cursor there is no count
  page.data.count.toFixed();
}
