// One browser, several tabs: one session, which lasts as long as somebody works and ends everywhere at once.
import assert from "node:assert/strict";
import { heading, newWindow, register, serve, signIn, storesNothing, wrong } from "./desk.mjs";

export async function tabs() {
  const { base } = await serve({ ACCESS_TOKEN_TTL: "3s", REFRESH_GRACE: "1s" });
  const ana = await register(base, "ana");
  await ana("POST", "patients/", { name: "Petra Lindström" });
  const context = await newWindow(base);
  const all = [await context.newPage()];
  await all[0].goto(`${base}/console`);
  await signIn(all[0], "ana");
  for (let i = 0; i < 3; i++) { // a new tab is signed in already
    const page = await context.newPage();
    await page.goto(`${base}/console`);
    await heading(page, "Patients");
    all.push(page);
  }

  // 30 seconds with tokens of three, all at once, and a page that is loaded anew now and then.
  const until = Date.now() + 30_000;
  for (let round = 0; Date.now() < until; round++) {
    await Promise.all(all.map(async (page) => {
      await page.getByRole("button", { name: "All patients" }).click();
      await page.getByRole("link", { name: "Petra Lindström" }).waitFor();
    }));
    await storesNothing(all[round % 4]);
    await all[round % 4].reload();
    await heading(all[round % 4], "Patients");
    await all[0].waitForTimeout(1500); // so that tokens run out
  }
  for (const page of all) assert.equal(await page.getByRole("dialog").count(), 0);

  // Signing out in one signs out all, and forgets what they showed.
  await all[1].getByRole("link", { name: "Account" }).click();
  await all[2].getByRole("link", { name: "New patient" }).click();
  await all[2].getByRole("textbox", { name: "Name" }).fill("A draft");
  await all[3].getByRole("button", { name: "Sign out" }).click();
  for (const page of all) {
    await heading(page, "Sign in");
    assert.doesNotMatch(await page.content(), /Petra|A draft/);
    await storesNothing(page);
  }
  // Somebody else does not get the draft.
  await register(base, "bob");
  await signIn(all[0], "bob");
  await heading(all[2], "Patients");
  await all[2].goto(`${base}/console/patients/new`);
  assert.equal(await all[2].getByRole("textbox", { name: "Name" }).inputValue(), "");
  assert.deepEqual(wrong, []);
  await context.close();
}
