// Dialogs: opened by any element with data-open, closed by their cross, Escape or a click outside.

import { Offline, Refused } from "./api.js";
import { $, $$, setText } from "./dom.js";

const openers = new Map();

/** Register what prepares a dialog before it shows; it may be asynchronous. */
export function prepare(name, open) {
  openers.set(name, open);
}

export function open(name) {
  $("#menu-dialog").close();
  const dialog = $(`#${name}-dialog`);
  showError(dialog, "");
  guard(dialog, () => openers.get(name)?.());
  if (!dialog.open) dialog.showModal();
}

export function close(name) {
  $(`#${name}-dialog`).close();
}

/** Run something that talks to the server; show in the dialog what the server refuses. */
export async function guard(dialog, action) {
  showError(dialog, "");
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Offline) && !(error instanceof Refused)) throw error;
    showError(dialog, error.message);
    return null;
  }
}

export function showError(dialog, text) {
  const place = $(".error", dialog);
  if (place) setText(place, text);
}

export function begin() {
  for (const button of $$("[data-open]"))
    button.addEventListener("click", () => open(button.dataset.open));
  // In the menu of a phone: a button of the page that has no room there.
  for (const button of $$("[data-press]"))
    button.addEventListener("click", () => {
      close("menu");
      $(`#${button.dataset.press}`).click();
    });
  for (const dialog of $$("dialog")) {
    const mayClose = () => dialog.dispatchEvent(new Event("leave", { cancelable: true }));
    $("[data-close]", dialog).addEventListener("click", () => mayClose() && dialog.close());
    dialog.addEventListener("cancel", (event) => mayClose() || event.preventDefault());
    let outside = false; // a drag that begins in a text field must not close the dialog
    dialog.addEventListener("pointerdown", (event) => (outside = event.target === dialog));
    dialog.addEventListener("click", (event) => {
      if (outside && event.target === dialog && mayClose()) dialog.close();
    });
  }
}
