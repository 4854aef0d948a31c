// The header with the progress, and the footer that says what happened and whether it is saved.

import { drawCurve } from "./chart.js";
import { $, $$, make, setText } from "./dom.js";
import { figure, percent, said, t } from "./text.js";

export function drawHeader(session) {
  const state = session.state;
  setText($("#labels"), t("last.label", { name: state.labels }));
  setText($("#minutes"), t("last.label", { name: Math.floor(state.seconds / 60) }));
  setText($("#left"), left(state.hours_left));
  const batch = state.batch;
  setText($("#batch"), batch ? t("head.batch.of", batch) : "–");
  $("#batch-bar").max = Math.max(1, batch?.size ?? 1);
  $("#batch-bar").value = batch?.done ?? 0;
  drawScore(state);
  for (const count of $$("[data-count=conflicts]")) {
    count.hidden = !state.conflicts;
    setText(count, String(state.conflicts));
  }
  drawNotice(session);
}

/** Return the hours that labelling everything would take, in words. */
export function left(hours) {
  if (hours === null || hours === undefined) return "–";
  if (hours < 1) return t("head.left.minutes", { n: Math.max(1, Math.round(60 * hours)) });
  return t("head.left.hours", { n: hours < 10 ? Math.round(10 * hours) / 10 : Math.round(hours) });
}

function drawScore(state) {
  const metric = said(state.metric);
  drawCurve($("#spark"), state.curve, { axes: false, metric });
  // The advice says how many audit images are missing.
  setText($("#score"), score(state.too_few ? undefined : state.curve.at(-1), metric));
  const changed = state.changed_count
    ? t("head.changed", { n: state.changed_count })
    : t("head.changed.none");
  setText($("#changed"), changed);
}

function score(last, metric) {
  if (!last) return t("head.curve");
  return t("head.curve.value", { metric, value: figure(last.value), n: last.images });
}

/** Show one line of news; errors come first. */
function drawNotice(session) {
  const { trouble, news, predicted, phase, minutes_to_features, notices } = session.state;
  const lines = [];
  if (session.error) lines.push(session.error);
  if (trouble) lines.push(t("trouble.line", { error: said(trouble) }));
  if (news) lines.push(said(news));
  for (const { name, answers } of predicted) {
    lines.push(t("predicted.line", { n: answers, name: session.shown(name) }));
  }
  if (phase === "features" && minutes_to_features)
    lines.push(t("phase.features.minutes", { n: minutes_to_features }));
  else if (phase !== "asking") lines.push(t(`phase.${phase}`));
  lines.push(...notices.map(said));
  setText($("#notice"), lines[0] ?? "");
  $("#notice").title = lines.join("\n");
}

export function drawSaved(outbox) {
  const line = $("#saved");
  const { connected, waiting, refused } = outbox;
  line.classList.toggle("waiting", !connected || waiting > 0);
  line.classList.toggle("refused", refused.length > 0);
  if (refused.length) {
    const words = t("saved.refused", { n: refused.length, error: said(refused[0].error) });
    const forget = make(
      "button",
      { type: "button", class: "link", onclick: () => outbox.dismiss() },
      t("saved.dismiss"),
    );
    line.replaceChildren(words, " ", forget);
  } else if (!connected)
    setText(line, waiting ? t("saved.kept", { n: waiting }) : t("saved.offline"));
  else setText(line, waiting ? t("saved.sending", { n: waiting }) : t("saved.all"));
}

/** Show what was just done; a screen reader reads it out. */
export function showLast(text, { trouble = false } = {}) {
  const line = $("#last");
  line.classList.toggle("trouble", trouble);
  setText(line, text);
}

/** Describe the answer just given, with the model's prediction if it may be shown. */
export function answered(session, { kind, label, item, opinion }) {
  const answer =
    kind === "label" ? t("last.label", { name: session.shown(label) }) : t(`last.${kind}`);
  const best = item.blind && opinion === item ? null : opinion.probabilities?.[0];
  if (!best) return answer;
  return `${answer} · ${t("last.opinion", { name: session.shown(best[0]), n: percent(best[1]) })}`;
}

/** Describe what was just taken back; null is nothing. */
export function undone(session, answer) {
  if (!answer) return t("last.undo.none");
  const { uuids, kind, label } = answer;
  if (uuids.length > 1) return t("grid.undone", { n: uuids.length });
  return t("last.undo", { name: kind === "label" ? session.shown(label) : t(`last.${kind}`) });
}
