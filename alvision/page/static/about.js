// What is known of the photograph on the screen, for whoever asks: its own name, when it was taken,
// and the other views of its part. A folder's name is never told: it may be that of a class.

import { api } from "./api.js";
import { $, make, setText } from "./dom.js";
import { t } from "./text.js";
import { prepare } from "./dialogs.js";

export function aboutPage(current) {
  prepare("about", async () => {
    setText($("#about-name"), "");
    setText($("#about-taken"), "");
    $("#about-views").replaceChildren();
    const item = current();
    if (!item) return;
    const { name, taken, views } = await api.about(item.id);
    setText($("#about-name"), name);
    setText($("#about-taken"), taken ?? t("about.taken.none"));
    const pictures = views.map((id) =>
      make("li", {}, make("img", { src: api.image(id, "medium"), alt: t("about.view") })),
    );
    $("#about-views").replaceChildren(...pictures);
    setText($("#about-none"), views.length ? "" : t("about.views.none"));
  });
}
