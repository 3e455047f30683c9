// The accounts, for staff: find, add, disable, promote, unlock, and let somebody choose a new password.
import { html, nothing } from "../vendor/lit-html.js";
import { api, queryOf, session } from "../api.js";
import { errorSummary, field, newForm, searchBox, submit } from "../form.js";
import { busy, confirm, confirmDialog, dialog, errorBox, page, pager, showPage, table } from "../ui.js";
import { dayAndTime, t } from "../text.js";

export const title = () => t("users");

export function open(_, signal) {
  const state = { signal, word: "", rows: null, only: "", adding: null, invited: null };
  all(state);
  return state;
}

const filters = { "": {}, staff: { is_staff: true }, disabled: { is_active: false } };

const all = (state, signal) => showPage(state, "users", { search: state.word.trim(), cursor: "", ...filters[state.only] }, signal);

export const view = (state) => html`
  <div class="heading"><h1 tabindex="-1">${t("users")}</h1>
    <button class="primary" @click=${() => { state.adding = newForm({}); page.redraw(); }}>${t("users.add")}</button></div>
  ${searchBox(state, {
    label: t("users.search"), find: (signal) => all(state, signal),
    clear: () => showPage(state, "users", { cursor: "", ...filters[state.only] }),
  })}
  <p class="switch">${Object.keys(filters).map((only) => html`<button aria-pressed=${state.only === only}
    @click=${() => { state.only = only; all(state); }}>${t(`users.only.${only || "all"}`)}</button>`)}</p>
  ${busy(state)}${errorBox(state.problem, () => all(state))}
  ${!state.rows || state.problem ? nothing : state.rows.length
    ? html`${table(t("users"), columns(state), state.rows, state)}${pager(state, (link) => showPage(state, "users", queryOf(link)))}`
    : html`<p class="empty">${t("nothing_found", { word: state.word.trim() })}</p>`}
  ${state.adding ? addDialog(state) : state.invited ? invitedDialog(state) : confirmDialog(state)}`;

const standing = (u) => [u.is_staff && t("users.only.staff"), !u.is_active && t("users.only.disabled")].filter(Boolean).join(", ");

const columns = (state) => [
  { title: t("username"), cell: (u) => html`${u.username} ${u.id === session.user.id ? t("users.you") : nothing}`, kind: "first" },
  { title: t("name"), cell: (u) => html`<bdi>${u.first_name} ${u.last_name}</bdi> <span class="quiet">${u.email}</span>` },
  { title: t("users.standing"), cell: standing },
  { title: t("created"), cell: (u) => dayAndTime(u.created_at), kind: "day" },
  { title: t("actions"), cell: (u) => actions(state, u), kind: "last" },
];

const actions = (state, u) => html`
  ${button(state, u, u.is_active ? "disable" : "enable", { is_active: !u.is_active })}
  ${button(state, u, u.is_staff ? "demote" : "promote", { is_staff: !u.is_staff })}
  ${button(state, u, "unlock")} ${button(state, u, "reset")}`;

function button(state, user, what, body) {
  const ask = () => confirm(state, {
    title: t("users.sure", { name: user.username, what: t(`users.${what}`) }), text: t(`users.${what}.text`), yes: t(`users.${what}`),
    danger: what === "disable",
    async act() {
      let now;
      try {
        now = body ? await api("PATCH", `users/${user.id}`, { body }) : await api("POST", `users/${user.id}/${what}`);
      } catch (error) {
        throw error.status === 409 ? Object.assign(error, { code: what === "reset" ? "disabled" : "last_staff" }) : error;
      }
      if (what === "reset") {
        state.invited = now;
        now = user;
      }
      state.rows = state.rows.map((u) => u === user ? now : u);
      page.done(t("users.done", { name: user.username }));
    },
  });
  return html`<button aria-label="${t(`users.${what}`)}: ${user.username}" @click=${ask}>${t(`users.${what}`)}</button> `;
}

function addDialog(state) {
  const form = state.adding;
  const close = () => { state.adding = null; page.redraw(); };
  const names = ["username", "email", "first_name", "last_name"];
  const f = (name) => field(form, { name, label: t(name), type: name === "email" ? "email" : "text", optional: name.endsWith("_name") });
  const add = async (event) => {
    event.preventDefault();
    await submit(form, async () => {
      state.invited = await api("POST", "users", { body: form.values });
      state.adding = null;
      const { invitation, ...user } = state.invited; // the token is for the dialog alone
      state.rows = [user, ...state.rows ?? []];
    });
  };
  return dialog({
    title: t("users.add"), close,
    body: html`<form id="add" novalidate @submit=${add}>
      ${errorSummary(form, Object.fromEntries(names.map((n) => [n, t(n)])))} ${names.map(f)}</form>`,
    actions: html`<button class="primary" form="add" ?disabled=${form.saving}>${t("users.add.do")}</button>
      <button @click=${close}>${t("cancel")}</button>`,
  });
}

// The token is shown this one time. Where the server does not know its own address, this page does.
function invitedDialog(state) {
  const { username, invitation } = state.invited;
  const link = invitation.link ?? `${location.origin}/accept#${invitation.token}`;
  const close = () => { state.invited = null; page.redraw(); };
  const copy = async () => { await navigator.clipboard.writeText(link); page.say(t("copied")); };
  return dialog({
    title: t("users.invited", { name: username }), close,
    body: html`<p>${t("users.invited.text", { until: dayAndTime(invitation.expires_at) })}</p>
      <p class="once"><code>${link}</code></p>`,
    actions: html`${navigator.clipboard ? html`<button class="primary" @click=${copy}>${t("copy")}</button>` : nothing}
      <button @click=${close}>${t("close")}</button>`,
  });
}
