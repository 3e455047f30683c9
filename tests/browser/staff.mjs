// What staff do: accounts, the audit trail, what was deleted; and the directory of doctors, where they meet everybody else.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { client, heading, looksRight, openConsole, password, register, serve, signIn, signedIn } from "./desk.mjs";

export async function staff() {
  const { base, admin } = await serve();
  admin("chief");
  const ana = await register(base, "ana");
  await users(base);
  await audit(base, ana);
  await doctors(base, ana);
  await imports(base);
  await forOthers(base);
}

const sure = (page) => page.getByRole("dialog").getByRole("button").first().click();

async function users(base) {
  const page = await signedIn(base, "chief");
  await page.getByRole("link", { name: "Users" }).click();
  await heading(page, "Users");

  // A new account: its link is shown once, and opens the page where its holder chooses a password.
  await page.getByRole("button", { name: "Add a user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Username").fill("cem");
  await dialog.getByLabel("E-mail").fill("ana@example.org");
  await dialog.getByRole("button", { name: "Add" }).click();
  await dialog.getByRole("link", { name: "E-mail: This is taken already." }).waitFor();
  await dialog.getByLabel("E-mail").fill("cem@example.org");
  await dialog.getByRole("button", { name: "Add" }).click();
  await page.getByRole("dialog", { name: "A link for cem" }).waitFor();
  const link = await dialog.getByText(`${base}/accept#`).innerText();
  await dialog.getByRole("button", { name: "Close" }).click();
  assert.ok(!(await page.content()).includes(link.split("#")[1]));
  const theirs = await openConsole(base, {}, link.slice(base.length));
  await theirs.locator("input[type=password]").first().fill("a lantern in the harbour");
  await theirs.locator("input[type=password]").last().fill("a lantern in the harbour");
  await theirs.getByRole("button").click();
  await theirs.getByText("Your password is set.").waitFor();
  await theirs.goto(`${base}/console`);
  await signIn(theirs, "cem", "a lantern in the harbour");

  // Disabled, the account is thrown out; enabled, it may come back.
  await page.getByRole("searchbox", { name: "Search users" }).fill("cem");
  await page.getByRole("button", { name: "Disable: ana" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Disable: cem" }).click();
  await sure(page);
  await page.getByText("cem: done.").waitFor();
  await theirs.getByRole("button", { name: "All patients" }).click();
  await theirs.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await theirs.context().close();
  await page.getByRole("button", { name: "Enable: cem" }).click();
  await sure(page);
  await page.getByRole("button", { name: "Make staff: cem" }).click();
  await sure(page);
  await page.getByRole("cell", { name: "Staff", exact: true }).waitFor();
  await page.getByRole("button", { name: "Remove from staff: cem" }).click();
  await sure(page);
  await page.getByRole("button", { name: "Unlock: cem" }).click();
  await sure(page);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "New password: cem" }).click();
  await sure(page);
  await page.getByRole("dialog", { name: "A link for cem" }).waitFor();
  await page.keyboard.press("Escape");

  // The last of staff stays, and the console says why.
  await page.getByRole("searchbox", { name: "Search users" }).fill("chief");
  await page.getByRole("button", { name: "Remove from staff: chief" }).click();
  await sure(page);
  await page.getByRole("dialog").getByText("the clinic always keeps one").waitFor();
  await page.context().close();
}

async function audit(base, ana) {
  const { id } = await ana("POST", "patients/", { name: "Petra" });
  await ana("GET", `patients/${id}/`);
  const page = await signedIn(base, "chief");
  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByRole("combobox", { name: "Account" }).fill("ana");
  await page.getByRole("option", { name: "ana" }).click();
  await page.getByRole("combobox", { name: "Action" }).selectOption("Opened");
  await page.getByRole("textbox", { name: "Patient number" }).fill(`${id}`);
  await page.getByRole("textbox", { name: "From" }).fill("yesterday");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("link", { name: /^From: Enter a day/ }).waitFor();
  const today = new Date(Date.now()).toISOString().slice(0, 10);
  await page.getByRole("textbox", { name: "From" }).fill(today);
  await page.getByRole("textbox", { name: "Until" }).fill(today);
  const asked = page.waitForRequest((r) => r.url().includes("/api/audit/?"));
  await page.getByRole("button", { name: "Show" }).click();
  const query = new URL((await asked).url()).searchParams;
  const midnight = new Date(`${today}T00:00:00`);
  assert.equal(query.get("since"), midnight.toISOString());
  assert.equal(new Date(query.get("until")).getTime(), midnight.setDate(midnight.getDate() + 1) - 1);
  await page.getByRole("status").filter({ hasText: /^1 found/ }).waitFor();
  await page.getByRole("link", { name: `Patient ${id}` }).waitFor();
  assert.equal(await page.getByRole("table").getByRole("row").count(), 2);
  await page.getByRole("textbox", { name: "From" }).fill("1.1.2001");
  await page.getByRole("textbox", { name: "Until" }).fill("2.1.2001");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("nothing", { exact: true }).waitFor();
  await page.context().close();
}

async function doctors(base, ana) {
  const mine = await ana("POST", "doctors/", { name: "Dr. Mine", specialization: "Eyes", license_number: "L-1" });
  const { id: patient } = await ana("POST", "patients/", { name: "Paul", identifiers: [{ system: "urn:clinic:file", value: "2024-17" }] });
  await ana("POST", "mappings/", { patient_id: patient, doctor_id: mine.id });

  // The chief's entry is for others to see, not to change.
  const page = await signedIn(base, "chief");
  await page.goto(`${base}/console/doctors/new`);
  await page.getByRole("textbox", { name: "Name" }).fill("Dr. Chief");
  await page.getByRole("textbox", { name: "Licence number" }).fill("l-1");
  await page.getByRole("textbox", { name: "Years of experience" }).fill("many");
  await page.getByRole("button", { name: "Save" }).click();
  for (const says of ["Specialization: Fill in this field.", "Licence number: This is taken already.", "Years of experience: Enter a whole number."]) {
    await page.getByRole("link", { name: says }).waitFor();
  }
  await page.getByRole("textbox", { name: "Specialization" }).fill("Hearts");
  await page.getByRole("textbox", { name: "Licence number" }).fill("L-2");
  await page.getByRole("textbox", { name: "Years of experience" }).fill("12");
  await page.getByRole("button", { name: "Save" }).click();
  await heading(page, "Dr. Chief");
  await doctorOfTwo(base, page);
  const theirs = await signedIn(base, "ana");
  await theirs.goto(page.url());
  await theirs.getByText("Whoever added this entry, and staff, can change it.").waitFor();
  assert.equal(await theirs.getByRole("link", { name: "Edit" }).count(), 0);

  // Numbers of a patient; and who the doctors were.
  await theirs.goto(`${base}/console/patients/${patient}/edit`);
  await theirs.getByRole("button", { name: "Add a number" }).click();
  await theirs.getByRole("textbox", { name: "Whose number" }).last().fill("urn:insurer");
  await theirs.getByRole("textbox", { name: "Number", exact: true }).last().fill("A 1");
  await theirs.getByRole("textbox", { name: "Number", exact: true }).first().fill("");
  await theirs.getByRole("button", { name: "Save" }).click();
  await theirs.getByRole("link", { name: "Numbers: Number 1: Fill in this field." }).waitFor();
  await theirs.getByRole("button", { name: "Remove: 1" }).click();
  await theirs.getByRole("button", { name: "Save" }).click();
  await theirs.getByText("urn:insurer A 1").waitFor();
  assert.deepEqual((await ana("GET", `patients/${patient}/`)).identifiers, [{ system: "urn:insurer", value: "A 1" }]);

  await page.goto(`${base}/console/doctors/${mine.id}`);
  await page.getByRole("button", { name: "Delete" }).click();
  await sure(page);
  await page.getByText("Dr. Mine was deleted.").waitFor();
  await theirs.goto(`${base}/console/patients/${patient}/history`);
  await theirs.getByText("Dr. Mine").first().waitFor(); // who is deleted by now
  await theirs.getByText("urn:clinic:file 2024-17").first().waitFor();
  await theirs.getByRole("textbox", { name: "Day" }).fill("1 Jan 2001");
  await theirs.getByRole("button", { name: "Show" }).click();
  await theirs.getByText("No doctor was assigned at the end of 1 January 2001.").waitFor();

  // The number is taken meanwhile, so the entry cannot come back.
  await ana("POST", "doctors/", { name: "Dr. Next", specialization: "Eyes", license_number: "L-1" });
  await page.getByRole("link", { name: "Deleted" }).click();
  await page.getByRole("button", { name: "Doctors" }).click();
  await page.getByRole("button", { name: "Restore: Dr. Mine" }).click();
  await sure(page);
  await page.getByRole("dialog").getByText("Another doctor has this licence number by now").waitFor();
  await theirs.context().close();
  await page.context().close();
}

/** Two change one doctor: both changes stay, and where they meet, one sees the other's. */
async function doctorOfTwo(base, page) {
  const beside = await client(base, "chief");
  const path = `doctors/${/\d+$/.exec(page.url())[0]}/`;
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Phone" }).fill("1");
  await beside("PATCH", path, { phone: "2", email: "d@example.org" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("What you typed is kept").waitFor();
  await page.getByText("Theirs: 2").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "E-mail" }).inputValue(), "d@example.org");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Dr. Chief was saved.").waitFor();
  const saved = await beside("GET", path);
  assert.deepEqual([saved.phone, saved.email], ["1", "d@example.org"]);
}

/** Whoever is not staff is offered nothing of this, and told so where the address is known. */
async function forOthers(base) {
  const page = await signedIn(base, "ana", password);
  for (const name of ["Users", "Audit", "Deleted"]) assert.equal(await page.getByRole("link", { name }).count(), 0);
  for (const path of ["users", "audit", "deleted"]) {
    await page.goto(`${base}/console/${path}`);
    await page.getByRole("alert").getByText("Your account may not do this.").waitFor();
  }
  await page.context().close();
}

async function imports(base) {
  const page = await signedIn(base, "chief");
  await page.getByRole("link", { name: "Import" }).click();
  await page.getByText("nothing", { exact: true }).waitFor();
  const csv = (text) => page.getByLabel("File").setInputFiles({ name: "patients.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  await csv("Name,Birth date,Gender\nIda Import,1958-03-14,female\nIvo Import,31.2.1958,male\n");
  await page.getByRole("button", { name: "Check the file" }).click();
  await page.getByText("Row 3").waitFor();
  assert.equal(await page.getByRole("button", { name: "Import these rows" }).count(), 0);
  await looksRight(page, "import", [1280, 320]);
  await csv("Name,Birth date,Gender\nIda Import,1958-03-14,female\nIvo Import,1958-03-15,male\n");
  await page.getByRole("button", { name: "Check the file" }).click();
  await page.getByText("Created: 2").waitFor();
  await page.getByRole("button", { name: "Import these rows" }).click();
  await page.getByRole("heading", { name: "Imported", exact: true }).waitFor();
  await page.getByRole("cell", { name: "patients.csv" }).waitFor();
  assert.equal((await (await client(base, "chief"))("GET", "patients/?search=import")).count, 2);
  await correctedFile(page);
  await page.context().close();
}

/** A file that is corrected on the disk: it is not read as it was, and can be chosen once more. */
async function correctedFile(page) {
  const dir = mkdtempSync(join(tmpdir(), "import-"));
  const path = join(dir, "corrected.csv");
  const choose = async () => {
    const chooser = page.waitForEvent("filechooser");
    await page.getByLabel("File").click();
    await (await chooser).setFiles(path);
  };
  const check = () => page.getByRole("button", { name: "Check the file" }).click();
  writeFileSync(path, "Name,Birth date\nZoe Corrected,31.2.1990\n");
  await choose();
  await check();
  await page.getByText("Row 2").waitFor();
  await page.waitForTimeout(1100); // so that it is newer by the clock of any disk
  writeFileSync(path, "Name,Birth date\nZoe Corrected,1990-07-21\n");
  await check();
  await page.getByRole("alert").getByText("The file cannot be read").waitFor();
  await choose();
  await check();
  await page.getByText("Created: 1").waitFor();
  rmSync(dir, { recursive: true });
}
