// One key answers an image. Keys do nothing while a dialog is open or text is typed.

import { $, memory } from "./dom.js";

const REPEATING = new Set(["+", "=", "-", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);

/** Call the action of each key; `digit` gets the number and every action the event. */
export function listen(actions, digit) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (memory.get("keys") === "off" || $("dialog[open]") || $("#work").hidden) return;
    if (event.target.closest("input, textarea, select")) return;
    if (event.repeat && !REPEATING.has(event.key)) return;
    const pressed = event.target.closest("button:focus-visible");
    if (event.key === " " && pressed) return; // a person who tabbed to a button means the button
    if (/^[1-9]$/.test(event.key)) {
      event.preventDefault();
      digit(Number(event.key), event);
      return;
    }
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
