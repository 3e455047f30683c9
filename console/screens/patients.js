// Patients: search as one types, those opened in this session, and all of them.
import { html, nothing } from "../vendor/lit-html.js";
import { queryOf, session } from "../api.js";
import { app, go } from "../app.js";
import { searchBox } from "../form.js";
import { busy, errorBox, focusFirstRow, named, page, pager, showPage, table, warningSign } from "../ui.js";
import { born, t } from "../text.js";

export const bloodGroups = ["A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"];
export const genders = ["female", "male", "other", "unknown"];
const RECENT = 12; // patients that the home screen remembers

export const title = () => t("patients");

/** Coming back shows what was there, without asking again: each answer is a line in the patients' audit trail. */
export function open() {
  if (!app.kept.has("patients")) app.kept.set("patients", { word: "", rows: null, what: "recent", gender: "", blood_group: "" });
  return Object.assign(app.kept.get("patients"), { entered: null });
}

/** Remembers a patient that was opened, and what is new of one that lists show. */
export function remember(patient) {
  const recent = [patient, ...(app.kept.get("recent") ?? []).filter((p) => p.id !== patient.id)];
  app.kept.set("recent", recent.slice(0, RECENT));
  const list = app.kept.get("patients");
  if (list?.rows) list.rows = list.rows.map((p) => p.id === patient.id ? patient : p);
}

/** Forgets one that was deleted. */
export function forgetPatient(id) {
  app.kept.set("recent", (app.kept.get("recent") ?? []).filter((p) => p.id !== id));
  const list = app.kept.get("patients");
  if (list?.rows) list.rows = list.rows.filter((p) => p.id !== id);
}

// An empty filter counts as none.
const filters = ({ gender, blood_group }) => ({ gender, blood_group });

async function search(state, signal) {
  state.what = "search";
  await showPage(state, "patients", { search: state.word.trim(), cursor: "", ...filters(state) }, signal);
  if (state.entered === state.word && app.screen?.state === state) enter(state);
}

// What is in the box may be newer than the rows: a key was pressed since, and the answer to it is not there yet.
const settled = (state) => !state.rows || (state.of === state.word.trim() && !state.loading);

/** Opens the only patient that was found, as soon as it is known whether there is one. */
function enter(state) {
  state.entered = state.word;
  if (!settled(state) || !state.rows) return;
  state.entered = null;
  if (state.rows.length === 1) go(`/console/patients/${state.rows[0].id}`);
}

function all(state) {
  Object.assign(state, { what: "all", word: "" });
  return showPage(state, "patients", { cursor: "", ...filters(state) });
}

function clear(state) {
  Object.assign(state, { what: "recent", rows: null, next: null, previous: null, problem: null });
  Object.assign(state, { loading: false, slow: false, work: null });
}

function press(state, event) {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" && settled(state)) focusFirstRow();
  else if (event.key === "Enter") enter(state);
  else if (event.key === "Escape" && state.word) { state.word = ""; clear(state); page.redraw(); } else return;
  event.preventDefault();
}

const allergies = (p) => p.allergies ? html`<span class="allergy">${warningSign} ${named(p.allergies)}</span>` : nothing;

const columns = () => [
  { title: t("name"), cell: (p) => html`<a href="/console/patients/${p.id}">${named(p.name)}</a>`, kind: "first" },
  { title: t("date_of_birth"), cell: (p) => born(p.date_of_birth), kind: "day" },
  { title: t("gender"), cell: (p) => t(`gender.${p.gender}`) },
  { title: t("phone"), cell: (p) => p.phone, kind: "day" },
  { title: t("allergies"), cell: allergies, kind: "last" },
];

export function view(state) {
  return html`<div class="heading"><h1 tabindex="-1">${t("patients")}</h1>
      <a class="button primary" href="/console/patients/new">${t("patients.new")}</a></div>
    ${searchBox(state, { label: t("patients.search"), hint: t("patients.search.hint"), find: (signal) => search(state, signal),
      clear: () => clear(state), keydown: (event) => press(state, event) })}
    ${filterBar(state)}
    ${busy(state)}
    ${errorBox(state.problem, () => state.what === "all" ? all(state) : search(state))}
    ${state.what === "recent" ? recent() : results(state)}`;
}

function filterBar(state) {
  const choose = (name) => (event) => {
    state[name] = event.target.value;
    state.what === "search" ? search(state) : all(state);
  };
  const option = (name, value, text) => html`<option value=${value} ?selected=${state[name] === value}>${text}</option>`;
  return html`<div class="filters">
    <label>${t("gender")} <select @change=${choose("gender")}>${option("gender", "", t("any"))}
      ${genders.map((g) => option("gender", g, t(`gender.${g}`)))}</select></label>
    <label>${t("blood_group")} <select @change=${choose("blood_group")}>${option("blood_group", "", t("any"))}
      ${bloodGroups.map((g) => option("blood_group", g, g))}</select></label>
    <button aria-pressed=${state.what === "all"} @click=${() => all(state)}>${t("patients.all")}</button>
  </div>`;
}

function recent() {
  const rows = app.kept.get("recent") ?? [];
  if (!rows.length) return html`<p class="empty">${t("patients.start")}</p>`;
  return html`<h2>${t("patients.recent")}</h2>${table(t("patients.recent"), columns(), rows)}`;
}

function results(state) {
  if (!state.rows || state.problem) return nothing;
  if (!state.rows.length) return empty(state);
  return html`<h2>${t(state.next ? "found.more" : "found", { n: state.rows.length })}</h2>
    ${table(t("patients"), columns(), state.rows, state)}
    ${pager(state, (link) => showPage(state, "patients", queryOf(link)))}`;
}

const empty = (state) => html`<p class="empty">${state.what === "search"
  ? t("nothing_found", { word: state.word.trim() }) : t("patients.none")}
  ${session.user.is_staff ? nothing : html`<br>${t("patients.not_seen")}`}</p>`;
