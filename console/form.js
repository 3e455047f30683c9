// Forms: fields with their errors, saving, and what searches while one types.
import { html, nothing } from "./vendor/lit-html.js";
import { errorBox, failure, page } from "./ui.js";
import { hasText, t } from "./text.js";

/** The state of a form. */
export const newForm = (values) => ({ values: { ...values }, errors: {}, problem: null, saving: false });

/**
 * One field of a form. type is that of the input, "area" or "select"; label and hint are texts, and note is what the
 * input comes to, in words.
 */
export function field(form, { name, label, type = "text", hint, note, options, required, optional, half, ...attributes }) {
  const errors = form.errors[name] ?? [];
  const about = [hint && `${name}-hint`, note && `${name}-note`, errors.length && `${name}-error`].filter(Boolean).join(" ");
  const set = (event) => { form.values[name] = event.target.value; page.redraw(); };
  const wrong = errors.length ? "true" : nothing;
  const common = { id: name, set, value: form.values[name] ?? "", about: about || nothing, wrong, form, required };
  return html`<div class="field ${half ? "half" : ""}">
    <label for=${name}>${label}${optional ? html` <span class="quiet">${t("optional")}</span>` : nothing}</label>
    ${hint ? html`<p class="hint" id="${name}-hint">${hint}</p>` : nothing}
    ${errors.length ? html`<p class="wrong" id="${name}-error">
      <span class="hidden">${t("error")}</span> ${errors.join(" ")}</p>` : nothing}
    ${type === "select" ? select(common, options) : type === "area" ? area(common, attributes) : input(common, type, attributes)}
    ${note ? html`<p class="note" id="${name}-note">${note}</p>` : nothing}
  </div>`;
}

const input = (c, type, { autocomplete = "off", inputmode, width }) => html`
  <input id=${c.id} name=${c.id} type=${type} class=${width ?? nothing} autocomplete=${autocomplete} inputmode=${inputmode ?? nothing}
    .value=${c.value} ?disabled=${c.form.saving} ?required=${c.required}
    aria-invalid=${c.wrong} aria-describedby=${c.about} @input=${c.set}>`;

const area = (c, { rows = 3 }) => html`
  <textarea id=${c.id} name=${c.id} rows=${rows} .value=${c.value} ?disabled=${c.form.saving} dir="auto"
    aria-invalid=${c.wrong} aria-describedby=${c.about} @input=${c.set}></textarea>`;

const select = (c, options) => html`
  <select id=${c.id} name=${c.id} ?disabled=${c.form.saving} aria-invalid=${c.wrong} aria-describedby=${c.about} @change=${c.set}>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === c.value}>${text}</option>`)}
  </select>`;

/** The username for the browser's keeper of passwords, in a form that asks for a password alone. */
export const ownName = (username) => html`<input class="hidden" name="username" autocomplete="username" .value=${username}
  readonly tabindex="-1" aria-label=${t("username")}>`;

/** All that is wrong with a form, before its first field, with links to the fields. It takes the focus. */
export function errorSummary(form, labels) {
  const wrong = Object.entries(form.errors);
  if (!wrong.length) return errorBox(form.problem);
  const to = (name) => (event) => { event.preventDefault(); document.getElementById(name)?.focus(); };
  return html`<div class="error" role="alert" tabindex="-1">
    <h2>${t("problem")}</h2>
    <ul>${wrong.map(([name, texts]) => html`<li>
      <a href="#${name}" @click=${to(name)}>${labels[name] ?? name}: ${texts.join(" ")}</a></li>`)}</ul>
  </div>`;
}

const same = { blank: "required", null: "required" };

/** The errors of fields in the language of the page: by the API's codes, or else its own sentences. */
export function fieldErrors(problem) {
  const errors = {};
  for (const [name, sentences] of Object.entries(problem.errors ?? {})) {
    errors[name] = sentences.map((sentence, i) => {
      const code = problem.error_codes?.[name]?.[i];
      const key = [`wrong.${name}.${code}`, `wrong.${same[code] ?? code}`].find(hasText);
      const [, entry, rest] = /^(?:Entry (\d+): )?(.*)/s.exec(sentence); // of a list
      const text = key ? t(key, { n: /\d+/.exec(rest)?.[0] }) : rest;
      return entry ? t("wrong.entry", { n: entry, text }) : text;
    });
  }
  return errors;
}

/** Saves a form and shows what is wrong with it. Tells whether it was saved. */
export async function submit(form, work) {
  if (form.saving) return false;
  Object.assign(form, { saving: true, errors: {}, problem: null });
  page.redraw();
  try {
    await work();
    return true;
  } catch (error) {
    if (failure(error)) showWrong(form, error, fieldErrors(error));
    return false;
  } finally {
    form.saving = false;
    page.redraw();
  }
}

/** Shows what is wrong with a form, and puts the focus there. */
export function showWrong(form, problem, errors) {
  Object.assign(form, { problem, errors });
  page.redraw();
  focusSoon("form .error");
}

/** Puts the focus on what the next drawing shows, in the dialog if there is one. */
export const focusSoon = (selector) => setTimeout(() => {
  (document.querySelector("dialog") ?? document).querySelector(selector)?.focus();
});

export const saveOnCtrlEnter = (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.currentTarget.requestSubmit();
};

// --- searching while one types ---

const WAIT = 200; // ms without a key

// Two letters, or one of a script in which one may be a whole name.
const longEnough = (word) => [...word.trim()].length >= 2
  || /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(word);

/** A key was typed: what was asked before does not matter any more, and soon find(signal) is called, or clear(). */
function typed(state, event, find, clear) {
  state.word = event.target.value;
  clearTimeout(state.wait);
  state.abort?.abort();
  if (event.isComposing) return;
  if (!longEnough(state.word)) {
    clear();
    page.redraw();
    return;
  }
  state.wait = setTimeout(() => {
    state.abort = new AbortController();
    find(state.abort.signal);
  }, WAIT);
}

/** The box in which one searches a list. */
export function searchBox(state, { label, hint, find, clear, keydown }) {
  const type = (event) => typed(state, event, find, clear);
  return html`<form class="search" role="search" @submit=${(event) => event.preventDefault()}>
    <label for="search">${label}</label>
    ${hint ? html`<p class="hint" id="search-hint">${hint}</p>` : nothing}
    <input id="search" type="search" autocomplete="off" spellcheck="false" aria-describedby=${hint ? "search-hint" : nothing}
      .value=${state.word} @input=${type} @compositionend=${type} @keydown=${keydown}>
  </form>`;
}

/** One of many, found by typing: an ARIA combobox. rows come from find(word, signal); choose(row) is called with one. */
export function combobox(state, { id, label, hint, find, text, choose }) {
  const clear = () => Object.assign(state, { rows: null, at: -1, problem: null });
  const search = async (signal) => {
    const { word } = state;
    try {
      Object.assign(state, { rows: await find(word.trim(), signal), of: word, at: -1, problem: null });
      page.say(t("found", { n: state.rows.length }));
    } catch (error) {
      if (failure(error)) Object.assign(clear(), { problem: error });
    }
    page.redraw();
  };
  const type = (event) => { state.at = -1; typed(state, event, search, clear); page.redraw(); };
  const take = (row) => { clear(); state.word = ""; choose(row); page.redraw(); };
  const rows = state.rows ?? [];
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows.length && state.of === state.word) state.at = (Math.max(state.at, step > 0 ? -1 : 0) + step + rows.length) % rows.length;
    else if (event.key === "Enter" && rows[state.at]) take(rows[state.at]);
    else if (event.key === "Escape" && state.rows) clear();
    else if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    page.redraw();
  };
  return html`<div class="combobox">
    <label for=${id}>${label}</label>
    ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
    <input id=${id} role="combobox" autocomplete="off" spellcheck="false" aria-autocomplete="list" aria-controls="${id}-list"
      aria-expanded=${Boolean(state.rows)} aria-activedescendant=${rows[state.at] ? `${id}-${state.at}` : nothing}
      aria-describedby=${hint ? `${id}-hint` : nothing}
      .value=${state.word ?? ""} @input=${type} @compositionend=${type} @keydown=${press}>
    <ul id="${id}-list" role="listbox" aria-label=${label} ?hidden=${!rows.length}>
      ${rows.map((row, i) => html`<li id="${id}-${i}" role="option" aria-selected=${i === state.at}
        @click=${() => take(row)}>${text(row)}</li>`)}
    </ul>
    ${state.rows && !rows.length ? html`<p class="note">${t("nothing_found", { word: state.word.trim() })}</p>` : nothing}
    ${errorBox(state.problem)}
  </div>`;
}
