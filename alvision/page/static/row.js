// A row of a table: its text and its further columns, in place of an image or beside one.

import { api } from "./api.js";
import { $, make, setText } from "./dom.js";

/** Show an item's text and columns on the stage; nothing of a photograph, or of no item. */
export function showRow(item) {
  const row = item && (item.text || item.fields.length) ? item : null;
  $("#row").hidden = !row;
  $("#row").scrollTop = 0;
  $(".stage").classList.toggle("beside", Boolean(row?.pictured));
  $(".stage").classList.toggle("plain", Boolean(row) && !row.pictured);
  setText($("#row-text"), row?.text ?? "");
  $("#row-fields").replaceChildren(
    ...(row?.fields ?? []).map(([name, cell]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, cell)),
    ),
  );
}

/** Make what shows an item small: its picture, or the beginning of its text. */
export function thumbnail(session, address, alt, sha256) {
  if (!session.state.pictured)
    return filled("span", "snippet", address, (content) => content.snippet);
  const src = api.image(address, "thumb", sha256);
  return make("img", { src, alt, width: 116, height: 88, loading: "lazy" });
}

/** Make the whole text of a row that has no image. */
export function wholeText(address) {
  return filled("p", "text", address, (content) => content.text ?? content.snippet);
}

/** Make an element whose words are fetched; it stays empty as a picture that cannot be loaded. */
function filled(tag, name, address, words) {
  const element = make(tag, { class: name });
  api.row(address).then(
    (content) => setText(element, words(content)),
    () => {},
  );
  return element;
}
