// What people read: texts, dates and ages in their language, and what this browser remembers of their wishes.
import en from "./texts/en.js";

const NAME = "healthcare-console";
const OLD = 110; // years; a person so old is more likely a slip of the keyboard
const texts = { en }; // and those that were needed so far
export const languages = { en: "English", de: "Deutsch", fr: "Français" };

/** Theme ("" is the system's), language ("" is the browser's) and shortcuts: all that is ever kept in localStorage. */
export const settings = { theme: "", language: "", shortcuts: true, ...kept() };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(NAME));
  } catch { // storage is switched off
    return null;
  }
}

export async function keepSettings(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch { /* storage is switched off: they last as long as the page */ }
  await applySettings();
}

export async function applySettings() {
  const wished = language();
  document.documentElement.dataset.theme = settings.theme;
  texts[wished] ??= (await import(`./texts/${wished}.js`)).default;
  document.documentElement.lang = wished;
}

export function language() {
  if (languages[settings.language]) return settings.language;
  return navigator.languages.map((l) => l.slice(0, 2)).find((l) => languages[l]) ?? "en";
}

// In English, days are written as the clinic's own language for dates has them: 14 Mar 1958.
const locale = () => ({ en: "en-GB" })[language()] ?? language();

/** A text by its key, with {values} put in. One that depends on a number n has a form for each plural. */
export function t(key, values = {}) {
  let text = (texts[language()] ?? en)[key] ?? key;
  if (typeof text === "object") text = text[new Intl.PluralRules(locale()).select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const hasText = (key) => key in texts.en;

// --- days and times ---

const format = (options) => new Intl.DateTimeFormat(locale(), options);
const asDate = (day) => new Date(`${day}T12:00:00`); // noon: the same day in every summer time

export const shortDayOf = (time) => format({ day: "numeric", month: "short", year: "numeric" }).format(new Date(time));
export const shortDay = (day) => shortDayOf(asDate(day));
export const longDay = (day) => format({ dateStyle: "long" }).format(asDate(day));
export const dayOf = (time) => format({ dateStyle: "full" }).format(new Date(time));
export const timeOf = (time) => format({ timeStyle: "short" }).format(new Date(time));
export const dayAndTime = (time) => format({ dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
export const number = (n) => new Intl.NumberFormat(locale()).format(n);

/** Whole years from a day of birth until today. */
export function age(day) {
  const [year, month, date] = day.split("-").map(Number);
  const now = new Date();
  const before = now.getMonth() + 1 < month || (now.getMonth() + 1 === month && now.getDate() < date);
  return now.getFullYear() - year - (before ? 1 : 0);
}

/** "14 Mar 1958 (68)", or nothing. */
export const born = (day) => day ? `${shortDay(day)} (${age(day)})` : "";

/** A day of birth as it was typed, in words, with the age; or nothing. */
export function bornInWords(text = "") {
  const day = readDay(text);
  if (!day) return "";
  const years = age(day);
  return `${longDay(day)} – ${years < 0 ? t("born.future") : t("age", { n: years })}${years > OLD ? ` – ${t("born.old")}` : ""}`;
}

/** A day as people type it, as YYYY-MM-DD: 14.3.1958, 14 Mar 1958, March 14 1958, 1958-03-14, 14031958. Else null. */
export function readDay(text) {
  const words = text.toLowerCase().match(/\d+|\p{L}+/gu) ?? [];
  if (words.length === 1 && /^\d{8}$/.test(words[0])) {
    const all = words[0];
    words.splice(0, 1, ...(/^(19|20)/.test(all) && Number(all.slice(4, 6)) <= 12
      ? [all.slice(0, 4), all.slice(4, 6), all.slice(6)] : [all.slice(0, 2), all.slice(2, 4), all.slice(4)]));
  }
  if (words.length !== 3) return null;
  const named = words.findIndex((w) => /\p{L}/u.test(w));
  let day, month, year;
  if (named >= 0) {
    month = monthOf(words.splice(named, 1)[0]);
    [day, year] = words[0].length === 4 ? [words[1], words[0]] : words;
  } else {
    [day, month, year] = words[0].length === 4 ? words.toReversed() : words;
    if (month > 12 && day <= 12) [day, month] = [month, day]; // 3/14/1958
  }
  return realDay(year, month, day);
}

function realDay(year, month, day) {
  if (!/^\d{4}$/.test(year) || !/^\d{1,2}$/.test(day) || !(month >= 1 && month <= 12)) return null;
  const text = `${year}-${String(Number(month)).padStart(2, "0")}-${String(Number(day)).padStart(2, "0")}`;
  const date = new Date(`${text}T00:00:00Z`); // 31 February would be in March
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) ? text : null;
}

const plain = (word) => word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// The number of a month whose name, in any of the languages, begins so; null if that is none or not clear.
function monthOf(word) {
  const found = new Set();
  for (const l of Object.keys(languages)) {
    for (let m = 0; m < 12 && word.length >= 3; m++) {
      const name = new Intl.DateTimeFormat(l, { month: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2000, m, 1)));
      if (plain(name).startsWith(plain(word))) found.add(m + 1);
    }
  }
  return found.size === 1 ? [...found][0] : null;
}
