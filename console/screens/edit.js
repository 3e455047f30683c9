// A new patient, or changes of one. What is typed is kept until it is saved or discarded, wherever one goes meanwhile.
import { html, nothing } from "../vendor/lit-html.js";
import { api, newKey } from "../api.js";
import { app, go } from "../app.js";
import { errorSummary, field, focusSoon, newForm, saveOnCtrlEnter, showWrong, submit } from "../form.js";
import { busy, errorBox, load, named, page } from "../ui.js";
import { born, bornInWords, dayAndTime, readDay, shortDay, t } from "../text.js";
import { getPatient, header } from "./patient.js";
import { bloodGroups, genders, remember } from "./patients.js";

const names = ["name", "date_of_birth", "gender", "phone", "email", "address", "blood_group", "allergies", "medical_history",
  "identifiers"];
const ALIKE = 60; // the score from which on a match is probably the same person
const AGAIN = 30; // seconds at most between two tries of what got no answer

export const title = (state) => state.id ? t("edit.title", { name: state.base.name ?? "" }) : t("patients.new");

export function open({ id, path }, signal) {
  let state = app.kept.get(path);
  if (state?.changed()) state.again = true;
  else {
    state = { id, path, base: {}, form: newForm(id ? {} : textOf({ gender: "unknown" })) };
    state.changed = () => Object.keys(difference(state)).length > 0;
    app.kept.set(path, state);
  }
  state.signal = signal;
  if (id) read(state);
  return state;
}

const read = (state) => load(state, async () => {
  state.patient = await getPatient(state);
  if (state.changed()) return; // what it began with tells, when it is saved, that somebody was faster
  Object.assign(state, { base: state.patient, form: newForm(textOf(state.patient)) });
});

// A patient as the texts in the fields; and back, where a day that cannot be read is left as it was typed.
const textOf = (p) => Object.fromEntries(names.map((n) => [n, n === "date_of_birth" && p[n] ? shortDay(p[n])
  : n === "identifiers" ? (p[n] ?? []).map((one) => ({ ...one })) : p[n] ?? ""]));
const empty = { date_of_birth: null, gender: "unknown", identifiers: [] };
const valueIn = (patient, name) => patient[name] ?? (name in empty ? empty[name] : "");
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function valueOf(name, text = "") {
  if (name === "date_of_birth") return readDay(text) ?? (text.trim() || null);
  if (name !== "identifiers") return text.trim();
  return text.map((one) => ({ system: one.system.trim(), value: one.value.trim() })).filter((one) => one.system || one.value);
}

/** What the form says otherwise than the patient that it began with. */
function difference({ base, form }) {
  const entries = names.filter((n) => n in form.values).map((n) => [n, valueOf(n, form.values[n])]);
  return Object.fromEntries(entries.filter(([n, value]) => !same(value, valueIn(base, n))));
}

// --- saving ---

function save(state, event) {
  event?.preventDefault();
  const { form } = state;
  const errors = {};
  if (!form.values.name?.trim()) errors.name = [t("wrong.name")];
  if (form.values.date_of_birth?.trim() && !readDay(form.values.date_of_birth)) errors.date_of_birth = [t("wrong.day")];
  for (const n of state.conflict?.both ?? []) if (!state.conflict.chosen[n]) errors[n] = [t("conflict.choose")];
  if (Object.keys(errors).length) return showWrong(form, null, errors);
  return submit(form, () => state.id ? change(state) : create(state));
}

async function done(state, patient, text) {
  app.kept.delete(state.path);
  remember(patient);
  const record = `/console/patients/${patient.id}`;
  if (app.screen?.state === state || location.pathname === record) await go(record);
  page.done(t(text, { name: patient.name }));
}

// What tells one person from another.
const knownBy = ({ name, date_of_birth, gender, phone, email, identifiers }) => ({ name, date_of_birth, gender, phone, email, identifiers });

async function create(state) {
  const body = difference(state);
  const person = knownBy(body);
  if (!same(state.seen, person)) {
    const { results } = await api("POST", "patients/match", { body: person, signal: state.signal });
    Object.assign(state, { alike: results.filter((r) => r.score >= ALIKE).map((r) => r.patient), seen: person });
  }
  if (state.alike.length && !same(state.none, person)) return focusSoon("#alike");
  const key = newKey();
  for (let wait = 2; ; wait = Math.min(wait * 2, AGAIN)) {
    try {
      return await done(state, await api("POST", "patients", { body, key }), "patient.saved");
    } catch (error) {
      const unclear = error.code === "network" || error.status >= 500 || error.status === 409;
      if (!unclear) throw error;
    } finally {
      state.unanswered = null;
    }
    // It may have been stored. Until that is known, the same is sent again and nothing else.
    await new Promise((next) => {
      const timer = setTimeout(next, wait * 1000);
      state.unanswered = () => { clearTimeout(timer); next(); };
      page.redraw();
      focusSoon("#unanswered");
    });
    if (app.kept.get(state.path) !== state) return; // signed out meanwhile: nobody's draft any more
  }
}

async function change(state) {
  const body = difference(state);
  try {
    const patient = await api("PATCH", `patients/${state.id}`, { body, version: state.base.version });
    await done(state, patient, "patient.saved");
  } catch (error) {
    if (error.status !== 412) throw error;
    await conflict(state);
  }
}

// Somebody was faster. What only they changed is taken over; what both changed is asked about.
async function conflict(state) {
  const { base, form } = state;
  const query = { cursor: "" };
  const [theirs, log] = await Promise.all([
    getPatient(state), api("GET", `patients/${state.id}/history`, { query, signal: state.signal })]);
  const mine = difference(state);
  const changed = names.filter((n) => !same(theirs[n], base[n]) && !same(theirs[n], n in mine ? mine[n] : base[n]));
  const since = log.results.filter((e) => e.at > base.updated_at && e.action === "update");
  state.conflict = {
    by: [...new Set(since.map((e) => e.by.username))].join(", "), at: since[0]?.at ?? theirs.updated_at, chosen: {}, theirs, mine,
    taken: changed.filter((n) => !(n in mine)).map((n) => ({ name: n, from: base[n] })), both: changed.filter((n) => n in mine),
  };
  for (const { name } of state.conflict.taken) form.values[name] = textOf(theirs)[name];
  state.patient = state.base = theirs;
  showWrong(form, null, {});
  focusSoon("#conflict");
}

// --- what one sees ---

export function view(state) {
  return html`${state.id ? header(state) : html`<h1 tabindex="-1">${t("patients.new")}</h1>`}
    ${busy(state)}${errorBox(state.problem, () => read(state))}
    ${state.id && !state.patient ? nothing : html`
      ${state.id ? html`<h2 class="first">${t("edit")}</h2>` : nothing}
      ${state.again ? html`<p class="notice">${t("edit.again")}
        <button class="link" @click=${() => discard(state)}>${t("discard")}</button></p>` : nothing}
      ${conflictBox(state)}
      <form class="record" novalidate @submit=${(event) => save(state, event)} @keydown=${saveOnCtrlEnter}>
        ${errorSummary(state.form, Object.fromEntries(names.map((n) => [n, t(n)])))}
        ${fields(state)}
        ${alikeBox(state)}
        ${state.unanswered ? html`<div class="notice" role="alert" tabindex="-1" id="unanswered"><p>${t("edit.unanswered")}</p>
          <p><button type="button" @click=${state.unanswered}>${t("edit.send_again")}</button></p></div>` : nothing}
        <p class="actions sticky"><button class="primary" ?disabled=${state.form.saving || !navigator.onLine}>${
          t(state.form.saving ? "saving" : "save")}</button>
          <button type="button" ?disabled=${state.form.saving} @click=${() => discard(state)}>${t("cancel")}</button></p>
      </form>`}`;
}

const isAlike = (state) => state.alike?.length > 0 && same(state.seen, knownBy(difference(state)));

function discard(state) {
  app.kept.delete(state.path);
  go(state.id ? `/console/patients/${state.id}` : "/console");
}

function fields({ form }) {
  const f = (name, more) => field(form, { name, label: t(name), optional: name !== "name" && more?.type !== "select", ...more });
  return html`<div class="fieldset">
    ${f("name", { required: true })}
    ${f("date_of_birth", { hint: t("date_of_birth.hint"), note: bornInWords(form.values.date_of_birth), width: "short" })}
    ${f("gender", { type: "select", half: true, options: genders.map((g) => [g, t(`gender.${g}`)]) })}
    ${f("blood_group", { type: "select", half: true, options: [["", t("not_recorded")], ...bloodGroups.map((g) => [g, g])] })}
    ${f("allergies", { type: "area", rows: 2 })}
    ${f("phone", { type: "tel", inputmode: "tel", half: true })}
    ${f("email", { type: "email", half: true })}
    ${f("address", { type: "area", rows: 2 })}
    ${f("medical_history", { type: "area", rows: 6 })}
    ${identifiers(form)}
  </div>`;
}

// The numbers by which a patient is known elsewhere: a row for each.
function identifiers(form) {
  const all = form.values.identifiers;
  const set = (one, part) => (event) => { one[part] = event.target.value; page.redraw(); };
  const add = () => { all.push({ system: "", value: "" }); page.redraw(); };
  const remove = (i) => () => { all.splice(i, 1); page.redraw(); };
  const input = (one, part, i) => html`<label>${t(`identifiers.${part}`)}
    <input id=${i || part === "value" ? nothing : "identifiers"} autocomplete="off" .value=${one[part]} ?disabled=${form.saving}
      @input=${set(one, part)}></label>`;
  const errors = form.errors.identifiers;
  return html`<fieldset class="field"><legend>${t("identifiers")} <span class="quiet">${t("optional")}</span></legend>
    <p class="hint">${t("identifiers.hint")}</p>
    ${errors ? html`<p class="wrong">${errors.join(" ")}</p>` : nothing}
    ${all.map((one, i) => html`<p class="pair">${input(one, "system", i)} ${input(one, "value", i)}
      <button type="button" aria-label="${t("remove")}: ${i + 1}" @click=${remove(i)}>${t("remove")}</button></p>`)}
    <button type="button" @click=${add}>${t("identifiers.add")}</button></fieldset>`;
}

const alikeBox = (state) => !isAlike(state) ? nothing : html`
  <section class="notice" id="alike" tabindex="-1" aria-labelledby="alike-title">
    <h2 id="alike-title">${t("alike.title")}</h2>
    <ul>${state.alike.map((p) => html`<li><a href="/console/patients/${p.id}">${named(p.name)}</a>
      <span class="quiet">${born(p.date_of_birth)} ${p.phone}</span></li>`)}</ul>
    <p><button type="button" ?disabled=${state.form.saving || !navigator.onLine}
      @click=${() => { state.none = state.seen; save(state); }}>${t("alike.none")}</button></p>
  </section>`;

function shown(name, value) {
  if (!value?.length) return t("not_recorded");
  if (name === "identifiers") return value.map((one) => `${one.system} ${one.value}`).join(", ");
  return name === "gender" ? t(`gender.${value}`) : name === "date_of_birth" ? shortDay(value) : value;
}

// What is typed into a field that both changed is mine from then on, and chosen.
function follow({ chosen, mine, theirs, both }, form) {
  for (const name of both) {
    const now = valueOf(name, form.values[name]);
    const isTheirs = same(now, valueOf(name, textOf(theirs)[name]));
    if (chosen[name] === "theirs" ? isTheirs : same(now, mine[name])) continue;
    chosen[name] = isTheirs ? "theirs" : "mine";
    if (!isTheirs) mine[name] = now;
    delete form.errors[name];
  }
}

function conflictBox({ conflict: c, form }) {
  if (!c) return nothing;
  follow(c, form);
  const choose = (name, which) => () => {
    c.chosen[name] = which;
    form.values[name] = textOf(which === "theirs" ? c.theirs : c.mine)[name];
    delete form.errors[name];
    page.redraw();
  };
  const choice = (name, which, value) => html`<label class="choice"><input type="radio" name="conflict-${name}"
    .checked=${c.chosen[name] === which} @change=${choose(name, which)}>
    ${t(`conflict.${which}`)} <strong dir="auto">${shown(name, value)}</strong></label>`;
  return html`<section class="notice" id="conflict" tabindex="-1" aria-labelledby="conflict-title">
    <h2 id="conflict-title">${t("conflict.title", { by: c.by || t("somebody"), at: dayAndTime(c.at) })}</h2>
    <p>${t("conflict.text")}</p>
    ${c.taken.length ? html`<p>${t("conflict.taken")}</p><ul>${c.taken.map(({ name, from }) => html`<li>${t(name)}:
      <del>${shown(name, from)}</del> → <ins>${shown(name, c.theirs[name])}</ins></li>`)}</ul>` : nothing}
    ${c.both.map((name) => html`<fieldset><legend>${t("conflict.both", { field: t(name) })}</legend>
      ${choice(name, "mine", c.mine[name])} ${choice(name, "theirs", c.theirs[name])}</fieldset>`)}
  </section>`;
}
