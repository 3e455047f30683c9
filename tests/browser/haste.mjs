// People are faster than the network, come back to what they left, and share the records with others who change them.
import assert from "node:assert/strict";
import { heading, openConsole, password, register, serve, signIn, signedIn } from "./desk.mjs";

const name = (page) => page.getByRole("textbox", { name: "Name", exact: true });
const phone = (page) => page.getByRole("textbox", { name: "Phone" });
const allergies = (page) => page.getByRole("textbox", { name: "Allergies" });
const save = (page) => page.getByRole("button", { name: "Save" });
const box = (page) => page.getByRole("searchbox", { name: "Search patients" });
const go = (page, link) => page.getByRole("link", { name: link, exact: true }).click();
const hasFocus = (element) => element.evaluate((e) => e === document.activeElement);

const zone = "Pacific/Kiritimati"; // 14 hours ahead of UTC
const ofTheVisit = [reloads, signingOut];
const parts = [
  quickEnter, quickChoice, editOfToday, draftOfYesterday, givenUpEdit, doctorOfToday, secondClick, typedIntoConflict, lateSave,
  focus, wrongPassword, smallScreen, localDay, notFound,
];

export async function haste() {
  const { base } = await serve();
  const ana = await register(base, "ana");
  for (const part of ofTheVisit) {
    const patient = await ana("POST", "patients/", { name: "Petra" });
    const page = await signedIn(base, "ana");
    await part({ base, page, patient });
    await page.context().close();
  }
  const desk = (await signedIn(base, "ana", password, { timezoneId: zone })).context();
  for (const part of parts) {
    const patient = await ana("POST", "patients/", { name: `Petra ${part.name}`, phone: "1", date_of_birth: "1958-03-14" });
    const page = await desk.newPage(); // it has the session of the first one
    await page.goto(`${base}/console`);
    await heading(page, "Patients");
    await part({ base, ana, page, patient });
    await page.close();
  }
  await desk.close();
}

/** Goes to a screen as a click does, so that the page stays the same. */
const visit = (page, path) => page.evaluate((to) => {
  const link = document.querySelector("main").appendChild(document.createElement("a"));
  link.href = to;
  link.click();
  link.remove();
}, path);

// --- the visit ---

async function reloads({ page, base }) {
  for (const wait of [20, 80]) { // again, before the page has its tokens
    await page.reload({ waitUntil: "domcontentloaded" });
    await page.waitForTimeout(wait);
    await page.reload();
    await heading(page, "Patients");
  }
  for (const path of ["refresh", "me"]) {
    for (const failing of [(route) => route.abort(), (route) => route.fulfill({ status: 503, body: "{}" })]) {
      await page.route(`**/api/auth/${path}/`, failing, { times: 1 });
      await page.reload();
      await heading(page, "Patients");
    }
  }
  await page.route("**/api/auth/refresh/", (route) => route.fulfill({ status: 401, body: "{}" }));
  await page.reload();
  await heading(page, "Sign in");
  assert.equal(page.url(), `${base}/console`);
}

async function signingOut({ page, patient }) {
  await visit(page, `/console/patients/${patient.id}/edit`);
  await phone(page).fill("2");
  await go(page, "Doctors");
  await page.getByRole("button", { name: "Sign out" }).click();
  const dialog = page.getByRole("dialog", { name: "Sign out" });
  await dialog.getByText("What you typed and have not saved will be lost.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  await heading(page, "Doctors");
  await page.getByRole("button", { name: "Sign out" }).click();
  await dialog.getByRole("button", { name: "Sign out" }).click();
  await heading(page, "Sign in");
  await signIn(page, "ana");
  await heading(page, "Patients");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.getByRole("button", { name: "Sign out" }).click(); // nothing is typed: nothing is asked
  await heading(page, "Sign in");
}

// --- keys before their answer ---

async function quickEnter({ page, ana, patient }) {
  const other = await ana("POST", "patients/", { name: "Quentin" });
  await box(page).fill("Quentin");
  await page.getByRole("link", { name: "Quentin" }).waitFor();
  await box(page).fill(patient.name);
  await page.keyboard.press("Enter"); // the row of the old word is still there
  await heading(page, patient.name);

  // Nor does it open what another word finds, or when somebody has gone elsewhere.
  await go(page, "Patients");
  await box(page).fill("Quentin");
  await page.keyboard.press("Enter");
  await box(page).fill("Nobody");
  await page.getByText("Nothing found for “Nobody”.").waitFor();
  await box(page).fill("Quentin");
  await page.keyboard.press("Enter");
  await go(page, "Doctors");
  await page.waitForTimeout(500);
  await heading(page, "Doctors");

  // The row that an arrow key goes to is of the word in the box.
  await go(page, "Patients");
  await page.getByRole("link", { name: "Quentin" }).waitFor();
  await box(page).fill(patient.name);
  await page.keyboard.press("ArrowDown");
  assert.ok(await hasFocus(box(page)));
  await page.getByRole("link", { name: patient.name }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await heading(page, patient.name);
  assert.ok(!page.url().endsWith(`/${other.id}`));
}

async function quickChoice({ page, ana, patient }) {
  await ana("POST", "doctors/", { name: "Dr. Zorro", specialization: "Hearts" });
  await ana("POST", "doctors/", { name: "Dr. Yetti", specialization: "Snow" });
  await visit(page, `/console/patients/${patient.id}`);
  const doctor = page.getByRole("combobox", { name: "Assign a doctor" });
  await doctor.fill("Zorro");
  await page.getByRole("option", { name: "Dr. Zorro" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await doctor.fill("Yetti");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: "Dr. Yetti" }).waitFor();
  assert.deepEqual((await ana("GET", `mappings/${patient.id}/`)).results, []);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Dr. Yetti" }).waitFor();
  assert.deepEqual((await ana("GET", `mappings/${patient.id}/`)).results.map((d) => d.name), ["Dr. Yetti"]);
}

async function secondClick({ page, ana, patient }) {
  for (const wait of [150, 400]) {
    await visit(page, "/console/patients/new");
    await heading(page, "New patient");
    await name(page).fill(patient.name);
    await page.getByRole("textbox", { name: "Date of birth" }).fill("14.3.1958");
    const { x, y, width, height } = await save(page).boundingBox();
    await page.mouse.click(x + width / 2, y + height / 2);
    await page.waitForTimeout(wait);
    await page.mouse.click(x + width / 2, y + height / 2);
    await page.getByRole("heading", { name: "Is it one of these?" }).waitFor();
    await page.waitForTimeout(300);
    await page.keyboard.press("Control+Enter");
    await name(page).press("Enter");
    await page.waitForTimeout(300);
    assert.equal((await ana("GET", `patients/?search=${encodeURIComponent(patient.name)}`)).count, 1);
    assert.equal(new URL(page.url()).pathname, "/console/patients/new");
    await page.getByRole("button", { name: "Cancel" }).click();
    await heading(page, "Patients");
  }
}

// --- forms that were left ---

async function editOfToday({ page, ana, patient }) {
  const edit = `/console/patients/${patient.id}/edit`;
  await visit(page, edit);
  await name(page).waitFor();
  await go(page, "Doctors");
  await ana("PATCH", `patients/${patient.id}/`, { allergies: "Penicillin" });
  await visit(page, edit);
  await page.getByText("Allergies: Penicillin").waitFor();
  assert.equal(await allergies(page).inputValue(), "Penicillin");
}

async function draftOfYesterday({ page, ana, patient }) {
  const edit = `/console/patients/${patient.id}/edit`;
  await visit(page, edit);
  await phone(page).fill("2");
  await go(page, "Doctors");
  await ana("PATCH", `patients/${patient.id}/`, { allergies: "Penicillin", phone: "3" });
  await visit(page, edit);
  await page.getByText("Allergies: Penicillin").waitFor();
  assert.equal(await phone(page).inputValue(), "2");
  await save(page).click(); // it began before the other change, and says so
  await page.getByRole("group", { name: "Both of you changed: Phone" }).waitFor();
  assert.equal(await allergies(page).inputValue(), "Penicillin");
}

async function givenUpEdit({ page, ana, patient }) {
  const { id: doctor } = await ana("POST", "doctors/", { name: "Dr. Slow", specialization: "Eyes" });
  for (const path of [`patients/${patient.id}`, `doctors/${doctor}`]) {
    let answer;
    await page.route(`**/api/${path}/`, async (route) => { await new Promise((done) => { answer = done; }); await route.abort().catch(() => {}); });
    await visit(page, `/console/${path}/edit`);
    await page.getByText("Loading…").first().waitFor();
    await go(page, "Account");
    await heading(page, "Account");
    answer();
    await page.unroute(`**/api/${path}/`);
    await visit(page, `/console/${path}/edit`);
    await name(page).waitFor();
  }
}

async function doctorOfToday({ page, ana }) {
  const { id } = await ana("POST", "doctors/", { name: "Dr. Today", specialization: "Eyes" });
  await visit(page, `/console/doctors/${id}/edit`);
  await name(page).waitFor();
  await go(page, "Account");
  await ana("PATCH", `doctors/${id}/`, { phone: "777" });
  await visit(page, `/console/doctors/${id}/edit`);
  await page.waitForFunction(() => document.querySelector("#phone")?.value === "777");
}

// --- saving ---

async function typedIntoConflict({ page, ana, patient }) {
  await visit(page, `/console/patients/${patient.id}/edit`);
  await phone(page).fill("222");
  await ana("PATCH", `patients/${patient.id}/`, { phone: "333" });
  await save(page).click();
  const choice = page.getByRole("group", { name: "Both of you changed: Phone" });
  const [mine, theirs] = [choice.getByRole("radio", { name: "Yours:" }), choice.getByRole("radio", { name: "Theirs:" })];
  await choice.waitFor();
  assert.deepEqual([await mine.isChecked(), await theirs.isChecked()], [false, false]);
  await phone(page).fill("444");
  await choice.getByRole("radio", { name: "Yours: 444" }).waitFor();
  assert.ok(await mine.isChecked());
  await theirs.check();
  assert.equal(await phone(page).inputValue(), "333");
  await mine.check();
  assert.equal(await phone(page).inputValue(), "444");
  await save(page).click();
  await heading(page, patient.name);
  await page.getByRole("link", { name: "Edit" }).waitFor();
  assert.equal((await ana("GET", `patients/${patient.id}/`)).phone, "444");
}

async function lateSave({ page, ana, patient }) {
  const other = await ana("POST", "patients/", { name: "Olga Other" });
  let answer;
  await page.route(`**/api/patients/${patient.id}/`, async (route) => {
    if (route.request().method() === "PATCH") await new Promise((done) => { answer = done; });
    await route.continue();
  });
  await visit(page, `/console/patients/${patient.id}/edit`);
  await phone(page).fill("2");
  await save(page).click();
  await visit(page, `/console/patients/${other.id}/edit`);
  await phone(page).fill("a text that goes on");
  answer();
  await page.getByText(`${patient.name} was saved.`).waitFor();
  assert.equal(new URL(page.url()).pathname, `/console/patients/${other.id}/edit`);
  assert.equal(await phone(page).inputValue(), "a text that goes on");

  // Who waits at the record sees it as it was saved.
  await visit(page, `/console/patients/${patient.id}/edit`);
  await phone(page).fill("3");
  await save(page).click();
  await visit(page, `/console/patients/${patient.id}`);
  await page.getByRole("definition").filter({ hasText: /^2$/ }).waitFor();
  answer();
  await page.getByRole("definition").filter({ hasText: /^3$/ }).waitFor();
}

// --- where the focus is, and what can be seen ---

async function focus({ page, patient }) {
  await page.keyboard.press("n");
  await name(page).fill(patient.name);
  await page.getByRole("textbox", { name: "Date of birth" }).fill("14.3.1958");
  await page.keyboard.press("Control+Enter");
  const alike = page.getByRole("region", { name: "Is it one of these?" });
  await alike.waitFor();
  await page.waitForTimeout(100);
  assert.ok(await hasFocus(alike), "those alike");
  await page.route("**/api/patients/", (route) => route.abort(), { times: 1 });
  await alike.getByRole("button", { name: "None of these: create" }).click();
  const unanswered = page.getByRole("alert").filter({ hasText: "The server has not answered" });
  await unanswered.waitFor();
  await page.waitForTimeout(100);
  assert.ok(await hasFocus(unanswered), "no answer yet");
  await heading(page, patient.name);

  await visit(page, `/console/patients/${patient.id}/edit`);
  await page.route(`**/api/patients/${patient.id}/`, (route) => route.request().method() === "PATCH" ? route.abort() : route.continue());
  await phone(page).fill("2");
  await page.keyboard.press("Control+Enter");
  const error = page.getByRole("alert").filter({ hasText: "The server did not answer" });
  await error.waitFor();
  await page.waitForTimeout(100);
  assert.ok(await hasFocus(error), "a network error");
}

async function wrongPassword({ base }) {
  const page = await openConsole(base);
  await page.getByLabel("Username or e-mail").fill("nobody");
  await page.getByLabel("Password").fill("wrong password");
  await page.keyboard.press("Enter");
  const error = page.getByRole("alert").filter({ hasText: "Username or password is wrong." });
  await error.waitFor();
  await page.waitForTimeout(100);
  assert.ok(await hasFocus(error));
  await page.context().close();
}

async function smallScreen({ page, ana, patient }) {
  await ana("PATCH", `patients/${patient.id}/`, { allergies: "Penicillin" });
  await page.setViewportSize({ width: 320, height: 256 }); // 1280 × 1024 at 400 %
  await visit(page, `/console/patients/${patient.id}/edit`);
  for (const field of [phone(page), allergies(page), page.getByRole("textbox", { name: "E-mail" })]) {
    await field.focus();
    const seen = await field.evaluate((e) => {
      const { left, top, width, height } = e.getBoundingClientRect();
      return [0.1, 0.5, 0.9].filter((part) => document.elementFromPoint(left + width / 2, top + height * part) === e).length;
    });
    assert.equal(seen, 3);
  }
}

async function localDay({ page, ana, patient }) {
  const { id } = await ana("POST", "doctors/", { name: "Dr. Far", specialization: "Islands" });
  const { created_at } = await ana("POST", "mappings/", { patient_id: patient.id, doctor_id: id });
  const day = new Date(created_at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: zone });
  for (const path of [`patients/${patient.id}`, `doctors/${id}`]) {
    await visit(page, `/console/${path}`);
    await page.getByText(`since ${day}`).waitFor();
  }
}

async function notFound({ page }) {
  for (const path of ["patients/9999", "doctors/9999"]) {
    await visit(page, `/console/${path}`);
    await page.getByRole("alert").getByText("There is no such record").waitFor();
    assert.equal(await page.getByText("Loading…").count(), 0);
  }
}
