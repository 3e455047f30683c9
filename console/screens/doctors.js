// Doctors: the directory that all accounts share, one doctor with the patients, and the form of one.
import { html, nothing } from "../vendor/lit-html.js";
import { api, newKey, queryOf, session } from "../api.js";
import { app, go } from "../app.js";
import { errorSummary, field, newForm, saveOnCtrlEnter, searchBox, submit } from "../form.js";
import { busy, confirm, confirmDialog, errorBox, focusFirstRow, load, moreButton, named, page, pager, showPage, table } from "../ui.js";
import { shortDayOf, t } from "../text.js";

const names = ["name", "specialization", "license_number", "years_of_experience", "phone", "email"];

export function title(state) {
  if (state.list) return t("doctors");
  return state.form ? formTitle(state) : state.doctor?.name ?? t("doctor");
}

export function open({ id, word, path }, signal) {
  if (word === "new" || word === "edit") return openForm(word === "edit" ? id : 0, path, signal);
  if (id) return openOne(id, signal);
  const kept = app.kept.get("doctors");
  if (kept) return kept;
  const state = { list: true, word: "", rows: null };
  app.kept.set("doctors", state);
  showPage(state, "doctors", { cursor: "" });
  return state;
}

export function view(state) {
  if (state.list) return listView(state);
  return state.form ? formView(state) : oneView(state);
}

// --- the directory ---

const search = (state, signal) => showPage(state, "doctors", { search: state.word.trim(), cursor: "" }, signal);

function press(event) {
  if (event.key !== "ArrowDown") return;
  event.preventDefault();
  focusFirstRow();
}

const columns = () => [
  { title: t("name"), cell: (d) => html`<a href="/console/doctors/${d.id}">${named(d.name)}</a>`, kind: "first" },
  { title: t("specialization"), cell: (d) => d.specialization },
  { title: t("license_number"), cell: (d) => d.license_number },
  { title: t("phone"), cell: (d) => d.phone, kind: "day" },
];

const listView = (state) => html`
  <div class="heading"><h1 tabindex="-1">${t("doctors")}</h1>
    <a class="button primary" href="/console/doctors/new">${t("doctors.new")}</a></div>
  ${searchBox(state, {
    label: t("doctors.search"), keydown: press,
    find: (signal) => search(state, signal), clear: () => showPage(state, "doctors", { cursor: "" }),
  })}
  ${busy(state)}${errorBox(state.problem, () => search(state))}
  ${!state.rows || state.problem ? nothing : state.rows.length
    ? html`${table(t("doctors"), columns(), state.rows, state)}${pager(state, (link) => showPage(state, "doctors", queryOf(link)))}`
    : html`<p class="empty">${state.word.trim() ? t("nothing_found", { word: state.word.trim() }) : t("nothing")}</p>`}`;

// --- one doctor ---

function openOne(id, signal) {
  const state = { id, signal, doctor: null, patients: [] };
  load(state, async () => {
    const query = { doctor_id: id, cursor: "", page_size: 50 };
    const [doctor, theirs] = await Promise.all([api("GET", `doctors/${id}`, { signal }), api("GET", "mappings", { query, signal })]);
    Object.assign(state, { doctor, patients: theirs.results, next: theirs.next });
  });
  return state;
}

const more = (state) => load(state, async () => {
  const answer = await api("GET", "mappings", { query: queryOf(state.next), signal: state.signal });
  Object.assign(state, { patients: [...state.patients, ...answer.results], next: answer.next });
});

function oneView(state) {
  const d = state.doctor;
  return html`<header class="patient"><h1 tabindex="-1">${d ? named(d.name) : t("doctor")}</h1>
      <p class="facts">${d?.specialization ?? (state.problem ? nothing : t("loading"))}</p></header>
    ${busy(state)}${errorBox(state.problem, () => go(location.pathname))}
    ${!d ? nothing : html`
      ${actions(state)}
      <div class="columns">
        <section aria-labelledby="fields"><h2 id="fields">${t("record")}</h2>
          <dl class="fields">${names.slice(1).map((name) => oneField(name, d[name] ?? ""))}</dl></section>
        <section aria-labelledby="theirs"><h2 id="theirs">${t("patients")}</h2>
          ${state.patients.length ? html`<ul class="rows">${state.patients.map(onePatient)}</ul>`
            : html`<p class="empty">${t("doctors.no_patients")}</p>`}
          ${moreButton(state, () => more(state))}</section>
      </div>`}
    ${confirmDialog(state)}`;
}

function actions(state) {
  const mayChange = session.user.is_staff || state.doctor.created_by === session.user.id;
  if (!mayChange) return html`<p class="actions quiet">${t("doctors.not_yours")}</p>`;
  return html`<p class="actions"><a class="button primary" data-edit href="/console/doctors/${state.id}/edit">${t("edit")}</a>
    <button class="delete quiet" @click=${() => askDelete(state)}>${t("delete")}</button></p>`;
}

const oneField = (name, value) => html`<div><dt>${t(name)}</dt>
  <dd class=${value === "" ? "quiet" : nothing}>${value === "" ? t("not_recorded") : value}</dd></div>`;

const onePatient = (m) => html`<li><span><a href="/console/patients/${m.patient.id}">${named(m.patient.name)}</a>
  <span class="quiet">${t("doctors.since", { day: shortDayOf(m.created_at) })}</span></span></li>`;

const askDelete = (state) => confirm(state, {
  title: t("patient.delete.title", { name: state.doctor.name }), text: t("patient.delete.text"), yes: t("delete"), danger: true,
  async act() {
    try {
      await api("DELETE", `doctors/${state.id}`, { version: state.doctor.version });
    } catch (error) {
      throw error.status === 409 ? Object.assign(error, { code: "doctor_of_others" }) : error;
    }
    app.kept.delete("doctors");
    await go("/console/doctors");
    page.done(t("patient.deleted", { name: state.doctor.name }));
  },
});

// --- the form ---

function openForm(id, path, signal) {
  const kept = app.kept.get(path);
  if (kept?.changed()) return Object.assign(kept, { signal });
  const state = { id, path, signal, base: {}, key: newKey(), form: newForm({}) };
  state.changed = () => changedNames(state).length > 0;
  app.kept.set(path, state);
  if (id) {
    load(state, async () => {
      state.base = await api("GET", `doctors/${id}`, { signal });
      state.form = newForm(Object.fromEntries(names.map((n) => [n, String(state.base[n] ?? "")])));
    });
  }
  return state;
}

const formTitle = (state) => state.id ? t("edit.title", { name: state.base.name ?? "" }) : t("doctors.new");
const changedNames = ({ form, base }) => names.filter((n) => (form.values[n] ?? "") !== String(base[n] ?? ""));

const save = (state) => submit(state.form, async () => {
  const value = (name) => state.form.values[name] || (name === "years_of_experience" ? null : "");
  const body = Object.fromEntries((state.id ? changedNames(state) : names).map((n) => [n, value(n)]));
  const doctor = state.id ? await change(state, body) : await api("POST", "doctors", { body, key: state.key });
  app.kept.delete(state.path);
  app.kept.delete("doctors");
  if (app.screen?.state === state) await go(`/console/doctors/${doctor.id}`);
  page.done(t("patient.saved", { name: doctor.name }));
});

// Somebody was faster: their changes are taken over where this form has none of its own, and shown where it has.
async function change(state, body) {
  try {
    return await api("PATCH", `doctors/${state.id}`, { body, version: state.base.version });
  } catch (error) {
    if (error.status !== 412) throw error;
    const theirs = await api("GET", `doctors/${state.id}`, { signal: state.signal });
    state.theirs = Object.fromEntries(names.filter((n) => n in body && theirs[n] !== state.base[n]).map((n) => [n, theirs[n]]));
    for (const n of names) if (!(n in body)) state.form.values[n] = String(theirs[n] ?? "");
    state.base = theirs;
    throw Object.assign(error, { code: "merged" });
  }
}

function formView(state) {
  const cancel = () => { app.kept.delete(state.path); go(state.id ? `/console/doctors/${state.id}` : "/console/doctors"); };
  const theirs = (name) => name in (state.theirs ?? {}) ? `${t("conflict.theirs")} ${state.theirs[name] ?? ""}` : "";
  const f = (name, more) => field(state.form, { name, label: t(name), note: theirs(name), optional: !more?.required, ...more });
  const submitted = (event) => { event.preventDefault(); save(state); };
  return html`<h1 tabindex="-1">${formTitle(state)}</h1>
    ${busy(state)}${errorBox(state.problem)}
    ${state.id && !state.base.id ? nothing : html`<form class="record" novalidate @submit=${submitted} @keydown=${saveOnCtrlEnter}>
      ${errorSummary(state.form, Object.fromEntries(names.map((n) => [n, t(n)])))}
      <div class="fieldset">
        ${f("name", { required: true })} ${f("specialization", { required: true })}
        ${f("license_number", { half: true })} ${f("years_of_experience", { inputmode: "numeric", half: true })}
        ${f("phone", { type: "tel", half: true })} ${f("email", { type: "email", half: true })}
      </div>
      <p class="actions sticky">
        <button class="primary" ?disabled=${state.form.saving || !navigator.onLine}>${t(state.form.saving ? "saving" : "save")}</button>
        <button type="button" @click=${cancel}>${t("cancel")}</button></p></form>`}`;
}
