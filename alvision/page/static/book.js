// The label book: a rule and pictures for each class; every save is a new version.

import { api } from "./api.js";
import { $, $$, icon, make, setText, uuid } from "./dom.js";
import { thumbnail } from "./row.js";
import { t } from "./text.js";
import { guard, prepare } from "./dialogs.js";

const LISTS = ["example", "counter", "borderline"];

export function labelBook(session, current) {
  const dialog = $("#book-dialog");
  const form = $("#book-form");
  let book = null;
  let entry = null; // a copy of the entry that is being edited
  let changed = false;

  const touch = (yes) => {
    changed = yes;
    $("button[type=submit]", form).disabled = !yes;
    setText($("#book-status"), yes ? t("book.unsaved") : "");
  };
  const mayLeave = () => !changed || window.confirm(t("book.discard"));

  function turn(name) {
    const found = book.classes.find((bookEntry) => bookEntry.name === name);
    entry = structuredClone(found ?? { name, rule: "", example: [], counter: [], borderline: [] });
    setText($("#book-rule-name"), t("book.rule", { name: session.shown(name) }));
    $("#book-rule").value = entry.rule;
    LISTS.forEach(drawList);
    touch(false);
    drawChapters();
  }

  function drawChapters() {
    const choose = (name) => () => name !== entry.name && mayLeave() && turn(name);
    const chapters = session.classes.map(({ name, shown }) =>
      make(
        "button",
        { type: "button", "aria-pressed": String(name === entry.name), onclick: choose(name) },
        shown,
      ),
    );
    const held = $("#book-classes").contains(document.activeElement);
    $("#book-classes").replaceChildren(...chapters);
    if (held) $("[aria-pressed=true]", dialog)?.focus();
    setText($("#book-version"), t("book.version", { n: book.version }));
  }

  function drawList(list) {
    const rows = entry[list].map((id) => {
      const drop = () => {
        entry[list] = entry[list].filter((other) => other !== id);
        drawList(list);
        touch(true);
      };
      return make(
        "li",
        {},
        thumbnail(session, id, t(`book.${list}`)),
        make(
          "button",
          { type: "button", class: "drop", "aria-label": t("book.remove"), onclick: drop },
          icon("close"),
        ),
      );
    });
    const place = $(`[data-list=${list}]`, dialog);
    place.replaceChildren(
      ...(rows.length ? rows : [make("li", { class: "empty" }, t("book.none"))]),
    );
  }

  for (const button of $$("[data-add]", dialog)) {
    button.addEventListener("click", () => {
      const [list, item] = [button.dataset.add, current()];
      if (!item || entry[list].includes(item.id)) return;
      entry[list].push(item.id);
      drawList(list);
      touch(true);
    });
  }
  $("#book-rule").addEventListener("input", () => {
    entry.rule = $("#book-rule").value;
    touch(true);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guard(dialog, async () => {
      const { version } = await api.saveBook({
        ...entry,
        uuid: uuid(),
        by: session.person,
        base: book.version,
      });
      book = await api.book();
      session.state.book_version = version;
      turn(entry.name);
      setText($("#book-status"), t("book.saved", { n: version }));
    });
  });
  dialog.addEventListener("leave", (event) => {
    if (!mayLeave()) event.preventDefault();
    else changed = false;
  });
  prepare("book", async () => {
    $$("[data-add]", dialog).forEach((button) => (button.disabled = !current()));
    form.inert = true;
    book = await api.book();
    form.inert = false;
    const name = session.classes.some((shownClass) => shownClass.name === entry?.name)
      ? entry.name
      : session.classes[0].name;
    turn(name);
  });
}
