// Add, rename, merge and mark classes while people label, and end a batch early.

import { api } from "./api.js";
import { $, make, setText, uuid } from "./dom.js";
import { t } from "./text.js";
import { close, guard, prepare } from "./dialogs.js";

export function classesPage(session) {
  const dialog = $("#classes-dialog");

  function send(event) {
    return guard(dialog, async () => {
      const { classes } = await api.classes({ uuid: uuid(), by: session.person, ...event });
      session.state.classes = classes;
      session.dispatchEvent(new Event("change"));
      draw();
      setText($("#classes-status"), t("classes.stored"));
      return true;
    });
  }

  function row(shownClass) {
    const { name, shown, defect } = shownClass;
    const title = make(
      "span",
      { class: "called" },
      shown,
      defect ? make("span", { class: "defect" }, t("answer.defect")) : null,
    );
    const input = make("input", {
      value: shown,
      required: true,
      maxlength: 120,
      "aria-label": t("classes.rename.of", { name: shown }),
      autocomplete: "off",
    });
    const rename = (event) => {
      event.preventDefault();
      const to = input.value.trim();
      if (to && to !== shown) send({ action: "rename", name, to });
    };
    const label = t("classes.mark.of", { name: shown });
    const box = make("input", { type: "checkbox", checked: defect, "aria-label": label });
    box.addEventListener("change", async () => {
      if (!(await send({ action: "mark", name, defect: box.checked }))) box.checked = defect;
    });
    const mark = make("label", { class: "check" }, box, t("classes.mark"));
    const others = session.classes.filter((other) => other.name !== name);
    const select = make(
      "select",
      { "aria-label": t("classes.merge.of", { name: shown }) },
      make("option", { value: "" }, t("classes.merge.choose")),
      ...others.map((other) => make("option", { value: other.name }, other.shown)),
    );
    const merge = (event) => {
      event.preventDefault();
      const to = select.value;
      const sure =
        to && window.confirm(t("classes.merge.sure", { name: shown, to: session.shown(to) }));
      if (sure) send({ action: "merge", name, to });
    };
    return make(
      "div",
      {},
      title,
      make(
        "form",
        { onsubmit: rename },
        input,
        make("button", { type: "submit", class: "plain" }, t("classes.rename")),
      ),
      make(
        "form",
        { onsubmit: merge },
        select,
        make("button", { type: "submit", class: "plain" }, t("classes.merge")),
      ),
      mark,
    );
  }

  function draw() {
    $("#classes-rows").replaceChildren(...session.classes.map(row));
  }

  $("#classes-add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = $("#classes-name").value.trim();
    if (name && (await send({ action: "add", name, defect: $("#classes-defect").checked }))) {
      $("#classes-add").reset();
    }
  });
  prepare("classes", () => {
    setText($("#classes-status"), "");
    draw();
  });
}

export function trainNow(session, done) {
  const dialog = $("#train-dialog");
  $("#train-yes").addEventListener("click", () =>
    guard(dialog, async () => {
      await api.close({ uuid: uuid(), by: session.person });
      close("train");
      done();
      session.poll();
    }),
  );
}
