// The console: which screen stands at which path, what surrounds it, and what happens when the session changes. A screen
// is a module with open(params, signal), which gives its state, and view(state), which gives its HTML.
import { html, nothing, render } from "./vendor/lit-html.js";
import { resume, session, signOut } from "./api.js";
import * as idle from "./idle.js";
import { helpDialog, listen } from "./keys.js";
import { confirm, confirmDialog, page, settleDialogs } from "./ui.js";
import { applySettings, t } from "./text.js";
import * as signin from "./screens/signin.js";

const id = "([1-9][0-9]*)";
const routes = [
  ["", "patients"], ["patients/new", "edit"], [`patients/${id}`, "patient"], [`patients/${id}/edit`, "edit"],
  [`patients/${id}/history`, "history"], [`patients/${id}/access`, "access"],
  ["doctors", "doctors"], ["doctors/(new)", "doctors"], [`doctors/${id}`, "doctors"], [`doctors/${id}/(edit)`, "doctors"],
  ["deleted", "deleted"], ["users", "users"], ["audit", "audit"], ["import", "imports"], ["account", "account"],
].map(([path, name]) => [new RegExp(`^/console${path && "/"}${path}$`), name]);

/** What the page shows. kept is what screens remember until the session is over: words, drafts, patients. */
export const app = { screen: null, kept: new Map(), menu: false, help: false, says: "", done: "", opening: null, reason: "",
  asks: null };

// --- screens ---

/** Goes to another screen. */
export function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  return open();
}

async function open() {
  app.opening?.abort();
  const opening = app.opening = new AbortController();
  const path = location.pathname.replace(/\/$/, "") || "/console";
  const [, name, found] = routes.map(([at, n]) => [at, n, at.exec(path)]).find((r) => r[2]) ?? [null, "", []];
  Object.assign(app, { menu: false, help: false, done: "" });
  if (!session.user) return;
  const module = name ? await import(`./screens/${name}.js`) : nowhere;
  if (opening.signal.aborted) return;
  const state = module.open({ id: Number(found[1]) || 0, word: found[2] ?? found[1], path }, opening.signal);
  app.screen = { module, state, name, focus: true };
  scrollTo(0, 0);
  draw();
}

const nowhere = {
  title: () => t("not_found.title"), open: () => ({}),
  view: () => html`<h1 tabindex="-1">${t("not_found.title")}</h1><p>${t("not_found.text")}</p>`,
};

// --- drawing ---

let drawing = false;

function redraw() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => { drawing = false; draw(); });
}

function draw() {
  const { screen } = app;
  const inside = session.user && screen;
  render(inside ? desk(screen) : signin.view(app.reason), document.getElementById("console"));
  settleDialogs();
  title(inside ? screen.module.title(screen.state) : t("sign_in"));
  if (inside && screen.focus) focusHeading(screen);
}

function title(text) {
  const wrong = document.querySelector(".error") ? `${t("error")} ` : "";
  document.title = `${wrong}${text} – ${t("console")}`;
}

// The heading has the focus after going somewhere, unless the person has put it elsewhere meanwhile.
function focusHeading(screen) {
  const { activeElement } = document;
  const elsewhere = activeElement !== document.body && activeElement.closest("main");
  if (!elsewhere) document.querySelector("h1")?.focus({ preventScroll: true });
  if (!screen.state.loading) screen.focus = false;
}

const focusSearch = () => document.querySelector("#search")?.focus();

const skip = (event) => { event.preventDefault(); document.querySelector("h1")?.focus(); };
const toggleMenu = () => { app.menu = !app.menu; redraw(); };

const desk = (screen) => html`
  <a class="skip" href="#main" @click=${skip}>${t("skip")}</a>
  ${navigator.onLine ? nothing : html`<p class="offline" role="alert">${t("offline")}</p>`}
  <header class="top">
    <a class="brand" href="/console"><img src="/docs/icon.svg" alt="" width="26" height="26"> <span>${t("console")}</span></a>
    <button class="menu" aria-expanded=${app.menu} aria-controls="menu" @click=${toggleMenu}>${t("menu")}</button>
    <nav id="menu" class=${app.menu ? "open" : nothing} aria-label=${t("menu")}>${places(screen)}</nav>
  </header>
  <p class=${app.done ? "done" : "hidden"} role="status">${app.done}</p>
  <main id="main">${screen.module.view(screen.state)}</main>
  <p class="hidden" role="status">${app.says}</p>
  ${dialogs()}`;

function places(screen) {
  const here = ["patient", "edit", "history", "access"].includes(screen.name) ? "patients" : screen.name;
  const link = (path, name) => html`<a href=${path} aria-current=${here === name ? "page" : nothing}>${t(name)}</a>`;
  const staff = session.user.is_staff;
  return html`${link("/console", "patients")} ${link("/console/doctors", "doctors")}
    ${["users", "audit", "deleted"].map((name) => staff ? link(`/console/${name}`, name) : nothing)}
    ${staff ? link("/console/import", "imports") : nothing}
    <span class="space"></span>
    ${link("/console/account", "account")}
    <button @click=${leave}>${t("sign_out")}</button>`;
}

const unsaved = () => [...app.kept.values()].some((k) => k.changed?.());

function leave() {
  if (!unsaved()) return signOut();
  confirm(app, { title: t("sign_out"), text: t("sign_out.text"), yes: t("sign_out"), danger: true, async act() { signOut(); } });
}

function dialogs() {
  if (session.ended) return signin.endedDialog();
  const warning = idle.idleDialog();
  if (warning !== nothing) return warning;
  return app.help ? helpDialog(() => { app.help = false; redraw(); }) : confirmDialog(app);
}

// --- what happens ---

page.redraw = redraw;
page.say = (text) => { app.says = text; redraw(); };
page.done = (text) => { app.done = text; redraw(); };

session.guard = idle.guard;
session.heard = (news) => { if (news.active) idle.activeElsewhere(news.active); };
session.changed = (what, reason = "") => {
  if (what === "in" || what === "out") { // somebody else's page must not stay
    app.opening?.abort();
    Object.assign(app, { screen: null, kept: new Map(), says: "", done: "", reason, help: false, asks: null });
    document.querySelectorAll("dialog").forEach((d) => d.close());
    render(nothing, document.getElementById("console"));
  }
  if (what === "in") {
    idle.active();
    open();
  } else if (what === "out") {
    history.replaceState(null, "", "/console");
    draw();
  } else {
    redraw();
  }
};

addEventListener("popstate", open);
addEventListener("online", redraw);
addEventListener("offline", redraw);
addEventListener("beforeunload", (event) => {
  if (session.user && unsaved()) event.preventDefault();
});
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/console']");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
listen({
  search: () => { // at once if the box is there: the next letter is for it
    if (app.screen?.name === "patients") focusSearch();
    else go("/console").then(focusSearch);
  },
  new: () => go(app.screen?.name === "doctors" ? "/console/doctors/new" : "/console/patients/new"),
  edit: () => document.querySelector("a[data-edit]")?.click(),
  help: () => { app.help = true; redraw(); },
  "go p": () => go("/console"), "go d": () => go("/console/doctors"), "go a": () => go("/console/account"),
  "go u": () => session.user?.is_staff && go("/console/users"),
});

idle.watch(redraw);
applySettings().then(resume).then(() => { if (!session.user) draw(); });
