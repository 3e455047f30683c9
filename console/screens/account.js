// One's own account: profile, password, where it is signed in, and how the console should be.
import { html, nothing } from "../vendor/lit-html.js";
import { api, session, setUser, signOut } from "../api.js";
import { errorSummary, field, newForm, ownName, showWrong, submit } from "../form.js";
import { busy, confirm, confirmDialog, errorBox, load, page, table } from "../ui.js";
import { dayAndTime, keepSettings, languages, settings, t } from "../text.js";

export const title = () => t("account");

export function open(_, signal) {
  const { email, first_name, last_name } = session.user;
  const state = { signal, profile: newForm({ email, first_name, last_name }), password: newForm({}), sessions: [] };
  read(state);
  return state;
}

const read = (state) => load(state, async () => {
  state.sessions = (await api("GET", "auth/sessions", { query: { cursor: "", page_size: 100 }, signal: state.signal })).results;
});

export const view = (state) => html`<h1 tabindex="-1">${t("account")}</h1>
  <p>${t("account.signed_in", { username: session.user.username })}</p>
  <div class="columns">
    <section aria-labelledby="profile"><h2 id="profile">${t("profile")}</h2>${profile(state)}</section>
    <section aria-labelledby="looks"><h2 id="looks">${t("settings")}</h2>${looks()}</section>
  </div>
  <section aria-labelledby="new-password"><h2 id="new-password">${t("password")}</h2>${password(state)}</section>
  <section aria-labelledby="sessions"><h2 id="sessions">${t("sessions")}</h2>
    ${busy(state)}${errorBox(state.problem, () => read(state))}${sessions(state)}</section>
  ${confirmDialog(state)}`;

function profile({ profile: form }) {
  const save = async (event) => {
    event.preventDefault();
    if (await submit(form, async () => setUser(await api("PATCH", "auth/me", { body: form.values })))) page.done(t("saved"));
  };
  return html`<form novalidate @submit=${save}>
    ${errorSummary(form, { email: t("email"), first_name: t("first_name"), last_name: t("last_name") })}
    ${field(form, { name: "email", label: t("email"), type: "email", autocomplete: "email" })}
    ${field(form, { name: "first_name", label: t("first_name"), autocomplete: "given-name", optional: true })}
    ${field(form, { name: "last_name", label: t("last_name"), autocomplete: "family-name", optional: true })}
    <p class="actions"><button class="primary" ?disabled=${form.saving}>${t("save")}</button></p></form>`;
}

function looks() {
  const choose = (name) => async (event) => { await keepSettings({ [name]: event.target.value }); page.redraw(); };
  const option = (name, [value, text]) => html`<option value=${value} ?selected=${settings[name] === value}>${text}</option>`;
  const select = (name, options) => html`<div class="field"><label for=${name}>${t(name)}</label>
    <select id=${name} @change=${choose(name)}>${options.map((o) => option(name, o))}</select></div>`;
  const switchKeys = (event) => keepSettings({ shortcuts: event.target.checked });
  return html`
    ${select("theme", [["", t("theme.system")], ["light", t("theme.light")], ["dark", t("theme.dark")]])}
    ${select("language", [["", t("language.browser")], ...Object.entries(languages)])}
    <p><label class="choice"><input type="checkbox" .checked=${settings.shortcuts} @change=${switchKeys}>
      ${t("shortcuts")}</label></p>
    <p class="hint">${t("shortcuts.hint")}</p>`;
}

function password(state) {
  const form = state.password;
  const save = async (event) => {
    event.preventDefault();
    const { current_password, new_password, repeated } = form.values;
    if (new_password !== repeated) return showWrong(form, null, { repeated: [t("wrong.repeated")] });
    if (await submit(form, () => api("POST", "auth/password", { body: { current_password, new_password } }))) {
      state.password = newForm({});
      page.done(t("password.changed"));
      read(state);
    }
  };
  const names = ["current_password", "new_password", "repeated"];
  const f = (name) => field(form, {
    name, label: t(name), type: "password", width: "short", autocomplete: name === names[0] ? "current-password" : "new-password",
    hint: name === "new_password" ? t("password.hint") : "",
  });
  return html`<p class="hint">${t("password.ends")}</p><form novalidate @submit=${save}>
    ${errorSummary(form, Object.fromEntries(names.map((n) => [n, t(n)])))}
    ${ownName(session.user.username)} ${names.map(f)}
    <p class="actions"><button class="primary" ?disabled=${form.saving}>${t("password.change")}</button></p></form>`;
}

// "Firefox on Linux" out of the long line that a browser calls itself.
function browser(agent) {
  const program = /(Firefox|Edg|OPR|Chrome|Safari|curl)/.exec(agent)?.[1] ?? agent.split("/")[0];
  const system = /(Windows|Android|iPhone|iPad|Mac OS|Linux)/.exec(agent)?.[1];
  return [{ Edg: "Edge", OPR: "Opera" }[program] ?? program, system].filter(Boolean).join(", ");
}

const sessions = (state) => !state.sessions.length ? nothing : table(t("sessions"), [
  { title: t("sessions.where"), cell: (s) => html`${browser(s.user_agent)} ${s.current ? t("sessions.this") : nothing}`, kind: "first" },
  { title: t("sessions.address"), cell: (s) => s.address },
  { title: t("sessions.since"), cell: (s) => dayAndTime(s.created_at), kind: "day" },
  { title: t("sessions.used"), cell: (s) => dayAndTime(s.last_used_at), kind: "day" },
  { title: t("actions"), cell: (s) => endButton(state, s), kind: "last" },
], state.sessions, state);

const endButton = (state, s) => html`<button @click=${() => askEnd(state, s)}
  aria-label=${t("sessions.end.name", { where: browser(s.user_agent), since: dayAndTime(s.created_at) })}>${t("sessions.end")}</button>`;

const askEnd = (state, s) => confirm(state, {
  title: t("sessions.end.title"),
  text: t("sessions.end.text", { where: browser(s.user_agent), address: s.address }),
  yes: t("sessions.end"), danger: true,
  async act() {
    if (s.current) return signOut();
    await api("DELETE", `auth/sessions/${s.id}`);
    state.sessions = state.sessions.filter((other) => other !== s);
  },
});
