// The line that is always there: what to do next, and in the progress dialog all there is to say.

import { $, make, setText } from "./dom.js";
import { t } from "./text.js";

let last = null;

export function drawAdvice(session) {
  const { advice } = session.state;
  const lines = advice.map(({ key, values }) => t(key, values));
  const line = $("#advice");
  // A screen reader reads what is new to say, and not every step of a countdown.
  line.setAttribute("aria-live", advice[0].key === last ? "off" : "polite");
  last = advice[0].key;
  setText(line, begin(lines[0]));
  line.title = lines.map(begin).join("\n");
  $("#advice-lines").replaceChildren(...lines.map((said) => make("li", {}, begin(said))));
}

/** Begin a sentence with a capital letter, in scripts that have one. */
function begin(line) {
  return line.charAt(0).toLocaleUpperCase() + line.slice(1);
}
