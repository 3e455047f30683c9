// Sign in, open an account, and sign in again over the page when the session has ended.
import { html, nothing } from "../vendor/lit-html.js";
import { send, session, signIn, signOut } from "../api.js";
import { errorSummary, field, newForm, ownName, submit } from "../form.js";
import { dialog, page } from "../ui.js";
import { keepSettings, language, languages, t } from "../text.js";

let form = newForm({});
let registering = false;
let closed = false; // whether the clinic lets nobody open an account

const labels = () => ({
  username: t("username"), password: t("password"), email: t("email"), first_name: t("first_name"), last_name: t("last_name"),
});

async function enter(event) {
  event.preventDefault();
  await submit(form, async () => {
    const { username = "", password = "" } = form.values;
    if (registering) await send("POST", "auth/register", { body: form.values });
    registering = false;
    await signIn(username.trim(), password);
    form = newForm({});
  });
}

// Asks whether one may open an account at all, before somebody fills in the form: an empty request is 400, or 403.
async function register() {
  registering = true;
  form = newForm(form.values);
  page.redraw();
  const answer = await send("POST", "auth/register", { body: {} }).catch((problem) => problem);
  if (answer.status === 403) Object.assign(form, { problem: answer });
  closed = answer.status === 403;
  page.redraw();
}

const signInFields = () => html`
  ${field(form, { name: "username", label: registering ? t("username") : t("username_or_email"), autocomplete: "username" })}
  ${registering ? field(form, { name: "email", label: t("email"), type: "email", autocomplete: "email" }) : nothing}
  ${field(form, { name: "password", label: t("password"), type: "password", hint: registering ? t("password.hint") : "",
    autocomplete: registering ? "new-password" : "current-password" })}
  ${registering ? html`${field(form, { name: "first_name", label: t("first_name"), autocomplete: "given-name", optional: true })}
    ${field(form, { name: "last_name", label: t("last_name"), autocomplete: "family-name", optional: true })}` : nothing}`;

const wholeForm = () => html`<form novalidate @submit=${enter}>
  ${errorSummary(form, labels())}
  ${signInFields()}
  <p class="actions"><button class="primary" ?disabled=${form.saving}>${registering ? t("register") : t("sign_in")}</button></p>
</form>`;

/** The whole page, as long as nobody is signed in. reason says why: "idle", or nothing. */
export const view = (reason) => html`<main class="signin" id="main">
  <p class="brand"><img src="/docs/icon.svg" alt="" width="40" height="40"> ${t("console")}</p>
  <h1 tabindex="-1">${registering ? t("register") : t("sign_in")}</h1>
  ${reason === "idle" ? html`<p class="notice" role="status">${t("signed_out.idle")}</p>` : nothing}
  ${registering && closed ? html`<p class="notice" role="status">${t("register.closed")}</p>` : wholeForm()}
  <p>${registering ? html`<button class="link" @click=${instead}>${t("sign_in.instead")}</button>`
    : html`<button class="link" @click=${register}>${t("register")}</button>`}</p>
  <p class="languages">${Object.entries(languages).map(([code, name]) => html`
    <button class="link" lang=${code} aria-pressed=${code === language()} @click=${() => choose(code)}>${name}</button>`)}</p>
</main>`;

function instead() {
  registering = false;
  form = newForm(form.values);
  page.redraw();
}

async function choose(code) {
  await keepSettings({ language: code });
  page.redraw();
}

/** The session has ended under somebody's hands: what they typed is still behind this dialog. */
export function endedDialog() {
  const username = session.user.username;
  const again = (event) => {
    event.preventDefault();
    submit(form, async () => {
      await signIn(username, form.values.password ?? "");
      form = newForm({});
    });
  };
  return dialog({
    title: t("ended.title"),
    body: html`<p>${t("ended.text", { username })}</p>
      <form novalidate id="again" @submit=${again}>${errorSummary(form, labels())}
        ${ownName(username)}
        ${field(form, { name: "password", label: t("password"), type: "password", autocomplete: "current-password" })}</form>`,
    actions: html`<button class="primary" form="again" ?disabled=${form.saving}>${t("sign_in")}</button>
      <button @click=${() => signOut()}>${t("ended.other")}</button>`,
  });
}
