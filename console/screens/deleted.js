// What was deleted, for staff: patients or doctors, and the way back.
import { html, nothing } from "../vendor/lit-html.js";
import { api, queryOf } from "../api.js";
import { busy, confirm, confirmDialog, errorBox, named, page, pager, showPage, table } from "../ui.js";
import { born, dayAndTime, t } from "../text.js";

export const title = () => t("deleted");

export function open(_, signal) {
  const state = { signal, what: "patients", rows: null };
  show(state, { deleted: true, cursor: "" });
  return state;
}

const show = (state, query) => showPage(state, state.what, query);

function choose(state, what) {
  Object.assign(state, { what, rows: null });
  show(state, { deleted: true, cursor: "" });
}

const columns = (state) => [
  { title: t("name"), cell: (r) => named(r.name), kind: "first" },
  state.what === "patients" ? { title: t("date_of_birth"), cell: (r) => born(r.date_of_birth), kind: "day" }
    : { title: t("specialization"), cell: (r) => r.specialization },
  { title: t("created"), cell: (r) => dayAndTime(r.created_at), kind: "day" },
  { title: t("actions"), cell: (r) => restoreButton(state, r), kind: "last" },
];

const restoreButton = (state, row) => html`<button aria-label="${t("restore")}: ${row.name}"
  @click=${() => ask(state, row)}>${t("restore")}</button>`;

export const view = (state) => html`<h1 tabindex="-1">${t("deleted")}</h1>
  <p class="hint">${t("deleted.hint")}</p>
  <p class="switch">${["patients", "doctors"].map((what) => html`
    <button aria-pressed=${state.what === what} @click=${() => choose(state, what)}>${t(what)}</button>`)}</p>
  ${busy(state)}${errorBox(state.problem, () => choose(state, state.what))}
  ${!state.rows || state.problem ? nothing : state.rows.length
    ? html`${table(t("deleted"), columns(state), state.rows, state)}${pager(state, (link) => show(state, queryOf(link)))}`
    : html`<p class="empty">${t("deleted.none")}</p>`}
  ${confirmDialog(state)}`;

const ask = (state, row) => confirm(state, {
  title: t("restore.title", { name: row.name }), text: t("restore.text"), yes: t("restore"),
  async act() {
    try {
      await api("POST", `${state.what}/${row.id}/restore`);
    } catch (error) {
      throw error.status === 409 && state.what === "doctors" ? Object.assign(error, { code: "license_taken" }) : error;
    }
    state.rows = state.rows.filter((r) => r !== row);
    page.done(t("restored", { name: row.name }));
  },
});
