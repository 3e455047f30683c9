// One patient: the header that every screen of a patient has, the fields, and the doctors.
import { html, nothing } from "../vendor/lit-html.js";
import { api, newKey, session } from "../api.js";
import { app, go } from "../app.js";
import { combobox } from "../form.js";
import { busy, confirm, confirmDialog, errorBox, failure, load, named, page, tabs, warningSign } from "../ui.js";
import { age, born, longDay, shortDayOf, t } from "../text.js";
import { forgetPatient, remember } from "./patients.js";

export const title = (state) => state.patient?.name ?? t("patient");

export function open({ id }, signal) {
  const state = { id, patient: null, doctors: null, adding: {}, signal };
  reload(state);
  return state;
}

const reload = (state) => load(state, async () => {
  const [patient, doctors] = await Promise.all([getPatient(state), getDoctors(state)]);
  Object.assign(state, { patient, doctors });
});

const getDoctors = async ({ id, signal }) => (await api("GET", `mappings/${id}`, { query: { page_size: 100 }, signal })).results;

/** Reads a patient for its header, and remembers it. */
export async function getPatient(state) {
  const patient = await api("GET", `patients/${state.id}`, { signal: state.signal });
  remember(patient);
  return patient;
}

/** What stands above each screen of a patient: who it is, and the allergies. */
export function header(state, current, actions) {
  const p = state.patient;
  const path = `/console/patients/${state.id}`;
  const facts = p && [born(p.date_of_birth), t(`gender.${p.gender}`), p.blood_group, p.phone];
  return html`<header class="patient">
      <h1 tabindex="-1">${p ? named(p.name) : t("patient")}</h1>
      <p class="facts">${p ? facts.filter(Boolean).map((f) => html`<span>${f}</span>`) : state.problem ? nothing : t("loading")}</p>
      ${!p ? nothing : p.allergies
        ? html`<p class="allergies">${warningSign} <strong>${t("allergies")}:</strong> <span dir="auto">${p.allergies}</span></p>`
        : html`<p class="no-allergies">${t("allergies.none")}</p>`}
    </header>
    ${current ? html`<div class="bar">${tabs(t("patient"), [
      { href: path, text: t("record"), current: current === "record" },
      { href: `${path}/history`, text: t("history"), current: current === "history" },
      ...session.user.is_staff ? [{ href: `${path}/access`, text: t("access"), current: current === "access" }] : [],
    ])} ${actions}</div>` : nothing}`;
}

export function view(state) {
  const { patient } = state;
  const actions = html`<p class="actions">
    <a class="button primary" data-edit href="/console/patients/${state.id}/edit">${t("edit")}</a>
    <button class="delete quiet" @click=${() => askDelete(state)}>${t("delete")}</button></p>`;
  return html`${header(state, "record", patient ? actions : nothing)}
    ${busy(state)}${errorBox(state.problem, () => reload(state))}
    ${patient ? html`
      <div class="columns">
        <section aria-labelledby="fields"><h2 id="fields">${t("record")}</h2>${fields(patient)}</section>
        <section aria-labelledby="doctors"><h2 id="doctors">${t("doctors")}</h2>${doctors(state)}</section>
      </div>` : nothing}
    ${confirmDialog(state)}`;
}

function fields(p) {
  const shown = {
    date_of_birth: p.date_of_birth && `${longDay(p.date_of_birth)} (${t("age", { n: age(p.date_of_birth) })})`, gender: t(`gender.${p.gender}`),
    phone: p.phone, email: p.email, address: p.address, blood_group: p.blood_group, allergies: p.allergies,
    medical_history: p.medical_history, identifiers: p.identifiers.map((one) => `${one.system} ${one.value}`).join("\n"),
  };
  const none = (name) => t(name === "allergies" ? "allergies.none" : "not_recorded");
  return html`<dl class="fields">${Object.entries(shown).map(([name, value]) => html`<div><dt>${t(name)}</dt>
    <dd dir="auto" class=${value ? nothing : "quiet"}>${value || none(name)}</dd></div>`)}</dl>`;
}

function doctors(state) {
  const one = (d) => html`<li>
    <span><a href="/console/doctors/${d.id}">${named(d.name)}</a> <span class="quiet">${d.specialization}</span>
      <span class="quiet">${t("doctors.since", { day: shortDayOf(d.assigned_at) })}</span></span>
    <button aria-label="${t("remove")}: ${d.name}" @click=${() => askRemove(state, d)}>${t("remove")}</button></li>`;
  return html`
    ${state.doctors.length ? html`<ul class="rows">${state.doctors.map(one)}</ul>`
      : html`<p class="empty">${t("doctors.none_assigned")}</p>`}
    ${combobox(state.adding, {
      id: "assign", label: t("doctors.assign"),
      find: async (search, signal) => (await api("GET", "doctors", { query: { search, cursor: "", page_size: 8 }, signal })).results,
      text: (d) => html`${named(d.name)} <span class="quiet">${d.specialization}</span>`, choose: (d) => assign(state, d),
    })}`;
}

async function assign(state, doctor) {
  try {
    await api("POST", "mappings", { body: { patient_id: state.id, doctor_id: doctor.id }, key: newKey() });
    state.doctors = await getDoctors(state);
    page.done(t("doctors.assigned", { name: doctor.name }));
  } catch (error) {
    state.adding.problem = error.status === 409 ? { ...error, code: "assigned", until: 0 } : failure(error);
  }
  page.redraw();
}

const askRemove = (state, doctor) => confirm(state, {
  title: t("doctors.remove.title"), yes: t("remove"),
  text: t("doctors.remove.text", { doctor: doctor.name, patient: state.patient.name }),
  async act() {
    await api("DELETE", `mappings/${doctor.mapping_id}`);
    state.doctors = state.doctors.filter((d) => d !== doctor);
    page.done(t("doctors.removed", { name: doctor.name }));
  },
});

const askDelete = (state) => confirm(state, {
  title: t("patient.delete.title", { name: state.patient.name }), text: t("patient.delete.text"), yes: t("delete"), danger: true,
  async act() {
    await api("DELETE", `patients/${state.id}`, { version: state.patient.version });
    forgetPatient(state.id);
    app.kept.delete(`/console/patients/${state.id}/edit`);
    await go("/console");
    page.done(t("patient.deleted", { name: state.patient.name }));
  },
});
