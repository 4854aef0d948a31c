// Every word on the page comes from the catalogue `text/en.json`, which the page contains as data.

const catalogue = JSON.parse(document.getElementById("text").textContent);
const plurals = new Intl.PluralRules(catalogue.language);
const numbers = new Intl.NumberFormat(catalogue.language);

/** Return the text of a key with its {places} filled; `n` also chooses between .one and .other. */
export function t(key, values = {}) {
  const found = catalogue[key] ?? catalogue[`${key}.${plurals.select(values.n ?? 0)}`];
  if (found === undefined) throw new Error(`the catalogue has no text ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

export function percent(p) {
  return Math.round(100 * p);
}

/** Write a figure with the digits that the terminal and the report give it. */
export function figure(value) {
  return value.toFixed(3);
}

export function fixed(value) {
  return value.toFixed(2);
}

function written(value) {
  return typeof value === "number" ? numbers.format(value) : String(value);
}
