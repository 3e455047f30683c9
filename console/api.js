// The API: requests with their retries, and the tokens, which all tabs share and which are kept in memory only.
// A page that goes leaves its refresh token in sessionStorage for the next one, which takes it away at once.

const NAME = "healthcare-console";
const HANDOVER_LIMIT = 30_000; // ms; later, a token that was left behind is not used
const ANSWER_LIMIT = 120; // ms that other tabs get to say which tokens they have
const REQUEST_LIMIT = 30_000; // ms
const FILE_LIMIT = 300_000; // ms; a file is large
const EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

const channel = new BroadcastChannel(NAME);
let tokens = null; // {access, refresh, life, issued, user}; times in ms
let renewing = null; // the renewal that is under way
let waiting = []; // requests that wait until somebody has signed in again

/** Who is signed in. The app sets the two functions; an ended session waits for the same person to sign in again. */
export const session = { user: null, ended: false, changed: () => {}, guard: () => {}, heard: () => {} };

/** What went wrong: the API's problem document, or code "network" when there was no answer. */
export class Problem extends Error {
  constructor(fields) {
    super(fields.detail);
    Object.assign(this, fields);
    this.until = Date.now() + (this.retryAfter ?? 0) * 1000;
  }
}

export const aborted = (error) => error.name === "AbortError";
const passing = (error) => error.code === "network" || error.status === 503;

/** One request as who is signed in. Reads are tried three times, with the same token refreshed when it is refused. */
export async function api(method, path, { query, body, file, version, key, signal } = {}) {
  const who = session.user?.id;
  let refused;
  for (let attempt = 1; ; attempt++) {
    let access;
    try {
      access = await freshAccess(refused);
      if (session.user?.id !== who) throw new DOMException("", "AbortError"); // somebody else has signed in meanwhile
      return await send(method, path, { query, body, file, version, key, signal, access });
    } catch (error) {
      if (error.status === 401 && attempt < 4) {
        refused = access;
      } else if (method === "GET" && attempt < 3 && passing(error)) {
        await pause(attempt * 700, signal);
      } else {
        throw error;
      }
    }
  }
}

/** One request without retries. Throws a Problem, or an AbortError if the signal says so. */
export async function send(method, path, { query, body, file, version, key, signal, access, keepalive } = {}) {
  const headers = {};
  if (access) headers.Authorization = `Bearer ${access}`;
  if (body) headers["Content-Type"] = "application/json";
  if (file) headers["Content-Type"] = file.name.endsWith(".xlsx") ? EXCEL : "text/csv";
  if (version) headers["If-Match"] = `"${version}"`;
  if (key) headers["Idempotency-Key"] = key;
  const text = new URLSearchParams(query).toString();
  const limit = AbortSignal.timeout(file ? FILE_LIMIT : REQUEST_LIMIT);
  let response, data;
  try {
    response = await fetch(`/api/${path}/${text && "?" + text}`, {
      method, headers, keepalive, body: file ?? (body && JSON.stringify(body)), cache: "no-store", credentials: "omit", redirect: "error",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const raw = await response.text();
    data = raw && JSON.parse(raw);
  } catch (error) {
    if (signal?.aborted) throw new DOMException("", "AbortError");
    const code = response?.ok === false ? "error" : "network"; // a proxy answers in its own words
    throw new Problem({ code, status: response?.status ?? 0, detail: error.message });
  }
  if (response.ok) return data;
  throw new Problem({ ...data, status: response.status, retryAfter: Number(response.headers.get("Retry-After")) || 0 });
}

/** The parameters of a link to another page of a list. (The link itself may name another host, behind a proxy.) */
export const queryOf = (link) => Object.fromEntries(new URL(link).searchParams);

const pause = (ms, signal) => new Promise((done, stop) => {
  const end = () => { clearTimeout(timer); stop(new DOMException("", "AbortError")); };
  const timer = setTimeout(() => { signal?.removeEventListener("abort", end); done(); }, ms);
  signal?.addEventListener("abort", end, { once: true });
});

/** A word that nobody has used: crypto.randomUUID is missing without TLS. */
export const newKey = () => [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join("-");

// --- signing in and out ---

export async function signIn(username, password) {
  const answer = await send("POST", "auth/login", { body: { username, password } });
  take(answer, answer.user);
}

/** Ends the session here and in the other tabs at once, then at the server. */
export async function signOut(reason = "") {
  const last = tokens;
  channel.postMessage({ out: reason });
  forget(reason);
  if (!last) return;
  try {
    await send("POST", "auth/logout", { access: last.access, keepalive: true });
  } catch (error) {
    if (error.status !== 401) return;
    const answer = await send("POST", "auth/refresh", { body: { refresh: last.refresh } }).catch(() => null);
    if (answer) await send("POST", "auth/logout", { access: answer.access }).catch(() => {});
  }
}

/** Finds the session of this browser again: that of another tab, or the one that this tab's last page left behind. */
export async function resume() {
  takeHandover();
  await askOthers();
  for (let attempt = 1; tokens && !tokens.user; attempt++) {
    try {
      if (!tokens.access) await locked(renew);
      const user = await send("GET", "auth/me", { access: tokens.access });
      const found = { ...tokens, user };
      tokens = null;
      channel.postMessage({ tokens: found });
      adopt(found);
    } catch (error) {
      if (attempt > 3 || !passing(error)) tokens = null;
      else await pause(attempt * 700);
    }
  }
}

/** The account was changed: the other tabs should know. */
export function setUser(user) {
  if (!tokens) return; // signed out meanwhile
  session.user = user;
  tokens = { ...tokens, user, issued: tokens.issued + 1 };
  channel.postMessage({ tokens });
}

/** Tells the other tabs something that is no secret. */
export const tell = (news) => channel.postMessage({ news });

// --- tokens ---

/** An access token that will last for this request, and is not the one that was refused. */
async function freshAccess(refused) {
  session.guard();
  if (!session.user) throw new DOMException("", "AbortError");
  const usable = () => tokens && tokens.access !== refused && Date.now() < tokens.issued + tokens.life * 0.8;
  if (!usable() && !session.ended) {
    renewing ??= locked(async () => {
      if (usable()) return;
      await askOthers();
      if (!usable()) await renew();
    }).finally(() => { renewing = null; });
    try {
      await renewing;
    } catch (error) {
      if (error.status !== 401) throw error;
      end();
    }
  }
  if (session.ended) await new Promise((done, stop) => { waiting.push({ done, stop }); });
  if (!tokens) throw new DOMException("", "AbortError"); // signed out meanwhile
  return tokens.access;
}

const locked = (work) => navigator.locks ? navigator.locks.request(NAME, work) : work();

async function renew() {
  if (!tokens) throw new DOMException("", "AbortError"); // signed out, while another tab had the lock
  const { refresh, user } = tokens;
  const answer = await send("POST", "auth/refresh", { body: { refresh } });
  if (tokens?.refresh === refresh) take(answer, user); // nobody has signed out meanwhile
}

function take(answer, user) {
  const next = { access: answer.access, refresh: answer.refresh, life: answer.expires_in * 1000, issued: Date.now(), user };
  if (!user) { // not known yet: another page left the token
    tokens = next;
    return;
  }
  channel.postMessage({ tokens: next });
  adopt(next);
}

function adopt(next) {
  if (tokens && tokens.issued >= next.issued) return;
  const before = session.user;
  tokens = next;
  session.user = next.user;
  session.ended = false;
  const same = before?.id === next.user.id;
  for (const w of waiting.splice(0)) same ? w.done() : w.stop(new DOMException("", "AbortError"));
  session.changed(same ? "again" : "in");
}

function end() {
  tokens = null;
  session.ended = true;
  session.changed("ended");
}

function forget(reason) {
  tokens = null;
  session.user = null;
  session.ended = false;
  for (const w of waiting.splice(0)) w.stop(new DOMException("", "AbortError"));
  session.changed("out", reason);
}

// Waits until another tab says which tokens it has, or until it is clear that none will.
function askOthers() {
  return new Promise((done) => {
    const before = tokens?.issued;
    const timer = setTimeout(stop, ANSWER_LIMIT);
    function stop() { clearTimeout(timer); channel.removeEventListener("message", heard); done(); }
    function heard() { if (tokens && tokens.issued !== before) stop(); }
    channel.addEventListener("message", heard);
    channel.postMessage({ ask: true });
  });
}

channel.onmessage = ({ data }) => {
  if (data.ask && tokens?.user) channel.postMessage({ tokens });
  if (data.tokens) adopt(data.tokens);
  if (data.out !== undefined) forget(data.out);
  if (data.news) session.heard(data.news);
};

// --- from one page to the next ---

function takeHandover() {
  try {
    const left = JSON.parse(sessionStorage.getItem(NAME));
    sessionStorage.removeItem(NAME);
    if (left && Date.now() - left.at < HANDOVER_LIMIT) tokens = { access: "", refresh: left.refresh, life: 0, issued: 0, user: null };
  } catch { /* storage is switched off */ }
}

addEventListener("pagehide", () => {
  try {
    if (tokens) sessionStorage.setItem(NAME, JSON.stringify({ refresh: tokens.refresh, at: Date.now() }));
  } catch { /* storage is switched off: one signs in again */ }
});

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
