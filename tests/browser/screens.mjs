// Each screen of the console, and each state that looks different: nothing for axe to find, light and dark, on a desk, a phone
// and at 320 px; and no text without a translation.
import assert from "node:assert/strict";
import { heading, looksRight, openConsole, register, serve, signIn, storesNothing } from "./desk.mjs";

const mischief = `<img src=x onerror="document.title='broken'"><b>Bold</b>`;

export async function screens() {
  const { base, admin } = await serve();
  admin("chief");
  const ana = await register(base, "ana");
  await register(base, "bob");
  const doctor = await ana("POST", "doctors/", { name: "Dr. Amara Okafor", specialization: "Cardiology", license_number: "C-1", years_of_experience: 4 });
  const patient = await ana("POST", "patients/", {
    name: mischief, date_of_birth: "1958-03-14", gender: "female", phone: "+44 7700 900123", email: "a@example.org", blood_group: "A+",
    address: "4 Linden Road\nNorthbridge", allergies: "Penicillin\nنحل", medical_history: "Long. ".repeat(200),
  });
  const plain = await ana("POST", "patients/", { name: "יעל כהן" });
  await ana("POST", "mappings/", { patient_id: patient.id, doctor_id: doctor.id });
  await ana("PATCH", `patients/${patient.id}/`, { phone: "", date_of_birth: "1958-03-15" });
  const gone = await ana("POST", "patients/", { name: "Gone" });
  await ana("DELETE", `patients/${gone.id}/`);

  const page = await openConsole(base);
  await heading(page, "Sign in");
  await looksRight(page, "sign in");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByRole("link", { name: "Username: Fill in this field." }).waitFor();
  await looksRight(page, "sign in, refused", [320]);
  await page.getByRole("button", { name: "Open an account" }).click();
  await page.getByRole("textbox", { name: "E-mail" }).waitFor();
  await looksRight(page, "open an account", [320]);
  await page.getByRole("button", { name: "Sign in instead" }).click();
  await signIn(page, "chief");

  const screens = [
    ["", "Patients", (p) => p.getByText("Type at least two letters.")],
    [`/patients/${patient.id}`, mischief, (p) => p.getByRole("link", { name: "Dr. Amara Okafor" })],
    [`/patients/${plain.id}`, "יעל כהן", (p) => p.getByText("No doctor is assigned.")],
    [`/patients/${patient.id}/edit`, mischief, (p) => p.getByText("68 years old")],
    [`/patients/${patient.id}/history`, mischief, (p) => p.getByText("15 Mar 1958").first()],
    [`/patients/${patient.id}/access`, mischief, (p) => p.getByText("Opened").first()],
    ["/patients/new", "New patient", (p) => p.getByRole("button", { name: "Save" })],
    ["/doctors", "Doctors", (p) => p.getByRole("cell", { name: "Cardiology" })],
    [`/doctors/${doctor.id}`, "Dr. Amara Okafor", (p) => p.getByText("since")],
    [`/doctors/${doctor.id}/edit`, "Edit Dr. Amara Okafor", (p) => p.getByRole("textbox", { name: "Name" })],
    ["/doctors/new", "New doctor", (p) => p.getByRole("button", { name: "Save" })],
    ["/deleted", "Deleted", (p) => p.getByRole("button", { name: "Restore: Gone" })],
    ["/users", "Users", (p) => p.getByRole("button", { name: "Disable: bob" })],
    ["/audit", "Audit", (p) => p.getByRole("cell", { name: "ana" }).first()],
    ["/import", "Import", (p) => p.getByRole("button", { name: "Check the file" })],
    ["/account", "Account", (p) => p.getByText("(this one)")],
    ["/nothing", "There is no such page", (p) => p.getByText("Check the address")],
    ["/patients/9999", "Patient", (p) => p.getByRole("alert")],
  ];
  for (const [path, name, settled] of screens) {
    await page.goto(`${base}/console${path}`);
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
    await settled(page).waitFor();
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, path);
    assert.ok(await page.getByRole("heading", { level: 1 }).evaluate((h) => h === document.activeElement), `${path}: the heading has no focus`);
    await looksRight(page, path);
    await storesNothing(page);
  }

  // What stands over the screens, and lists.
  await page.goto(`${base}/console`);
  await page.getByRole("button", { name: "All patients" }).click();
  await page.getByRole("link", { name: "יעל כהן" }).waitFor();
  await looksRight(page, "all patients");
  await page.getByRole("link", { name: mischief }).click();
  await page.getByRole("combobox", { name: "Assign a doctor" }).fill("amara");
  await page.getByRole("option", { name: "Dr. Amara Okafor" }).waitFor();
  await looksRight(page, "assigning", [1280, 320]);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog", { name: `Delete ${mischief}?` }).waitFor();
  await looksRight(page, "deleting", [1280, 320]);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.ok(await page.getByRole("button", { name: "Delete" }).evaluate((b) => b === document.activeElement), "the focus does not come back");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Shortcuts" }).waitFor();
  await looksRight(page, "shortcuts", [320]);
  await page.keyboard.press("Escape");
  await page.goto(`${base}/console/patients/new`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  await looksRight(page, "new patient, wrong", [1280, 320]);
  assert.notEqual(await page.title(), "broken");
  await languages(page, base, [...screens.map(([path]) => path)]);
  await page.context().close();
}

/** In the other languages, everything fits as well, and nothing shows the name of a text instead of the text. */
async function languages(page, base, paths) {
  await page.setViewportSize({ width: 320, height: 900 });
  for (const [language, word] of [["Deutsch", "Patienten"], ["Français", "Patients"]]) {
    await page.goto(`${base}/console/account`);
    await page.locator("html[lang]").waitFor();
    await page.getByRole("combobox", { name: /Language|Sprache|Langue/ }).selectOption(language);
    for (const path of paths) {
      await page.goto(`${base}/console${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle");
      const [text, content, menu] = await page.evaluate(() => [document.body.innerText, document.documentElement.scrollWidth, document.querySelector("#menu").textContent]);
      assert.ok(content <= 320, `${path} in ${language}: ${content} px`);
      assert.ok(menu.includes(word));
      assert.doesNotMatch(text, /\b(patients|doctors|users|audit|error|wrong|access|did|keys|sessions|conflict)\.[a-z_]+\b/, `${path} in ${language}`);
    }
  }
}
