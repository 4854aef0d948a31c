// One key answers an image. Keys do nothing while a dialog is open or text is typed.

import { $, memory } from "./dom.js";

const REPEATING = new Set(["+", "=", "-", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);
const TYPED = "input, textarea, select, [contenteditable]:not([contenteditable=false])";

/** Call the action of each key of `actions()`; `digit` gets the number and every action the event.
 *
 * `digit` returns whether there is such an answer; if not, the key does what is printed on it.
 */
export function listen(actions, digit) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (memory.get("keys") === "off" || $("dialog[open]") || $("#work").hidden) return;
    if (isTyped(event)) return;
    const pressed = event.target.closest("button:focus-visible");
    // A person who tabbed to a button means the button; only Enter on a picture is for all of them.
    const own = event.key === " " || (event.key === "Enter" && !pressed?.matches(".card"));
    if (own && pressed) return;
    const place = digitOf(event);
    if (place !== null && !event.repeat && digit(place, event)) {
      event.preventDefault();
      return;
    }
    if (event.repeat && !REPEATING.has(event.key)) return;
    const now = actions();
    const action = now[place === 0 ? "0" : event.key] ?? now[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

/** Whether a key belongs to a text: in a field, or part of a character that is being composed. */
function isTyped(event) {
  const composing = event.isComposing || event.keyCode === 229; // Safari tells by the code only
  return composing || event.getModifierState("AltGraph") || Boolean(event.target.closest(TYPED));
}

/** Return the digit of a key, or null.
 *
 * The row above the letters counts by its place: on a French keyboard its first key types "&", and
 * "1" only with shift. A number pad without its lock types arrows and counts by what it types.
 */
function digitOf(event) {
  if (/^[0-9]$/.test(event.key)) return Number(event.key);
  const row = /^Digit([0-9])$/.exec(event.code);
  return row && !event.shiftKey ? Number(row[1]) : null;
}
