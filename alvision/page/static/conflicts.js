// Images on which people disagree: their answers, the model's, and the final decision.

import { api } from "./api.js";
import { $, make, setText, uuid } from "./dom.js";
import { wholeText } from "./row.js";
import { percent, t } from "./text.js";
import { guard, prepare } from "./dialogs.js";

export function conflictsPage(session) {
  const dialog = $("#conflicts-dialog");
  let conflicts = [];
  let place = 0;

  async function settle(label) {
    const conflict = conflicts[place];
    if (!conflict) return;
    await guard(dialog, async () => {
      const { id, sha256 } = conflict;
      await api.settle({ uuid: uuid(), by: session.person, id, sha256, label });
      conflicts = conflicts.filter((other) => other !== conflict);
      place = Math.min(place, Math.max(0, conflicts.length - 1));
      setText($("#conflicts-status"), t("conflicts.settled", { name: session.shown(label) }));
      draw();
      session.poll();
    });
  }

  function turn(step) {
    place = (place + step + conflicts.length) % conflicts.length;
    draw();
  }

  function draw() {
    const conflict = conflicts[place];
    $("#conflict").hidden = !conflict;
    setText($("#conflicts-lead"), t(conflict ? "conflicts.lead" : "conflicts.none"));
    if (!conflict) return;
    const { id, sha256, width, height, votes, probabilities } = conflict;
    const alt = t("conflicts.alt");
    const src = api.image(id, "full", sha256);
    const picture = () => make("img", { class: "picture", src, alt, width, height });
    $("#conflict-frame").replaceChildren(session.state.pictured ? picture() : wholeText(id));
    setText($("#conflict-place"), t("conflicts.place", { n: place + 1, total: conflicts.length }));
    const answer = (vote) => (vote.label ? session.shown(vote.label) : t(`last.${vote.kind}`));
    $("#conflict-votes").replaceChildren(
      ...votes.map((vote) =>
        make("li", {}, make("b", {}, answer(vote)), make("span", {}, vote.by)),
      ),
    );
    $("#conflict-model").replaceChildren(...bars(probabilities));
    $("#conflict-settle").replaceChildren(
      ...session.classes.map((shownClass, k) =>
        make(
          "button",
          {
            type: "button",
            onclick: () => settle(shownClass.name),
            "aria-keyshortcuts": k < 9 ? k + 1 : null,
          },
          k < 9 ? make("kbd", { "aria-hidden": "true" }, String(k + 1)) : null,
          shownClass.shown,
        ),
      ),
    );
  }

  function bars(probabilities) {
    if (!probabilities) return [make("p", { class: "hint" }, t("opinion.none"))];
    return probabilities.slice(0, 5).map(([name, p]) => {
      const bar = make(
        "div",
        {},
        make("span", {}, session.shown(name)),
        make("span", {}, t("answer.share", { n: percent(p) })),
      );
      bar.style.setProperty("--share", p);
      return bar;
    });
  }

  $("#conflict-next").addEventListener("click", () => turn(1));
  $("#conflict-previous").addEventListener("click", () => turn(-1));
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const shownClass = session.classes[Number(event.key) - 1];
    if (shownClass && /^[1-9]$/.test(event.key)) settle(shownClass.name);
    else if (event.key === "ArrowRight" && conflicts.length) turn(1);
    else if (event.key === "ArrowLeft" && conflicts.length) turn(-1);
  });
  prepare("conflicts", async () => {
    setText($("#conflicts-status"), "");
    conflicts = (await api.conflicts()).conflicts;
    place = 0;
    draw();
  });
}
