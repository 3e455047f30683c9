// Import, for staff: choose a file, see what would become of each row, then let it be written, and see how far that is.
import { html, nothing } from "../vendor/lit-html.js";
import { Problem, api, queryOf } from "../api.js";
import { field, newForm } from "../form.js";
import { busy, errorBox, load, page, pager, showPage, table } from "../ui.js";
import { dayAndTime, t } from "../text.js";

const ASK_AGAIN = 1000; // ms between two questions how far an import is
const SHOWN = 100; // rows of a report

export const title = () => t("imports");

export function open(_, signal) {
  const state = { signal, form: newForm({ of: "patients", date_format: "" }), file: null, report: null, past: { signal, rows: null } };
  showPage(state.past, "imports", { cursor: "" });
  return state;
}

/** What becomes of the rows: as a dry run, or in earnest, just as they were checked, and in the background. */
const send = (state, earnest) => load(state, async () => {
  const { of, date_format } = state.form.values;
  if (!earnest) state.checked = { of, file: state.file.name, ...date_format.trim() && { date_format: date_format.trim() } };
  const query = { ...state.checked, dry_run: !earnest };
  state.report = null;
  await state.file.slice(0, 1).arrayBuffer().catch(() => { throw new Problem({ code: "file" }); });
  state.report = await api("POST", "imports", { query, file: state.file, signal: state.signal });
  if (!earnest) return;
  while (["reading", "writing", "reverting"].includes(state.report.state)) {
    page.redraw();
    await new Promise((done) => { setTimeout(done, ASK_AGAIN); });
    const { rows } = state.report;
    state.report = { ...await api("GET", `imports/${state.report.id}`, { signal: state.signal }), rows };
  }
  state.file = null;
  await showPage(state.past, "imports", { cursor: "" });
});

const choose = (state) => (event) => {
  Object.assign(state, { file: event.target.files[0] ?? null, report: null, problem: null });
  page.redraw();
};

export const view = (state) => html`<h1 tabindex="-1">${t("imports")}</h1><p class="hint">${t("imports.hint")}</p>
  <form class="record" novalidate @submit=${(event) => { event.preventDefault(); send(state, false); }}>
    ${field(state.form, { name: "of", label: t("imports.of"), type: "select",
      options: ["patients", "doctors", "mappings"].map((of) => [of, t(of)]) })}
    ${field(state.form, { name: "date_format", label: t("imports.dates"), hint: t("imports.dates.hint"), width: "short", optional: true })}
    <div class="field"><label for="file">${t("imports.file")}</label>
      <input id="file" type="file" accept=".csv,.xlsx,text/csv" ?disabled=${state.loading}
        @click=${(event) => { event.target.value = ""; choose(state)(event); }} @change=${choose(state)}></div>
    <p class="actions"><button class="primary" ?disabled=${!state.file || state.loading}>${t("imports.check")}</button></p>
  </form>
  ${busy(state)}${errorBox(state.problem)}
  ${state.report ? report(state) : nothing}
  <h2>${t("imports.past")}</h2>
  ${busy(state.past)}${errorBox(state.past.problem)} ${past(state.past)}`;

const words = {
  created: "did.create", updated: "did.update", unchanged: "imports.unchanged", possible_duplicates: "imports.possible_duplicates",
  refused: "imports.refused",
};
const counts = (r) => Object.keys(words).filter((name) => r[name]).map((name) => `${t(words[name])}: ${r[name]}`).join(", ");
const inWords = (state) => t(["reading", "reverting", "undoing"].includes(state) ? "imports.state.writing" : `imports.state.${state}`);

function report(state) {
  const r = state.report;
  const rows = (r.rows ?? []).filter((row) => row.result === "refused" || row.result === "possible_duplicate");
  const mayImport = r.state === "checked" && !r.refused && !r.possible_duplicates && r.created + r.updated > 0;
  return html`<section class="notice" aria-labelledby="report"><h2 id="report">${inWords(r.state)}</h2>
      <p role="status">${counts(r)} ${r.state === "writing" ? html`<progress max=${r.created + r.updated} .value=${r.written}
        aria-label=${t("imports.state.writing")}></progress>` : nothing}</p>
      ${r.reason ? html`<p>${r.reason}</p>` : nothing}
      ${mayImport ? html`<p><button class="primary" ?disabled=${state.loading} @click=${() => send(state, true)}>${t("imports.do")}</button></p>` : nothing}</section>
    ${rows.length ? table(t("imports.refused"), columns(), rows.slice(0, SHOWN)) : nothing}`;
}

const columns = () => [
  { title: t("imports.row"), cell: (row) => `${t("imports.row")} ${row.row}`, kind: "first plain" },
  { title: t("audit.object"), cell: (row) => row.result === "refused"
    ? Object.entries(row.errors).map(([header, texts]) => html`<div><strong>${header}</strong> ${texts.join(" ")}</div>`)
    : html`${t("imports.possible_duplicates")} ${row.id ? html`<a href="/console/patients/${row.id}">${t("patient")} ${row.id}</a>` : nothing}` },
];

function past(list) {
  if (!list.rows?.length) return list.rows ? html`<p class="empty">${t("nothing")}</p>` : nothing;
  return html`${table(t("imports.past"), [
    { title: t("imports.file"), cell: (i) => i.file, kind: "first" },
    { title: t("audit.at"), cell: (i) => dayAndTime(i.at), kind: "day" },
    { title: t("account"), cell: (i) => i.by.username },
    { title: t("audit.object"), cell: (i) => `${inWords(i.state)} – ${counts(i)}` },
  ], list.rows, list)}${pager(list, (link) => showPage(list, "imports", queryOf(link)))}`;
}
