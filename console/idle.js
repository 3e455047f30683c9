// Nobody at the desk: after 15 minutes without a key or a click in any tab, the session ends and the page is wiped. A
// minute before, a dialog asks. A computer that wakes compares the clocks before it shows anything.
import { html, nothing } from "./vendor/lit-html.js";
import { session, signOut, tell } from "./api.js";
import { dialog } from "./ui.js";
import { t } from "./text.js";

const LIMIT = 15 * 60_000; // ms
const WARNING = 60_000; // ms before it
const TELL_EVERY = 5_000; // ms; other tabs need not know of each key

let last = Date.now();
let told = 0;
let redraw;

const left = () => last + LIMIT - Date.now();

/** Ends the session if nobody has been there for too long. */
export function guard() {
  if (session.user && left() <= 0) signOut("idle");
}

export function active() {
  last = Date.now();
  if (last - told < TELL_EVERY) return;
  told = last;
  tell({ active: last });
}

/** Another tab says when somebody was there. */
export function activeElsewhere(time) {
  last = Math.max(last, Math.min(time, Date.now()));
}

export function watch(draw) {
  redraw = draw;
  for (const kind of ["pointerdown", "keydown", "wheel"]) {
    addEventListener(kind, () => { if (session.user && left() > WARNING) active(); }, { capture: true, passive: true });
  }
  for (const kind of ["visibilitychange", "focus", "pageshow", "resume"]) addEventListener(kind, guard, true);
  document.addEventListener("visibilitychange", guard);
  setInterval(tick, 1000);
}

let shown = false;

function tick() {
  guard();
  const warn = Boolean(session.user) && left() <= WARNING;
  if (warn || shown) redraw();
  shown = warn;
}

export function idleDialog() {
  if (!session.user || session.ended || left() > WARNING) return nothing;
  const stay = () => { active(); redraw(); };
  return dialog({
    title: t("idle.title"), alert: true, close: stay,
    body: html`<p>${t("idle.text", { n: Math.max(1, Math.ceil(left() / 1000)) })}</p>`,
    actions: html`<button class="primary" @click=${stay}>${t("idle.stay")}</button>
      <button @click=${() => signOut()}>${t("sign_out")}</button>`,
  });
}
