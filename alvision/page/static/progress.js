// The progress dialog: the curve at full size, changed predictions with their images, figures.

import { drawCurve } from "./chart.js";
import { $, make, setText } from "./dom.js";
import { left } from "./header.js";
import { thumbnail } from "./row.js";
import { said, t } from "./text.js";
import { prepare } from "./dialogs.js";

export function progress(session) {
  prepare("progress", async () => {
    draw(session);
    await session.poll();
    draw(session);
  });
}

function draw(session) {
  const state = session.state;
  drawCurve($("#chart"), state.curve, { axes: true, metric: said(state.metric) });
  const known = state.curve.length > 0;
  $("#chart").classList.toggle("none", !known);
  const words = t(known ? "progress.curve.hint" : "progress.curve.none");
  setText($("#chart-words"), state.too_few ? `${said(state.too_few)}. ${words}` : words);
  drawChanged(session);
  const facts = {
    answered: t("progress.of", { n: state.answered, total: state.images }),
    labels: t("last.label", { name: state.labels }),
    held_out: t("last.label", { name: state.held_out }),
    mine: t("last.label", { name: state.mine }),
    minutes: t("last.label", { name: Math.floor(state.seconds / 60) }),
    left: state.hours_left === null ? t("progress.unknown") : left(state.hours_left),
  };
  for (const [name, words] of Object.entries(facts)) setText($(`#fact-${name}`), words);
  const lines = state.predicted.map(({ name, answers }) =>
    make("li", {}, t("predicted.line", { n: answers, name: session.shown(name) })),
  );
  $("#predicted-lines").replaceChildren(...lines);
}

function drawChanged(session) {
  const { changed, changed_count: count } = session.state;
  const rows = changed.map(({ item, before, after }) => {
    const was = t("progress.changed.from", { before: session.shown(before) });
    const now = t("progress.changed.to", { after: session.shown(after) });
    const picture = thumbnail(session, item, `${was}, ${now}`);
    return make("li", {}, picture, make("span", {}, was), make("b", {}, now));
  });
  $("#changed-pictures").replaceChildren(...rows);
  setText($("#changed-words"), others(count, changed.length));
}

/** Describe the changes without a picture: only answered images are shown. */
function others(count, shown) {
  if (!count) return t("progress.changed.none");
  if (!shown) return t("progress.changed.blind", { n: count });
  return count > shown ? t("progress.changed.more", { n: count - shown }) : "";
}
