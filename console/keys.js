// Shortcuts. Single letters work outside of fields only, and can be switched off (WCAG 2.1.4).
import { html } from "./vendor/lit-html.js";
import { dialog } from "./ui.js";
import { settings, t } from "./text.js";

const GO_LIMIT = 1500; // ms between the two letters of "g p"

let gone = 0; // when g was pressed

/** What a key means: "search", "new", "edit", "help", "go p", … or nothing. */
function meaning(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !settings.shortcuts) return "";
  if (event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return "";
  if (Date.now() - gone < GO_LIMIT) {
    gone = 0;
    return `go ${event.key}`;
  }
  if (event.key === "g") gone = Date.now();
  return { "/": "search", n: "new", e: "edit", "?": "help" }[event.key] ?? "";
}

/** Calls the action of each shortcut. */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    const act = actions[meaning(event)];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

export function helpDialog(close) {
  const keys = [
    ["/", t("keys.search")], ["↓ ↑ Enter", t("keys.results")], ["n", t("keys.new")], ["e", t("keys.edit")],
    ["g p", t("patients")], ["g d", t("doctors")], ["g a", t("account")], ["g u", t("users")],
    ["Ctrl Enter", t("keys.save")], ["Esc", t("keys.close")], ["?", t("keys.help")],
  ];
  return dialog({
    title: t("keys"), close,
    body: html`<dl class="keys">${keys.map(([key, does]) => html`<div>
        <dt>${key.split(" ").map((k) => html`<kbd>${k}</kbd> `)}</dt><dd>${does}</dd></div>`)}</dl>`,
    actions: html`<button class="primary" @click=${close}>${t("close")}</button>`,
  });
}
