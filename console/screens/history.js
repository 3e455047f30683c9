// The history of a patient: who changed what, day by day, and who the doctors were on a day.
import { html, nothing } from "../vendor/lit-html.js";
import { api, queryOf } from "../api.js";
import { go } from "../app.js";
import { field, newForm } from "../form.js";
import { busy, errorBox, load, moreButton, named, page } from "../ui.js";
import { dayOf, longDay, readDay, shortDay, t, timeOf } from "../text.js";
import { getPatient, header } from "./patient.js";

export const title = (state) => t("history.of", { name: state.patient?.name ?? "" });

export function open({ id }, signal) {
  const state = { id, signal, patient: null, entries: [], next: null, form: newForm({ day: "" }), then: null };
  load(state, async () => {
    const [patient, log] = await Promise.all([
      getPatient(state), api("GET", `patients/${id}/history`, { query: { cursor: "" }, signal })]);
    Object.assign(state, { patient, entries: log.results, next: log.next });
  });
  return state;
}

const more = (state) => load(state, async () => {
  const log = await api("GET", `patients/${state.id}/history`, { query: queryOf(state.next), signal: state.signal });
  Object.assign(state, { entries: [...state.entries, ...log.results], next: log.next });
});

/** The days of what happened, each with its entries. */
export function byDay(entries, at = (e) => e.at) {
  const days = [];
  for (const e of entries) {
    const day = dayOf(at(e));
    if (days.at(-1)?.day !== day) days.push({ day, entries: [] });
    days.at(-1).entries.push(e);
  }
  return days;
}

export function view(state) {
  return html`${header(state, "history")}
    ${busy(state)}${errorBox(state.problem, () => state.patient ? more(state) : go(location.pathname))}
    ${!state.patient ? nothing : html`<div class="columns history">
      <section aria-labelledby="log"><h2 id="log">${t("history")}</h2>
        ${rail(state.entries)} ${moreButton(state, () => more(state))}</section>
      <section aria-labelledby="then"><h2 id="then">${t("doctors.then")}</h2>${doctorsOn(state)}</section>
    </div>`}`;
}

/** A history as a rail of days. */
const rail = (entries) => byDay(entries).map(({ day, entries }) => html`<h3>${day}</h3>
  <ol class="rail">${entries.map((e) => html`<li>
    <p><time datetime=${e.at}>${timeOf(e.at)}</time> <strong>${t(`did.${e.action}`)}</strong>
      ${e.doctor ? html`<a href="/console/doctors/${e.doctor.id}">${named(e.doctor.name)}</a>` : nothing}
      ${e.object ? html`<span>${e.object}</span>` : nothing}
      <span class="quiet">${e.by.username || t("command")}</span></p>
    ${e.doctor ? nothing : changes(e.changes)}</li>`)}</ol>`);

function changes(all) {
  const entries = Object.entries(all);
  if (!entries.length) return nothing;
  const before = (name, v) => v === null || v === "" ? nothing : html`<del dir="auto">${value(name, v)}</del> → `;
  return html`<dl class="changes">${entries.map(([name, { from, to }]) => html`<div><dt>${t(name)}</dt>
    <dd>${before(name, from)}<ins dir="auto">${value(name, to)}</ins></dd></div>`)}</dl>`;
}

function value(name, v) {
  if (v === null || v === "" || v.length === 0) return t("nothing");
  if (Array.isArray(v)) return v.map((one) => `${one.system} ${one.value}`).join(", ");
  if (name === "gender") return t(`gender.${v}`);
  return name === "date_of_birth" ? shortDay(v) : String(v);
}

function doctorsOn(state) {
  const { form } = state;
  const day = readDay(form.values.day);
  const show = async (event) => {
    event.preventDefault();
    form.errors = day ? {} : { day: [t("wrong.day")] };
    if (!day) return page.redraw();
    const then = state.then = { day };
    await load(then, async () => {
      const query = { as_of: day, page_size: 100 };
      then.rows = (await api("GET", `mappings/${state.id}`, { query, signal: state.signal })).results;
      page.say(t("found", { n: then.rows.length }));
    });
  };
  return html`<form novalidate @submit=${show}>
      ${field(form, { name: "day", label: t("day"), hint: t("date_of_birth.hint"), note: day ? longDay(day) : "", width: "short" })}
      <p><button>${t("show")}</button></p></form>
    ${state.then ? html`${busy(state.then)}${errorBox(state.then.problem, show)}` : nothing}
    ${state.then?.rows ? doctorsThen(state.then) : nothing}`;
}

const doctorsThen = ({ day, rows }) => !rows.length ? html`<p class="empty">${t("doctors.none_then", { day: longDay(day) })}</p>`
  : html`<h3>${longDay(day)}</h3>
    <ul class="rows">${rows.map((d) => html`<li><span>${named(d.name)} <span class="quiet">${d.specialization}</span></span></li>`)}</ul>`;
