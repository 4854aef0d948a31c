// Every word on the page comes from a catalogue, `text/<language>.json`, which the page contains as
// data. Numbers are written as the language writes them.

const data = (id) => JSON.parse(document.getElementById(id).textContent);
const catalogue = data("text");
const language = catalogue.language;
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);
const sentences = patterns(data("said"));

/** Return the text of a key with its {places} filled; `n` also chooses between .one and .other. */
export function t(key, values = {}) {
  const form = plurals.select(Number(values.n ?? 0));
  const found = catalogue[key] ?? catalogue[`${key}.${form}`] ?? catalogue[`${key}.other`];
  if (found === undefined) throw new Error(`the catalogue has no text ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

/** Return what the server says in the page's language; a sentence that is not known stays English.
 *
 * The server's sentences are English, because they are kept in files. The English text of a key,
 * with anything in its {places}, tells which one it is.
 */
export function said(sentence) {
  if (!sentence || !sentences.length) return sentence;
  return sentence.split("; ").map(translated).join("; ");
}

/** Write a moment in UTC as this browser's clock shows it. */
export function moment(time) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language, options).format(new Date(time));
}

export function percent(p) {
  return Math.round(100 * p);
}

/** Write a figure with the digits that the terminal and the report give it. */
export function figure(value) {
  return decimals(value, 3);
}

export function fixed(value) {
  return decimals(value, 2);
}

function decimals(value, digits) {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, options).format(value);
}

function written(value) {
  return typeof value === "number" ? numbers.format(value) : String(value);
}

function translated(sentence) {
  for (const { key, pattern } of sentences) {
    const found = pattern.exec(sentence);
    if (!found) continue;
    const places = Object.entries(found.groups ?? {});
    const values = Object.fromEntries(places.map(([name, text]) => [name, localised(text)]));
    if ("n" in values) values.n = Number(found.groups.n.replaceAll(",", ""));
    return t(key, values);
  }
  return sentence;
}

/** Write a number as the language does, with as many digits; other text stays. */
function localised(text) {
  if (!/^\d+(\.\d+)?$/.test(text)) return text;
  return decimals(Number(text), text.split(".")[1]?.length ?? 0);
}

/** Return a pattern for each English sentence, the one with the most words of its own first. */
function patterns(english) {
  const own = (text) => text.replace(/\{\w+\}/g, "").length;
  const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return Object.entries(english)
    .sort(([, a], [, b]) => own(b) - own(a))
    .map(([key, text]) => ({
      key: key.replace(/\.(one|other)$/, ""),
      pattern: new RegExp(`^${escaped(text).replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "u"),
    }));
}
