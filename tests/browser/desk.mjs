// What the tests of the console share: servers of their own, clients of the API, and pages that notice what must not be.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [binary] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const password = "harbour lantern 42 cedar";
export const wrong = []; // what must not be, on any page

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const servers = [];

/** Starts a server on an empty database. run(args, input) is the program on the same database. */
export async function serve(environment = {}, prepare = () => {}) {
  const dir = mkdtempSync(join(tmpdir(), "console-"));
  const env = { ...process.env, PORT: "0", HOST: "127.0.0.1", DATABASE_URL: `sqlite:${dir}/test.db`, AUTH_RATE_LIMIT: "0", REGISTRATION: "open", ...environment };
  const run = (args, input) => {
    const done = spawnSync(binary, args, { env, input, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout + done.stderr;
  };
  const prepared = prepare(run);
  const server = spawn(binary, [], { env, stdio: ["ignore", "pipe", "ignore"] });
  servers.push(server);
  const base = await new Promise((found, failed) => {
    server.stdout.on("data", (text) => { const [address] = /http:\/\/[0-9.:]+/.exec(text) ?? []; if (address) found(address); });
    server.on("exit", () => failed(new Error("the server did not start")));
  });
  return { base, run, prepared, admin: (name) => run(["createadmin", "--username", name, "--email", `${name}@example.org`, "--password-stdin"], password) };
}

export async function end() {
  await browser.close();
  for (const server of servers) server.kill();
}

/** A client of the API beside the browser: await call("POST", "patients", {…}). */
export async function client(base, username, secret = password) {
  let access;
  const call = async (method, path, body, headers = {}) => {
    const response = await fetch(`${base}/api/${path}`, {
      method, body: body && JSON.stringify(body),
      headers: { ...body && { "Content-Type": "application/json" }, ...access && { Authorization: `Bearer ${access}` }, ...headers },
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text) : null;
  };
  ({ access } = await call("POST", "auth/login/", { username, password: secret }));
  return call;
}

export async function register(base, username) {
  const body = { username, email: `${username}@example.org`, password };
  const response = await fetch(`${base}/api/auth/register/`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(response.status, 201);
  return client(base, username);
}

/** A window of its own. Whatever breaks the promises of the console on one of its pages is in wrong afterwards. */
export async function newWindow(base, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  context.on("request", (r) => { if (!r.url().startsWith(`${base}/`)) wrong.push(`a request to ${r.url()}`); });
  context.on("page", (page) => {
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (e) => wrong.push(`a page fails: ${e.stack}`));
    page.on("console", (m) => {
      if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) wrong.push(`a page says ${m.text()}`);
    });
  });
  return context;
}

export async function openConsole(base, options, path = "/console") {
  const page = await (await newWindow(base, options)).newPage();
  await page.goto(base + path);
  return page;
}

export async function signIn(page, username, secret = password) {
  await page.getByLabel("Username or e-mail").fill(username);
  await page.getByLabel("Password").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).or(page.getByRole("button", { name: "Menu" })).first().waitFor();
}

export async function signedIn(base, username, secret, options) {
  const page = await openConsole(base, options);
  await signIn(page, username, secret);
  return page;
}

export const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();

/** Nothing that identifies the account or its tokens is kept in the browser. */
export async function storesNothing(page) {
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state]));
  assert.ok(!/access|refresh|eyJ/.test(stored), stored);
}

/** The page fits, and axe finds nothing, in each of the looks and widths. */
export async function looksRight(page, what, widths = [1280, 390, 320]) {
  const before = page.viewportSize();
  await page.evaluate(axe);
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${what}: ${content} px do not fit into ${width}`);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const violations = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ["violations"] })).violations
        .map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.any.map((a) => a.message)}`).join(" | ")}`));
      assert.deepEqual(violations, [], `${what}, ${width} px, ${colorScheme}`);
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}
