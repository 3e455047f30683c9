// Who looked at a patient, for staff: the audit trail told as visits. A visit is what one person did with no pause longer
// than 15 minutes; a list in which the patient only appeared is counted apart from what was opened or changed.
import { html, nothing } from "../vendor/lit-html.js";
import { api, queryOf } from "../api.js";
import { go } from "../app.js";
import { busy, errorBox, load, moreButton } from "../ui.js";
import { t, timeOf } from "../text.js";
import { byDay } from "./history.js";
import { getPatient, header } from "./patient.js";

const PAUSE = 15 * 60_000; // ms

export const title = (state) => t("access.of", { name: state.patient?.name ?? "" });

export function open({ id }, signal) {
  const state = { id, signal, patient: null, events: [], next: null };
  load(state, async () => {
    const query = { patient_id: id, cursor: "", page_size: 100 };
    const [patient, trail] = await Promise.all([getPatient(state), api("GET", "audit", { query, signal })]);
    Object.assign(state, { patient, events: trail.results, next: trail.next });
  });
  return state;
}

const more = (state) => load(state, async () => {
  const trail = await api("GET", "audit", { query: queryOf(state.next), signal: state.signal });
  Object.assign(state, { events: [...state.events, ...trail.results], next: trail.next });
});

/** The visits that events make up, the newest first, as the events are. */
export function visits(events) {
  const open = new Map(); // the visit of each account that still goes on, as one goes back in time
  const all = [];
  for (const e of events) {
    const who = e.user?.id ?? 0;
    let visit = open.get(who);
    if (!visit || new Date(visit.from) - new Date(e.at) > PAUSE) {
      visit = { user: e.user, until: e.at, did: new Map(), lists: 0, refused: 0, addresses: new Set() };
      open.set(who, visit);
      all.push(visit);
    }
    visit.from = e.at;
    visit.addresses.add(e.address);
    if (e.outcome !== "ok") visit.refused++;
    else if (e.action === "list" && e.object !== "mapping") visit.lists++;
    else if (e.action === "list") count(visit.did, "read");
    else count(visit.did, e.action);
  }
  return all;
}

const count = (did, action) => did.set(action, (did.get(action) ?? 0) + 1);

export const view = (state) => html`${header(state, "access")}
  ${busy(state)}${errorBox(state.problem, () => state.patient ? more(state) : go(location.pathname))}
  ${!state.patient ? nothing : html`<section aria-labelledby="visits"><h2 id="visits">${t("access")}</h2>
    <p class="hint">${t("access.hint")}</p>
    ${rail(visits(state.events))} ${moreButton(state, () => more(state))}</section>`}`;

const rail = (all) => byDay(all, (v) => v.until).map(({ day, entries }) => html`<h3>${day}</h3><ol class="rail">${entries.map(one)}</ol>`);

function one(v) {
  const [from, until] = [timeOf(v.from), timeOf(v.until)];
  const did = [...v.did].map(([action, n]) => `${t(`did.${action}`)}${n > 1 ? ` ×${n}` : ""}`);
  return html`<li>
    <p><time datetime=${v.from}>${from === until ? from : `${from}–${until}`}</time>
      <strong>${v.user?.username ?? t("command")}</strong>
      <span class="quiet">${[...v.addresses].join(", ")}</span></p>
    ${did.length ? html`<p>${did.join(", ")}</p>` : nothing}
    ${v.lists ? html`<p class="quiet">${t("access.lists", { n: v.lists })}</p>` : nothing}
    ${v.refused ? html`<p class="quiet">${t("access.refused", { n: v.refused })}</p>` : nothing}</li>`;
}
