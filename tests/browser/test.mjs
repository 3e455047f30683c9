// Looks at the pages of a running server as people do: node test.mjs <address> [file for a screenshot]
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [base, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const wrong = [];

async function open(path, width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  context.on("request", (r) => {
    if (!r.url().startsWith(base + "/") && !r.url().startsWith("data:")) wrong.push(`a request to ${r.url()}`);
  });
  context.on("response", (r) => { if (r.status() >= 400) wrong.push(`${r.status()} of ${r.url()}`); });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (m) => { if (m.type() === "error") wrong.push(`${path} says ${m.text()}`); });
  page.on("pageerror", (e) => wrong.push(`${path} fails: ${e.message}`));
  await page.goto(base + path);
  return page;
}

// The lowest contrast between a text and what is behind it, as WCAG counts it.
function lowestContrast() {
  const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = rgb(colour).map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((rgb(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let lowest = { ratio: 21 };
  for (const e of document.body.querySelectorAll("*")) {
    if (![...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim())) continue;
    const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text: e.textContent.trim().slice(0, 40) };
  }
  return lowest;
}

// How bright what one sees is, from 0 to 1. (Computed colours do not tell: a filter turns the reference over.)
async function brightness(page) {
  const picture = (await page.screenshot()).toString("base64");
  const blank = await browser.newPage();
  const mean = await blank.evaluate(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    const { data } = canvas.getImageData(0, 0, image.width, image.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
    return sum / (data.length * 0.75) / 255;
  }, picture);
  await blank.close();
  return mean;
}

async function fits(page, what) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${what}: ${content} px do not fit into ${window}`);
}

async function home() {
  for (const scheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const what = `/ at ${width} px, ${scheme}`;
      const page = await open("/", width, scheme);
      assert.equal(await page.title(), "Healthcare API");
      assert.match(await page.innerText("dl"), /Version\s+\S+\s+Database\s+(SQLite|PostgreSQL)/);
      assert.equal(await page.locator("pre").count(), 3);
      await fits(page, what);
      const lowest = await page.evaluate(lowestContrast);
      assert.ok(lowest.ratio >= 4.5, `${what}: "${lowest.text}" has a contrast of ${lowest.ratio}`);
      const light = await brightness(page);
      assert.ok(scheme === "dark" ? light < 0.35 : light > 0.65, `${what}: brightness ${light}`);
      const links = await page.locator("a").evaluateAll((all) => all.map((a) => a.href));
      for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
      await page.context().close();
    }
  }
}

async function inView(page, locator) {
  await locator.waitFor();
  await page.waitForFunction((e) => {
    const box = e.getBoundingClientRect();
    const header = document.querySelector("header").getBoundingClientRect();
    return box.top >= header.bottom && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
  }, await locator.elementHandle());
}

// Sends a request whose block is open.
async function execute(page, id, body) {
  const block = page.locator(`[id="operations-${id}"]`);
  if (body) await block.locator("textarea.body-param__text").fill(JSON.stringify(body, null, 2));
  await block.locator("button.execute").click();
}

// Sends a request as one does on the reference page, and returns the answer's status and body.
async function tryIt(page, id, body) {
  const block = page.locator(`[id="operations-${id}"]`);
  await block.locator(".opblock-summary-control").click();
  await execute(page, id, body);
  const answer = block.locator(".live-responses-table tbody .response").first();
  const status = Number(await answer.locator(".response-col_status").innerText());
  const shown = await answer.locator(".highlight-code code").first().innerText();
  return { status, block, body: JSON.parse(shown) };
}

async function reference() {
  const page = await open("/docs", 1280, "light");
  await page.waitForSelector(".opblock");
  const name = screenshot ? "ana" : `try-${Date.now().toString(36)}`;
  const password = "correct horse battery";
  const registered = await tryIt(page, "Authentication-register", { username: name, email: `${name}@example.org`, password });
  assert.equal(registered.status, 201);
  assert.ok(await page.isVisible("#signed-out"));
  const login = await tryIt(page, "Authentication-login", { username: name, password });
  assert.equal(login.status, 200);
  assert.equal(await page.innerText("#username"), name);

  const created = await tryIt(page, "Patients-createPatient", { name: "Jürgen Müller", gender: "male", blood_group: "A+" });
  assert.equal(created.status, 201);
  assert.equal(created.body.name, "Jürgen Müller");
  const listed = await tryIt(page, "Patients-listPatients");
  assert.equal(listed.status, 200);
  assert.deepEqual(listed.body.results, [created.body]);

  if (screenshot) {
    for (const { block } of [registered, login, listed]) await block.locator(".opblock-summary-control").click();
    await page.setViewportSize({ width: 1280, height: 1400 });
    await page.waitForTimeout(500); // blocks fold and unfold
    await created.block.evaluate((e) => { document.activeElement.blur(); scrollTo(0, e.getBoundingClientRect().top + scrollY - 70); });
    await page.screenshot({ path: screenshot });
  }

  await page.context().close();
  for (const scheme of ["light", "dark"]) {
    const phone = await open("/docs", 390, scheme);
    await phone.waitForSelector(".opblock");
    await fits(phone, `/docs, ${scheme}`);
    assert.ok((await phone.locator(".opblock").nth(3).boundingBox()).y < 600, "the first requests are on the first screen");
    await phone.click("#signed-out a");
    await phone.locator(".opblock.is-open textarea").fill("{}"); // which brings the button Reset
    await inView(phone, phone.locator(".opblock.is-open .reset"));
    await fits(phone, `/docs with a request open, ${scheme}`);
    const light = await brightness(phone);
    assert.ok(scheme === "dark" ? light < 0.35 : light > 0.65, `/docs, ${scheme}: brightness ${light}`);
    await phone.context().close();
  }
}

// How it goes on after Log in: the header's links, the end of a token, of a session, and Sign out.
async function signingIn() {
  for (const width of [1280, 390]) {
    const page = await open("/docs", width, "light");
    await page.clock.install();
    await page.waitForSelector(".opblock");
    for (const [link, id] of [["Register", "register"], ["Log in", "login"]]) {
      await page.click(`#signed-out a:text("${link}")`);
      const block = page.locator(`#operations-Authentication-${id}.is-open`);
      await inView(page, block.locator(".opblock-summary"));
      assert.ok(await block.locator(".opblock-summary-control").evaluate((e) => e === document.activeElement), `${link} has the focus`);
    }
    const name = `bar-${width}-${Date.now().toString(36)}`;
    const account = { username: name, email: `${name}@example.org`, password: "correct horse battery" };
    assert.equal((await page.request.post(`${base}/api/auth/register/`, { data: account })).status(), 201);
    const logIn = () => execute(page, "Authentication-login", { username: name, password: account.password });
    const token = () => page.evaluate(() => session.access);
    const as = async (bearer) => (await page.request.get(`${base}/api/auth/me/`, { headers: { Authorization: `Bearer ${bearer}` } })).status();
    const endElsewhere = async () => page.request.post(`${base}/api/auth/logout/`, { headers: { Authorization: `Bearer ${await token()}` } });
    const says = (words) => page.waitForSelector(`#signed-out:visible:has-text("${words}")`);

    await logIn();
    await page.waitForSelector(`#signed-in:visible:has-text("${name}")`);
    const first = await token();
    await fits(page, `/docs, signed in, at ${width} px`);
    await page.clock.fastForward("15:00"); // the access token's time is over
    await page.waitForFunction((before) => session && session.access !== before, first);
    assert.ok(await page.isVisible("#signed-in"));
    const second = await token();
    await page.click("#sign-out");
    await says("Signed out.");
    for (const bearer of [first, second]) assert.equal(await as(bearer), 401, "the session goes on at the server");
    assert.equal(await page.locator(".btn.authorize.unlocked").count(), 1, "the token is not forgotten");

    const before = wrong.length; // from here on, 401 is what is asked for
    await logIn();
    await page.waitForSelector("#signed-in:visible");
    await endElsewhere();
    await page.locator("#operations-Authentication-getMe .opblock-summary-control").click();
    await execute(page, "Authentication-getMe");
    await says("Session ended, sign in again.");
    await logIn();
    await page.waitForSelector("#signed-in:visible");
    await endElsewhere();
    await page.clock.fastForward("15:00");
    await says("Session ended, sign in again.");
    wrong.push(...wrong.splice(before).filter((w) => !w.includes("401")));
    await page.context().close();
  }
}

// The page at /accept: with a token that is none, for there are no staff here to make one.
async function accepting() {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open("/accept#no-such-token", 320, colorScheme);
    assert.equal(new URL(page.url()).hash, "", "the token stays in the address");
    await fits(page, "/accept at 320 px");
    const { ratio, text } = await page.evaluate(lowestContrast);
    assert.ok(ratio >= 4.5, `/accept in ${colorScheme}: "${text}" has a contrast of ${ratio}`);
    await page.getByLabel("New password").fill("correct horse battery");
    await page.getByLabel("The same again").fill("another");
    await page.getByRole("button").click();
    await page.waitForSelector("#message:has-text('differ')");
    const before = wrong.length; // from here on, 400 is what is asked for
    await page.getByLabel("The same again").fill("correct horse battery");
    await page.getByRole("button").click();
    await page.waitForSelector("#message:has-text('This token is not valid')");
    wrong.push(...wrong.splice(before).filter((w) => !w.includes("400")));
    await page.context().close();
  }
}

try {
  await home();
  await accepting();
  await reference();
  await signingIn();
  assert.deepEqual(wrong, []);
  console.log("All pages work.");
} finally {
  await browser.close();
}
