// The first page's question: which photographs belong together? It is asked where some look alike.

import { api } from "./api.js";
import { $, make, setText } from "./dom.js";
import { said, t } from "./text.js";

const AGAIN = 1000; // milliseconds between two questions whether the photographs are looked at

/** Ask which photographs look like views of one part, and offer the rules; never in the way. */
export async function offerGroups() {
  try {
    let views = await api.views();
    while (!views.ready && !$("#setup").hidden) {
      await new Promise((wake) => setTimeout(wake, AGAIN));
      views = await api.views();
    }
    draw(views);
  } catch {
    // The classes can be named without it.
  }
}

function draw(views) {
  if (views.fixed) setText($("#setup-groups-fixed"), t("groups.fixed", { why: said(views.fixed) }));
  if (!views.alike) return;
  const { alike, looked, images, pairs, rules } = views;
  const of = looked < images ? "groups.lead.some" : "groups.lead";
  setText($("#setup-groups-lead"), t(of, { alike, looked }));
  const picture = (address) =>
    make("img", { src: api.image(address, "thumb"), alt: t("groups.alt"), loading: "lazy" });
  $("#setup-pairs").replaceChildren(
    ...pairs.map((pair) => make("div", {}, ...pair.map(picture))),
  );
  $("#setup-rules").replaceChildren(
    choice("none", null, t("groups.none")),
    ...rules.map((rule) => choice(rule.group_by, rule.pattern, words(rule, alike))),
    choice("pattern", "", t("groups.own")),
    make("input", {
      id: "setup-pattern",
      maxlength: 200,
      autocomplete: "off",
      "aria-label": t("groups.own.pattern"),
      placeholder: "^(part\\d+)_",
      onfocus: () => ($("#setup-rules > label:last-of-type input").checked = true),
    }),
  );
  $("#setup-rules input").checked = true;
  $("#setup-groups").hidden = false;
}

function words(rule, alike) {
  const fit = t("groups.fit", { groups: rule.groups, together: rule.together, alike });
  return `${t(`groups.${rule.name}`)}: ${fit}`;
}

function choice(group_by, pattern, text) {
  const radio = make("input", { type: "radio", name: "groups", value: group_by });
  radio.dataset.pattern = pattern ?? "";
  return make("label", { class: "check" }, radio, make("span", {}, text));
}

/** Return the chosen rule as the server wants it; null where there is nothing to choose. */
export function chosenGroups() {
  const radio = $("input[name=groups]:checked");
  if (!radio) return { group_by: null, pattern: null };
  const pattern = radio.dataset.pattern || $("#setup-pattern").value.trim();
  return { group_by: radio.value, pattern: radio.value === "pattern" ? pattern : null };
}
