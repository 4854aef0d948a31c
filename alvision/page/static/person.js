// The person's name, the settings, and the first page that asks for classes.

import { Offline, Refused, api } from "./api.js";
import { chosenGroups, offerGroups } from "./groups.js";
import { $, $$, icon, make, memory, setText } from "./dom.js";
import { said, t } from "./text.js";
import { close, open, prepare } from "./dialogs.js";

/** Ask for a name if this browser has none; resolves when there is one. */
export function askName(session) {
  if (session.person) return Promise.resolve();
  const dialog = $("#name-dialog");
  $("[data-close]", dialog).hidden = true;
  dialog.addEventListener("leave", (event) => event.preventDefault());
  const people = session.state.people;
  $("#name-people").hidden = !people.length;
  $("#name-people .choices").replaceChildren(
    ...people.map((name) => make("button", { type: "button", onclick: () => take(name) }, name)),
  );
  let take;
  const named = new Promise((resolve) => {
    take = (name) => {
      if (!name.trim()) return;
      session.rename(name);
      close("name");
      resolve();
    };
  });
  $("#name-form").addEventListener("submit", (event) => {
    event.preventDefault();
    take($("#name").value);
  });
  open("name");
  return named;
}

/** Show the first page, which asks for the classes and which of them are defects. */
export function askClasses(session) {
  const form = $("#setup-form");
  const rows = $("#setup-rows");
  const add = (focus) => {
    const row = classRow();
    rows.append(row);
    number(rows);
    if (focus) $("input", row).focus();
  };
  if (!rows.children.length) for (let k = 0; k < 3; k++) add(false);
  const { samples } = session.state;
  const sample = (id) => make("img", { src: api.image(id, "medium"), alt: t("setup.sample") });
  $("#setup-samples").replaceChildren(...samples.map(sample));
  setText($("#setup-notices"), session.state.notices.map(said).join("\n"));
  $("#setup").hidden = false;
  $("#setup-name").value = session.person;
  $("#setup-add").onclick = () => add(true);
  $("input", rows).focus();
  offerGroups();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const found = [...rows.children].map((row) => {
        const [name, defect] = $$("input", row);
        return { name: name.value.trim(), defect: defect.checked };
      });
      const named = found.filter((row) => row.name);
      const names = named.map((row) => row.name);
      const twice = names.find((name, place) => names.indexOf(name) !== place);
      const person = $("#setup-name").value.trim();
      if (twice) setText($("#setup-error"), t("setup.twice", { name: twice }));
      else if (names.length < 2) setText($("#setup-error"), t("setup.two"));
      else if (!person) $("#setup-name").focus();
      else {
        const defects = named.filter((row) => row.defect).map((row) => row.name);
        try {
          const { group_by, pattern } = chosenGroups();
          await api.setup({ by: person, classes: names, defects, group_by, pattern });
        } catch (error) {
          if (!(error instanceof Offline) && !(error instanceof Refused)) throw error;
          const faster = error.status === 409; // somebody else has named the classes
          if (!faster) return setText($("#setup-error"), error.message);
        }
        session.rename(person);
        $("#setup").hidden = true;
        resolve();
      }
    };
  });
}

function classRow() {
  const remove = (event) => {
    const rows = event.currentTarget.closest("#setup-rows");
    if (rows.children.length > 2) event.currentTarget.parentElement.remove();
    number(rows);
  };
  return make(
    "div",
    {},
    make("input", { maxlength: 120, placeholder: t("setup.class.hint"), autocomplete: "off" }),
    make("label", { class: "check" }, make("input", { type: "checkbox" }), t("setup.defect")),
    make("button", { type: "button", onclick: remove }, icon("close")),
  );
}

function number(rows) {
  [...rows.children].forEach((row, place) => {
    $("input", row).setAttribute("aria-label", t("setup.class", { n: place + 1 }));
    $("button", row).setAttribute("aria-label", t("setup.remove", { n: place + 1 }));
  });
}

export function settings(session, changed) {
  prepare("settings", () => {
    $("#settings-name").value = session.person;
    $(`input[name=theme][value=${memory.get("theme") ?? "auto"}]`).checked = true;
    $("#settings-blind").checked = session.blind;
    $("#settings-blind").disabled = Boolean(session.state?.blind);
    $("#settings-blind-server").hidden = !session.state?.blind;
    $("#settings-keys").checked = memory.get("keys") !== "off";
  });
  $("#settings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("#settings-name").value.trim()) session.rename($("#settings-name").value);
    close("settings");
  });
  for (const choice of $$("input[name=theme]")) {
    choice.addEventListener("change", () => {
      memory.set("theme", choice.value);
      if (choice.value === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = choice.value;
    });
  }
  $("#settings-blind").addEventListener("change", (event) => {
    memory.set("blind", event.target.checked ? "on" : "off");
    changed();
  });
  $("#settings-keys").addEventListener("change", (event) => {
    memory.set("keys", event.target.checked ? "on" : "off");
  });
}
