// What the screens are made of: loading, errors, lists, dialogs. Each function gives HTML of what it is given.
import { html, nothing, svg } from "./vendor/lit-html.js";
import { aborted, api } from "./api.js";
import { hasText, t } from "./text.js";

/** The app sets these: draw the page again, soon; say something to who listens; show that something was done. */
export const page = { redraw() {}, say() {}, done() {} };

// --- loading ---

const SLOW = 300; // ms after which one is told that something is under way

/** Does the work of a screen and keeps in its state whether that goes on, takes long, or has failed. The work can ask
 *  whether nothing was begun since: what came late is not shown. */
export async function load(state, work) {
  Object.assign(state, { loading: true, slow: false, problem: null });
  const mine = state.work = {}; // what was begun last decides what is shown
  const timer = setTimeout(() => { state.slow = state.work === mine; page.redraw(); }, SLOW);
  page.redraw();
  try {
    await work(() => state.work === mine);
  } catch (error) {
    if (state.work === mine) state.problem = failure(error);
  }
  clearTimeout(timer);
  if (state.work === mine) Object.assign(state, { loading: false, slow: false });
  page.redraw();
}

/** Shows one page of a list beside a cursor, and says how much was found. */
export const showPage = (state, path, query, signal = state.signal) => load(state, async (current) => {
  const answer = await api("GET", path, { query, signal });
  if (!current()) return;
  Object.assign(state, { rows: answer.results, next: answer.next, previous: answer.previous, of: query.search ?? "" });
  page.say(t(answer.next ? "found.more" : "found", { n: answer.results.length }));
});

export const busy = (state) => state.slow ? html`<p class="busy" role="status">${t("loading")}</p>` : nothing;

// --- errors ---

/** What there is to show of an error: nothing if the person has gone elsewhere. A mistake of the console's own is logged. */
export function failure(error) {
  if (aborted(error)) return null;
  if (typeof error.code !== "string") console.error(error);
  return error;
}

let ticking = 0; // until the next drawing of what counts down

function tick() {
  ticking ||= setTimeout(() => { ticking = 0; page.redraw(); }, 1000);
}

/** What went wrong, in one sentence: a text of ours by the error's code, or else the API's own. */
export function sentence(problem) {
  if (typeof problem.code !== "string") return t("error.console");
  const key = `error.${problem.code}`;
  return hasText(key) ? t(key) : problem.detail;
}

/** An error with the next step. One that says when to come back counts down to that. */
export function errorBox(problem, retry) {
  if (!problem) return nothing;
  const wait = Math.ceil((problem.until - Date.now()) / 1000);
  if (wait > 0) tick();
  return html`<div class="error" role="alert" tabindex="-1">
    <p><strong>${sentence(problem)}</strong></p>
    ${wait > 0 ? html`<p>${t("error.wait", { time: minutes(wait) })}</p>` : nothing}
    ${retry && !(wait > 0) ? html`<p><button @click=${retry}>${t("try_again")}</button></p>` : nothing}
    ${requestId(problem)}
  </div>`;
}

export const minutes = (seconds) => seconds < 90 ? t("seconds", { n: seconds }) : t("minutes", { n: Math.ceil(seconds / 60) });

function requestId(problem) {
  if (!problem.request_id) return nothing;
  const copy = async () => {
    await navigator.clipboard?.writeText(problem.request_id);
    page.say(t("copied"));
  };
  return html`<p class="quiet">${t("error.id")} <code>${problem.request_id}</code>
    ${navigator.clipboard ? html`<button class="link" @click=${copy}>${t("copy")}</button>` : nothing}</p>`;
}

// --- lists ---

/** A table: columns are {title, cell(row)}; the first cell holds the row's link. */
export const table = (caption, columns, rows, state = {}) => html`
  <table aria-busy=${Boolean(state.loading)} @keydown=${moveAmongRows}>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((c) => html`<th scope="col">${c.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>
      ${columns.map((c) => html`<td class=${c.kind ?? nothing}>${c.cell(row)}</td>`)}</tr>`)}</tbody>
  </table>`;

/** The arrow keys go from row to row, and from the first one back to the search. */
function moveAmongRows(event) {
  const down = event.key === "ArrowDown";
  if ((!down && event.key !== "ArrowUp") || event.target.tagName !== "A") return;
  const links = [...event.currentTarget.querySelectorAll("td:first-child a")];
  const next = links.indexOf(event.target) + (down ? 1 : -1);
  event.preventDefault();
  (next < 0 ? document.querySelector("input[type=search]") : links[next])?.focus();
}

export const focusFirstRow = () => document.querySelector("tbody td:first-child a")?.focus();

/** The button that adds what comes next to a list. */
export const moreButton = (state, show) => !state.next ? nothing
  : html`<p><button ?disabled=${state.loading} @click=${show}>${t("more")}</button></p>`;

/** The buttons to the pages beside this one, of a list beside a cursor. */
export function pager(state, show) {
  if (!state.next && !state.previous) return nothing;
  const to = (link, text) => html`<button ?disabled=${!link || state.loading} @click=${() => show(link)}>${text}</button>`;
  return html`<nav class="pager" aria-label=${t("pages")}>
    ${to(state.previous, t("previous"))} ${to(state.next, t("next"))}</nav>`;
}

/** Choices of which one is current, as links that look like tabs. */
export const tabs = (label, items) => html`<nav class="tabs" aria-label=${label}>
  ${items.map((i) => html`<a href=${i.href} aria-current=${i.current ? "page" : nothing}>${i.text}</a>`)}</nav>`;

/** A name as it is, in the direction of its letters. */
export const named = (name) => html`<bdi dir="auto">${name}</bdi>`;

export const warningSign = svg`<svg class="sign" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
  <path d="M10 2 19 18H1z" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round"/>
  <path d="M10 8v4.5M10 15v.6" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/></svg>`;

// --- dialogs ---

let opener = null; // what had the focus before the dialog

/** A dialog over the page. Esc closes it, as what close does. */
export const dialog = ({ title, body, actions, close, alert, danger }) => html`
  <dialog class=${danger ? "danger" : nothing} role=${alert ? "alertdialog" : nothing} aria-labelledby="dialog-title"
    @cancel=${(event) => { event.preventDefault(); close?.(); }} @close=${() => { close?.(); page.redraw(); }}>
    <h2 id="dialog-title">${title}</h2>
    ${body}
    <p class="actions">${actions}</p>
  </dialog>`;

/** The app calls it after each drawing: opens what is there to be open, and gives the focus back afterwards. */
export function settleDialogs() {
  const now = document.querySelector("dialog");
  if (now && !now.open) {
    opener ??= document.activeElement;
    now.showModal();
  } else if (now && !now.contains(document.activeElement)) {
    now.querySelector("input, button")?.focus();
  } else if (!now && opener) {
    if (opener.isConnected) opener.focus();
    opener = null;
  }
}

/** Asks before something is done that one may not want. */
export const confirm = (state, question) => { state.asks = question; page.redraw(); };

export function confirmDialog(state) {
  if (!state.asks) return nothing;
  const { title, text, yes, danger, act } = state.asks;
  const close = () => { state.asks = null; page.redraw(); };
  return dialog({
    title, close, danger, body: html`<p>${text}</p>${errorBox(state.asks.problem)}`,
    actions: html`<button class=${danger ? "delete" : "primary"} ?disabled=${state.asks.doing} @click=${async () => {
      const asked = state.asks;
      asked.doing = true;
      page.redraw();
      try {
        await act();
        if (state.asks === asked) state.asks = null;
      } catch (error) {
        Object.assign(asked, { doing: false, problem: failure(error) });
      }
      page.redraw();
    }}>${yes}</button>
    <button @click=${close}>${t("cancel")}</button>`,
  });
}
