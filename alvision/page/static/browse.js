// The answers that were given: filter and search them, look at one, and correct it. A correction is
// one more answer of this person; what was said before stays in the log.

import { api } from "./api.js";
import { boxLayer } from "./box.js";
import { $, make, setText, uuid } from "./dom.js";
import { thumbnail, wholeText } from "./row.js";
import { moment, t } from "./text.js";
import { guard, prepare } from "./dialogs.js";

const PAUSE = 250; // milliseconds without a letter, after which a search begins

export function browsePage(session) {
  const dialog = $("#browse-dialog");
  const form = $("#browse-form");
  let images = [];
  let chosen = null; // the image whose answers are shown
  let last = null; // the uuid of the last correction
  let timer = 0;

  const named = (label, kind) => (label ? session.shown(label) : t(`last.${kind}`));

  async function load(offset = 0) {
    const wanted = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
    const answered = await api.answered(session.person, { ...wanted, offset });
    images = offset ? [...images, ...answered.images] : answered.images;
    chosen = images.find((one) => one.id === chosen?.id) ?? null;
    setText($("#browse-count"), t("browse.count", { n: answered.total }));
    $("#browse-more").hidden = images.length >= answered.total;
    options($("#browse-person"), answered.people, (name) => name);
    draw();
  }

  const again = () => guard(dialog, () => load());

  function options(select, values, words) {
    const [all] = select.options;
    const value = select.value;
    select.replaceChildren(all, ...values.map((one) => make("option", { value: one }, words(one))));
    select.value = values.includes(value) ? value : "";
  }

  function draw() {
    $("#browse-pictures").replaceChildren(...images.map(row));
    drawChosen();
  }

  function row(answeredImage) {
    const { id, sha256, label, disputed, expected, answers } = answeredImage;
    const name = named(label, answers.at(-1).kind);
    const doubt = expected && label && expected !== label;
    const mark = disputed ? t("browse.disputed") : doubt ? t("browse.doubt") : "";
    const choose = () => {
      chosen = answeredImage;
      draw();
      $("#browse-chosen h3").focus();
    };
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", "aria-pressed": String(id === chosen?.id), onclick: choose },
        thumbnail(session, id, "", sha256),
        make("b", {}, name),
        make("small", {}, mark),
      ),
    );
  }

  function drawChosen() {
    $("#browse-chosen").hidden = !chosen;
    if (!chosen) return;
    const { id, sha256, label, expected, answers, notes } = chosen;
    const { photo_width, photo_height, boxes } = chosen;
    const alt = t("browse.alt", { name: named(label, answers.at(-1).kind) });
    const src = api.image(id, "full", sha256);
    const picture = () => make("img", { class: "picture", src, alt });
    const shown = session.state.pictured
      ? [picture(), boxLayer(photo_width, photo_height, boxes)]
      : [wholeText(id)];
    $("#browse-frame").replaceChildren(...shown);
    const said = answers.map((given) =>
      make(
        "li",
        {},
        make("b", {}, named(given.label, given.kind)),
        make("span", {}, given.time ? `${given.by}, ${moment(given.time)}` : given.by),
      ),
    );
    $("#browse-answers").replaceChildren(...said);
    const model = expected ? t("browse.expected", { name: session.shown(expected) }) : "";
    const drawn = boxes.length ? t("browse.boxes", { n: boxes.length }) : "";
    setText($("#browse-expected"), [model, drawn, ...notes].filter(Boolean).join("\n"));
    const mine = answers.find((given) => given.by === session.person);
    const choices = session.classes.map(({ name, shown }) =>
      make(
        "button",
        {
          type: "button",
          "aria-pressed": String(mine?.label === name),
          onclick: () => correct("label", name),
        },
        shown,
      ),
    );
    const others = ["unsure", "skip"].map((kind) =>
      make("button", { type: "button", onclick: () => correct(kind, null) }, t(`answer.${kind}`)),
    );
    $("#browse-correct").replaceChildren(...choices, ...others);
  }

  /** Answer the chosen image anew. */
  async function correct(kind, label) {
    const { id, sha256 } = chosen;
    const event = {
      uuid: uuid(),
      id,
      sha256,
      kind,
      label,
      book_version: session.state.book_version,
    };
    if (!(await send(event))) return;
    last = event.uuid;
    $("#browse-undo").hidden = false;
    setText($("#browse-status"), t("browse.corrected", { name: named(label, kind) }));
  }

  async function takeBack() {
    const event = { uuid: uuid(), kind: "undo", target: last };
    if (!(await send(event))) return;
    $("#browse-undo").hidden = true;
    setText($("#browse-status"), t("browse.undone"));
  }

  const send = (event) =>
    guard(dialog, async () => {
      const reply = await session.outbox.submit(session.person, [event]);
      if (reply) session.count(reply.counts);
      await load();
      return true;
    });

  form.addEventListener("change", again);
  form.addEventListener("submit", (event) => event.preventDefault());
  $("#browse-search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(again, PAUSE);
  });
  $("#browse-more").addEventListener("click", () => guard(dialog, () => load(images.length)));
  $("#browse-undo").addEventListener("click", takeBack);
  prepare("browse", async () => {
    setText($("#browse-status"), "");
    $("#browse-undo").hidden = true;
    const names = session.classes.map(({ name }) => name);
    options($("#browse-label"), names, (name) => session.shown(name));
    await load();
  });
}
