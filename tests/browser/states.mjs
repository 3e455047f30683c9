// What the console does when things go wrong, or slowly, or not at all.
import assert from "node:assert/strict";
import { client, heading, openConsole, register, serve, signIn, signedIn, storesNothing } from "./desk.mjs";

const problem = (status, code, headers = {}) => ({
  status, headers, contentType: "application/problem+json",
  body: JSON.stringify({ type: "about:blank", title: "x", status, detail: "x", code, request_id: "REQUEST7" }),
});

const name = (page) => page.getByRole("textbox", { name: "Name" });
const save = (page) => page.getByRole("button", { name: "Save" });

export async function states() {
  const { base } = await serve();
  const ana = await register(base, "ana");
  const patient = await ana("POST", "patients/", { name: "Petra Lindström", phone: "1", date_of_birth: "1958-03-14" });
  await ana("POST", "patients/", { name: "李小龍" });
  const desk = { base, ana, patient };
  await refusedSignIns();
  await closedRegistration();
  await ownAccount(desk);
  for (const part of [searching, requests, failing, unanswered, wrongFields, alike, keeping, ended, offline, idle, shortcuts, likely]) {
    const page = await signedIn(base, "ana");
    await heading(page, "Patients");
    await part({ ...desk, page });
    await page.context().close();
  }
}

async function refusedSignIns() {
  const { base } = await serve();
  await register(base, "eve");
  const page = await openConsole(base, { locale: "de-DE" });
  for (let i = 0; i < 6; i++) {
    await page.getByLabel("Benutzername oder E-Mail").fill("eve");
    await page.getByLabel("Passwort").fill("wrong password");
    const answered = page.waitForResponse((r) => r.url().endsWith("/login/"));
    await page.getByRole("button", { name: "Anmelden" }).click();
    await answered;
    await page.getByRole("alert").getByText(i < 5 ? "Benutzername oder Passwort ist falsch." : "Zu viele Versuche.").waitFor();
  }
  await page.getByText("In 15 Minuten können Sie es noch einmal versuchen.").waitFor();
  assert.match(await page.title(), /^Fehler: /);
  assert.equal(await page.getByLabel("Benutzername oder E-Mail").inputValue(), "eve");
  await page.context().close();
}

async function closedRegistration() {
  const { base } = await serve({ REGISTRATION: "closed" });
  const page = await openConsole(base);
  await page.getByRole("button", { name: "Open an account" }).click();
  await page.getByText("This clinic’s staff open the accounts.").waitFor();
  await page.context().close();
}

async function ownAccount({ base }) {
  const page = await openConsole(base, { locale: "fr-FR" });
  await page.getByRole("button", { name: "Ouvrir un compte" }).click();
  await page.getByLabel("Nom d’utilisateur").fill("a b");
  await page.getByLabel("E-mail").fill("ana@example.org");
  await page.getByLabel("Mot de passe").fill("12345678");
  await page.getByRole("button", { name: "Ouvrir un compte" }).click();
  const summary = page.getByRole("alert");
  await summary.getByRole("link", { name: "Nom d’utilisateur: Seulement des lettres" }).waitFor();
  await summary.getByRole("link", { name: "E-mail: C’est déjà pris." }).waitFor();
  await summary.getByRole("link", { name: /Mot de passe: Ce mot de passe est trop courant.* Pas seulement des chiffres/ }).click();
  assert.ok(await page.getByLabel("Mot de passe").evaluate((e) => e === document.activeElement));
  await page.getByLabel("Nom d’utilisateur").fill("cy");
  await page.getByLabel("Nom d’utilisateur").fill("cyr");
  await page.getByLabel("E-mail").fill("cyr@example.org");
  await page.getByLabel("Mot de passe").fill("another horse altogether");
  await page.getByRole("button", { name: "Ouvrir un compte" }).click();
  await page.getByRole("link", { name: "Compte", exact: true }).click();
  await page.getByLabel("Prénom").fill("Cyrille");
  await page.getByRole("button", { name: "Enregistrer" }).click();
  await page.getByText("Enregistré.").waitFor();

  // A new password; the other session can be ended by itself.
  const beside = await client(base, "cyr", "another horse altogether");
  assert.equal((await beside("GET", "auth/me/")).first_name, "Cyrille");
  await page.reload();
  await page.getByRole("button", { name: /^Terminer la session de (?!Chrome)/ }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Terminer" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await assert.rejects(beside("GET", "auth/me/"));
  await page.getByLabel("Mot de passe actuel").fill("wrong");
  await page.getByLabel("Nouveau mot de passe", { exact: true }).fill("a third horse, brown");
  await page.getByLabel("Nouveau mot de passe, encore une fois").fill("a third horse, brown");
  await page.getByRole("button", { name: "Changer le mot de passe" }).click();
  await page.getByRole("link", { name: /Ce n’est pas votre mot de passe/ }).waitFor();
  await page.getByLabel("Mot de passe actuel").fill("another horse altogether");
  await page.getByRole("button", { name: "Changer le mot de passe" }).click();
  await page.getByText("Le mot de passe a été changé.").waitFor();
  await client(base, "cyr", "a third horse, brown");
  await page.context().close();
}

async function searching({ page }) {
  const asked = [];
  page.on("request", (r) => { if (r.url().includes("/api/patients/")) asked.push(new URL(r.url()).searchParams.get("search")); });
  const box = page.getByRole("searchbox", { name: "Search patients" });
  await box.pressSequentially("p");
  await page.waitForTimeout(400); // longer than the wait after a key
  assert.deepEqual(asked, [], "one letter asks nothing");
  await box.pressSequentially("etra", { delay: 20 });
  await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
  assert.deepEqual(asked, ["petra"], "a settled search is one request");
  await page.getByRole("status").filter({ hasText: /^1 found/ }).waitFor();

  // While an answer is on its way, the old rows stay, and its question is given up for the next one.
  let hold;
  await page.route("**/api/patients/?search=nob*", async (route) => { await new Promise((go) => { hold = go; }); await route.continue().catch(() => {}); });
  const givenUp = page.waitForEvent("requestfailed");
  await box.fill("nobody");
  await page.getByText("Loading…").waitFor();
  assert.equal(await page.getByRole("table").getAttribute("aria-busy"), "true");
  await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
  await box.fill("nothing");
  await givenUp;
  hold();
  await page.getByText("Nothing found for “nothing”.").waitFor();
  await page.getByText("Only patients that your account may see are found.").waitFor();

  // One letter is enough where it is a word, but not before it is finished.
  asked.length = 0;
  await box.evaluate((input) => {
    input.dispatchEvent(new CompositionEvent("compositionstart"));
    input.value = "李";
    input.dispatchEvent(new InputEvent("input", { isComposing: true, bubbles: true }));
  });
  await page.waitForTimeout(400);
  assert.deepEqual(asked, [], "nothing is asked during a composition");
  await box.evaluate((input) => { input.dispatchEvent(new CompositionEvent("compositionend")); });
  await page.getByRole("link", { name: "李小龍" }).waitFor();
  assert.deepEqual(asked, ["李"]);

  // Coming back shows what was there, without a request; and no word is in the address.
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await heading(page, "李小龍");
  await page.goBack();
  await page.getByRole("link", { name: "李小龍" }).waitFor();
  assert.equal(asked.filter((a) => a !== null).length, 1);
  assert.equal(new URL(page.url()).search, "");
  await page.getByRole("searchbox", { name: "Search patients" }).fill("");
  await page.getByRole("heading", { name: "Opened in this session" }).waitFor();
}

async function requests({ page, base, patient }) {
  const asked = [];
  page.on("request", (r) => { if (r.url().includes("/api/") && !r.url().includes("/auth/")) asked.push(r.url()); });
  await page.getByRole("button", { name: "All patients" }).click();
  await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
  assert.equal(asked.length, 1, asked.join());
  await page.getByRole("link", { name: "Petra Lindström" }).click();
  await page.getByText("No doctor is assigned.").waitFor();
  assert.equal(asked.length, 3, asked.join());
  await page.goto(`${base}/console/patients/${patient.id}`); // a page that is loaded anew is signed in still
  await heading(page, "Petra Lindström");
  await storesNothing(page);
}

async function failing({ page, base, patient }) {
  let answers = 0;
  await page.route("**/api/patients/?*", (route) => (answers++ < 3 ? route.fulfill(problem(503, "unavailable", { "Retry-After": "2" })) : route.continue()));
  await page.getByRole("button", { name: "All patients" }).click();
  await page.getByRole("alert").getByText("The server is busy").waitFor();
  assert.equal(answers, 3, "a read is tried three times");
  await page.getByRole("alert").getByText("REQUEST7").waitFor();
  await page.getByText(/You can try again in \d seconds?\./).waitFor();
  assert.equal(await page.getByRole("button", { name: "Try again" }).count(), 0);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
  await page.route("**/api/mappings/**", (route) => route.fulfill(problem(500, "error")));
  await page.goto(`${base}/console/patients/${patient.id}`);
  await page.getByRole("alert").getByText("The server made a mistake.").waitFor();
}

async function unanswered({ page, ana }) {
  const keys = [];
  await page.route("**/api/patients/", async (route) => {
    keys.push([route.request().headers()["idempotency-key"], route.request().postData()]);
    if (keys.length > 1) return route.continue();
    await route.fetch(); // it is stored, but nobody hears of it
    return route.abort();
  });
  await page.getByRole("link", { name: "New patient" }).click();
  await name(page).fill("Once Only");
  await save(page).click();
  await page.getByText("The server has not answered").waitFor();
  assert.ok(await name(page).isDisabled());
  await page.getByRole("button", { name: "Send again now" }).click();
  await heading(page, "Once Only");
  assert.equal(keys.length, 2);
  assert.deepEqual(keys[0], keys[1]);
  assert.ok(keys[0][0]);
  assert.equal((await ana("GET", "patients/?search=Once")).count, 1);
}

async function wrongFields({ page }) {
  await page.keyboard.press("n");
  await heading(page, "New patient");
  await page.getByRole("textbox", { name: "Date of birth" }).fill("31.2.1958");
  await save(page).click();
  const summary = page.getByRole("alert");
  await summary.getByRole("link", { name: "Name: Enter the name." }).waitFor();
  assert.ok(await summary.evaluate((e) => e === document.activeElement), "the summary has no focus");
  await summary.getByRole("link", { name: /^Date of birth: Enter a day/ }).click();
  assert.ok(await page.getByRole("textbox", { name: "Date of birth" }).evaluate((e) => e === document.activeElement));
  await name(page).fill("Wrong Fields");
  await page.getByRole("textbox", { name: "Date of birth" }).fill("14.3.1899");
  await page.getByRole("textbox", { name: "Phone" }).fill("call me");
  await save(page).click();
  await summary.getByRole("link", { name: "Date of birth: Enter a day from 1900 until today." }).waitFor();
  await summary.getByRole("link", { name: /^Phone: Use digits/ }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Phone" }).getAttribute("aria-invalid"), "true");
}

async function alike({ page, ana }) {
  await page.getByRole("link", { name: "New patient" }).click();
  await name(page).fill("Lindstrom, Petra"); // otherwise written, and born on a day of which one digit is wrong
  await page.getByRole("textbox", { name: "Date of birth" }).fill("14.3.1968");
  await save(page).click();
  await page.getByRole("heading", { name: "Is it one of these?" }).waitFor();
  await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
  const before = (await ana("GET", "patients/")).count;
  await page.getByRole("button", { name: "None of these: create" }).click();
  await page.getByRole("link", { name: "Edit" }).waitFor();
  assert.equal((await ana("GET", "patients/")).count, before + 1);
}

async function keeping({ page, base, patient }) {
  await page.goto(`${base}/console/patients/${patient.id}/edit`);
  await page.getByRole("textbox", { name: "Address" }).fill("a new street");
  await page.getByRole("link", { name: "Doctors" }).click();
  await heading(page, "Doctors");
  await page.goBack();
  await page.getByText("Your changes from before are still here.").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Address" }).inputValue(), "a new street");
  await page.getByRole("button", { name: "Discard them" }).click();
  await page.getByRole("link", { name: "Edit" }).click();
  assert.equal(await page.getByRole("textbox", { name: "Address" }).inputValue(), "");
}

async function ended({ page, base, ana, patient }) {
  await page.goto(`${base}/console/patients/${patient.id}/edit`);
  await page.getByRole("textbox", { name: "Address" }).fill("typed before the end");
  for (const s of (await ana("GET", "auth/sessions/?page_size=100")).results.filter((s) => !s.current)) await ana("DELETE", `auth/sessions/${s.id}/`);
  await save(page).click();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.getByLabel("Password").fill("wrong password");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("Username or password is wrong.").waitFor();
  await dialog.getByLabel("Password").fill("harbour lantern 42 cedar");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("typed before the end").first().waitFor(); // saved, without another click
  assert.equal((await ana("GET", `patients/${patient.id}/`)).address, "typed before the end");
}

async function offline({ page, base, patient }) {
  await page.goto(`${base}/console/patients/${patient.id}/edit`);
  await page.getByRole("textbox", { name: "Phone" }).fill("2");
  await page.context().setOffline(true);
  await page.getByRole("alert").getByText("You are offline.").waitFor();
  assert.ok(await save(page).isDisabled());
  await page.context().setOffline(false);
  await page.getByText("You are offline.").waitFor({ state: "detached" });
  assert.equal(await page.getByRole("textbox", { name: "Phone" }).inputValue(), "2");
  assert.ok(await save(page).isEnabled());
}

async function idle({ page, base, patient }) {
  await page.clock.install();
  await page.goto(`${base}/console/patients/${patient.id}`);
  await heading(page, "Petra Lindström");
  await page.clock.fastForward("14:05");
  const dialog = page.getByRole("alertdialog", { name: "Are you still there?" });
  await dialog.getByText(/signed out in \d\d seconds/).waitFor();
  await dialog.getByRole("button", { name: "Stay signed in" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.clock.fastForward("14:30");
  await dialog.waitFor();
  const over = page.waitForRequest((r) => r.url().endsWith("/auth/logout/"));
  await page.clock.fastForward("01:00");
  await page.getByText("Nobody was here for 15 minutes").waitFor();
  await over;
  assert.doesNotMatch(await page.content(), /Petra/);
  assert.equal(new URL(page.url()).pathname, "/console");

  // A computer that slept for an hour shows nothing when it wakes.
  await signIn(page, "ana");
  await page.getByRole("button", { name: "All patients" }).click();
  await page.getByRole("link", { name: "Petra Lindström" }).first().waitFor();
  await page.clock.pauseAt(Date.now() + 3 * 60 * 60_000);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  assert.doesNotMatch(await page.content(), /Petra/);
}

async function shortcuts({ page }) {
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await heading(page, "Doctors");
  await page.keyboard.press("n");
  await heading(page, "New doctor");
  await page.getByRole("textbox", { name: "Name" }).pressSequentially("gpn?/");
  assert.equal(await page.getByRole("textbox", { name: "Name" }).inputValue(), "gpn?/");
  await page.getByRole("textbox", { name: "Specialization" }).fill("Eyes");
  await page.keyboard.press("Control+Enter");
  await heading(page, "gpn?/");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await heading(page, "Account");
  await page.getByRole("checkbox", { name: "Shortcuts of single letters" }).uncheck();
  await page.keyboard.press("Tab");
  await page.keyboard.press("n");
  await page.keyboard.press("?");
  await heading(page, "Account");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.getByLabel("Colours").selectOption("Dark");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(16, 25, 28)");
  await page.reload();
  await heading(page, "Account");
  assert.equal(await page.getByRole("checkbox", { name: "Shortcuts of single letters" }).isChecked(), false);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(16, 25, 28)");
}

async function likely({ page }) {
  await page.getByRole("link", { name: "New patient" }).click();
  const day = page.getByRole("textbox", { name: "Date of birth" });
  for (const [typed, said] of [
    ["14.3.1958", "14 March 1958 – 68 years old"], ["14 Mar 1958", "14 March 1958"], ["1958-03-14", "14 March 1958"], ["March 14 1958", "14 March 1958"],
    ["14. März 1958", "14 March 1958"], ["3/14/1958", "14 March 1958"], ["14031958", "14 March 1958"], ["19580314", "14 March 1958"],
    ["14 juillet 1958", "14 July 1958"], ["1.1.1901", "check the year"],
  ]) {
    await day.fill(typed);
    await page.getByText(said).waitFor();
  }
  for (const typed of ["14.3.58", "29.2.2023", "14 jui 1958", "tomorrow", "14.13.1958", "0.1.1958"]) {
    await day.fill(typed);
    await page.getByText("years old").waitFor({ state: "detached" });
  }
}
