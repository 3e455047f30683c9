// The audit trail, for staff: who did what to whose data, and when. Days are those of this desk.
import { html, nothing } from "../vendor/lit-html.js";
import { api, queryOf } from "../api.js";
import { combobox, errorSummary, field, newForm, showWrong } from "../form.js";
import { busy, errorBox, page, pager, showPage, table } from "../ui.js";
import { dayAndTime, hasText, longDay, readDay, t } from "../text.js";

const actions = ["create", "update", "delete", "restore", "assign", "unassign", "read", "list", "merge", "unmerge", "export", "erase",
  "reset", "accept", "rotate", "archive"];

export const title = () => t("audit");

export function open(_, signal) {
  const state = { signal, rows: null, user: null, who: {}, form: newForm({ action: "", patient_id: "", since: "", until: "" }) };
  show(state, { cursor: "" });
  return state;
}

const show = (state, query) => showPage(state, "audit", query);

// A day begins at this desk's midnight, and ends before the next one.
const midnight = (day, days = 0) => {
  const date = new Date(`${day}T00:00:00`);
  date.setDate(date.getDate() + days);
  return new Date(date.getTime() - (days ? 1 : 0)).toISOString();
};

function search(state, event) {
  event?.preventDefault();
  const { values } = state.form;
  const errors = {};
  for (const name of ["since", "until"]) if (values[name].trim() && !readDay(values[name])) errors[name] = [t("wrong.day")];
  if (values.patient_id.trim() && !/^\d+$/.test(values.patient_id.trim())) errors.patient_id = [t("wrong.years_of_experience.invalid")];
  if (Object.keys(errors).length) return showWrong(state.form, null, errors);
  state.form.errors = {};
  const [since, until] = [readDay(values.since), readDay(values.until)];
  const wished = {
    action: values.action, patient_id: values.patient_id.trim(), user_id: state.user?.id ?? "",
    since: since ? midnight(since) : "", until: until ? midnight(until, 1) : "",
  };
  return show(state, { cursor: "", ...Object.fromEntries(Object.entries(wished).filter(([, value]) => value)) });
}

export const view = (state) => html`<h1 tabindex="-1">${t("audit")}</h1>
  ${filterForm(state)}
  ${busy(state)}${errorBox(state.problem, () => search(state))}
  ${!state.rows || state.problem ? nothing : state.rows.length
    ? html`${table(t("audit"), columns(), state.rows, state)}${pager(state, (link) => show(state, queryOf(link)))}`
    : html`<p class="empty">${t("nothing")}</p>`}`;

function filterForm(state) {
  const { form } = state;
  const day = (name) => {
    const read = readDay(form.values[name]);
    return field(form, { name, label: t(name), note: read ? longDay(read) : "", width: "short" });
  };
  return html`<form class="grid" novalidate @submit=${(event) => search(state, event)}>
    ${errorSummary(form, { since: t("since"), until: t("until"), patient_id: t("audit.patient") })}
    ${who(state)}
    ${field(form, { name: "action", label: t("audit.action"), type: "select",
      options: [["", t("any")], ...actions.map((a) => [a, t(`did.${a}`)])] })}
    ${field(form, { name: "patient_id", label: t("audit.patient"), inputmode: "numeric", width: "short" })}
    ${day("since")} ${day("until")}
    <p class="actions"><button class="primary">${t("show")}</button></p></form>`;
}

function who(state) {
  const all = () => { state.user = null; page.redraw(); };
  if (state.user) {
    return html`<div class="field"><p class="label">${t("account")}</p>
      <p><strong>${state.user.username}</strong> <button type="button" class="link" @click=${all}>${t("remove")}</button></p></div>`;
  }
  return combobox(state.who, {
    id: "who", label: t("account"), text: (u) => u.username, choose: (u) => { state.user = u; },
    find: async (search, signal) => (await api("GET", "users", { query: { search, cursor: "", page_size: 8 }, signal })).results,
  });
}

const patient = (id) => html`<a href="/console/patients/${id}">${t("patient")} ${id}</a>`;

function what(e) {
  if (e.object === "patient" && e.object_id) return patient(e.object_id);
  const ids = e.patient_ids;
  const about = ids.length === 1 ? patient(ids[0]) : ids.length ? t("audit.patients", { n: ids.length }) : "";
  return html`${hasText(e.object) ? t(e.object) : e.object} ${e.object_id ?? ""}
    <span class="quiet">${about}</span>`;
}

const did = (e) => html`${t(`did.${e.action}`)}
  ${e.outcome === "ok" ? nothing : html`<span class="refused">${t("audit.refused", { why: e.outcome })}</span>`}`;

const columns = () => [
  { title: t("audit.at"), cell: (e) => html`<time datetime=${e.at}>${dayAndTime(e.at)}</time>`, kind: "first plain" },
  { title: t("account"), cell: (e) => e.user?.username ?? t("command") },
  { title: t("audit.action"), cell: did },
  { title: t("audit.object"), cell: what },
  { title: t("sessions.address"), cell: (e) => e.address, kind: "day" },
  { title: t("audit.request"), cell: (e) => html`<code class="quiet">${e.request_id}</code>`, kind: "last" },
];
