// A day at the desk, from an empty database on: what README.md promises. It also takes the screenshots.
import assert from "node:assert/strict";
import { client, heading, openConsole, password, serve, signIn, signedIn, storesNothing } from "./desk.mjs";

/** The accounts that `healthcare demo` prints. */
const accounts = (printed) => Object.fromEntries([...printed.matchAll(/username: (\S+)\n\s+password: (.+)\n/g)].map(([, name, secret]) => [name, secret]));

export async function story(pictures) {
  const { base, prepared } = await serve({}, (run) => accounts(run(["demo"])));
  const [[ordinary, secret], [staff, staffSecret]] = Object.entries(prepared);
  assert.equal(secret, password);
  const page = await openConsole(base);
  await signIn(page, ordinary, secret);
  await heading(page, "Patients");

  // Find Lindström, with the keyboard alone.
  await page.keyboard.press("/");
  await page.keyboard.type("lindstr");
  await page.getByRole("table").getByRole("link", { name: /Lindström/ }).first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await heading(page, /Lindström/);
  await page.getByText("No allergies recorded").first().waitFor();
  await storesNothing(page);
  const id = Number(/\d+$/.exec(page.url())[0]);
  const name = await page.getByRole("heading", { level: 1 }).innerText();
  const beside = await client(base, ordinary, secret);

  // Change the allergies while somebody else changes the phone: both stay.
  await page.keyboard.press("e");
  await page.getByRole("textbox", { name: "Allergies" }).fill("Penicillin (rash, 2019)");
  await beside("PATCH", `patients/${id}/`, { phone: "+44 7700 900777" });
  await page.keyboard.press("Control+Enter");
  const conflict = page.getByRole("region", { name: new RegExp(`${ordinary} changed this patient`) });
  await conflict.getByText("+44 7700 900777").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Phone" }).inputValue(), "+44 7700 900777");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Edit" }).waitFor();
  const saved = await beside("GET", `patients/${id}/`);
  assert.deepEqual([saved.allergies, saved.phone], ["Penicillin (rash, 2019)", "+44 7700 900777"]);

  // Both change the allergies: one chooses.
  await page.keyboard.press("e");
  await page.getByRole("textbox", { name: "Allergies" }).fill("Penicillin, latex");
  await beside("PATCH", `patients/${id}/`, { allergies: "Penicillin, nuts" });
  await page.keyboard.press("Control+Enter");
  const choice = page.getByRole("group", { name: "Both of you changed: Allergies" });
  await choice.waitFor();
  await page.keyboard.press("Tab");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Allergies: Choose one of the two." }).waitFor();
  assert.match(await page.title(), /^Error: /);
  await choice.getByRole("radio", { name: "Theirs: Penicillin, nuts" }).check();
  assert.equal(await page.getByRole("textbox", { name: "Allergies" }).inputValue(), "Penicillin, nuts");
  await choice.getByRole("radio", { name: "Yours: Penicillin, latex" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Edit" }).waitFor();
  await page.getByText("Penicillin, latex").first().waitFor();
  assert.equal((await beside("GET", `patients/${id}/`)).allergies, "Penicillin, latex");

  // Assign a doctor, with the keyboard alone.
  const before = (await beside("GET", `mappings/${id}/`)).results.map((d) => d.id);
  const doctor = (await beside("GET", "doctors/")).results.find((d) => !before.includes(d.id));
  await page.getByRole("combobox", { name: "Assign a doctor" }).focus();
  await page.keyboard.type(doctor.name);
  await page.getByRole("option", { name: doctor.name }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: doctor.name }).waitFor();
  assert.ok((await beside("GET", `mappings/${id}/`)).results.some((d) => d.id === doctor.id));

  // The history tells it all.
  await page.getByRole("link", { name: "History" }).click();
  await page.getByText("Doctor assigned").first().waitFor();
  await page.getByRole("link", { name: doctor.name }).first().waitFor();
  await page.getByText("Penicillin (rash, 2019)").first().waitFor();
  if (pictures) await picture(base, ordinary, secret, id, pictures);

  // Delete, and restore as staff.
  await page.getByRole("link", { name: "Record" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog", { name: `Delete ${name}?` }).getByText("staff can restore").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await heading(page, "Patients");
  await page.getByText(`${name} was deleted.`).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await heading(page, "Sign in");
  await signIn(page, staff, staffSecret);
  await page.getByRole("link", { name: "Deleted" }).click();
  await page.getByRole("button", { name: `Restore: ${name}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await page.getByText("Nothing is deleted.").waitFor();

  // Who looked at the patient?
  await page.goto(`${base}/console/patients/${id}/access`);
  await heading(page, name);
  const visit = page.getByRole("listitem").filter({ hasText: new RegExp(`${ordinary}(?!-)`) }).first();
  await visit.getByText(/Opened/).waitFor();
  await visit.getByText(/Appeared in \d+ list/).waitFor();
  await page.getByRole("listitem").filter({ hasText: staff }).first().waitFor();
  await page.context().close();
}

async function picture(base, username, secret, id, folder) {
  for (const [colorScheme, file] of [["light", "console.png"], ["dark", "console-dark.png"]]) {
    const page = await signedIn(base, username, secret, { colorScheme, viewport: { width: 1280, height: 800 } });
    await page.goto(`${base}/console/patients/${id}`);
    await page.getByRole("link", { name: "Edit" }).waitFor();
    await page.screenshot({ path: `${folder}/${file}` });
    await page.context().close();
  }
}
