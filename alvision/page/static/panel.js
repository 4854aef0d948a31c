// The panel beside the image: why it was chosen, the answers, the model's opinion, nearest images.

import { $, make, setText } from "./dom.js";
import { percent, said, t } from "./text.js";

export class Panel extends EventTarget {
  #session;
  #list = $("#answers");
  #find = $("#find");
  #choices = []; // {shownClass, button}
  #drawn = "";
  #item = null;
  #matches = []; // places of the classes that fit the letters, best first
  #mark = -1; // which of them Enter takes

  constructor(session) {
    super();
    this.#session = session;
    this.#find.addEventListener("input", () => this.#search());
    this.#find.addEventListener("keydown", (event) => this.#searchKey(event));
    this.#find.addEventListener("blur", () => this.closeSearch());
  }

  /** Redraw the answers if the classes changed; the model's order would bias people. */
  update() {
    const drawn = JSON.stringify(this.#session.classes);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#choices = this.#session.classes.map((shownClass, place) => ({
      shownClass,
      button: this.#choice(shownClass, place),
    }));
    this.#list.replaceChildren(...this.#choices.map(({ button }) => button));
    this.show(this.#item);
  }

  show(item) {
    this.#item = item;
    this.closeSearch();
    const hidden = item && (item.blind || this.#session.blind);
    const reason = item?.blind || !hidden ? item?.reason : null;
    setText($("#why"), item ? said(reason) || t(hidden ? "why.blind" : "why.none") : "");
    this.#opinion(hidden ? null : item?.probabilities);
    this.#near(item, hidden);
  }

  /** Highlight for a moment which answer was given. */
  flash(label) {
    const found = this.#choices.find(({ shownClass }) => shownClass.name === label)?.button;
    if (!found) return;
    found.classList.remove("given");
    void found.offsetWidth; // restarts the animation
    found.classList.add("given");
  }

  /** Return the class of a digit key, from 1; null if there is none. */
  at(place) {
    return this.#choices[place - 1]?.shownClass.name ?? null;
  }

  openSearch() {
    this.#find.focus();
  }

  closeSearch() {
    if (this.#find.value || this.#mark >= 0) {
      this.#find.value = "";
      this.#search();
    }
    if (document.activeElement === this.#find) this.#find.blur();
  }

  #choice(shownClass, place) {
    const answer = (event) => {
      if (event.detail) event.currentTarget.blur(); // a click leaves no focus for the space key
      this.#answer(shownClass.name);
    };
    return make(
      "button",
      {
        type: "button",
        class: "choice",
        "aria-keyshortcuts": place < 9 ? place + 1 : null,
        onclick: answer,
      },
      place < 9 ? make("kbd", { "aria-hidden": "true" }, String(place + 1)) : make("span"),
      make("span", { class: "called", title: shownClass.shown }, shownClass.shown),
      make(
        "span",
        { class: shownClass.defect ? "defect" : "sound" },
        shownClass.defect ? t("answer.defect") : "",
      ),
      make("span", { class: "share" }),
    );
  }

  #answer(name) {
    this.dispatchEvent(new CustomEvent("answer", { detail: name }));
  }

  #opinion(probabilities) {
    const shares = new Map(probabilities ?? []);
    for (const { shownClass, button } of this.#choices) {
      const p = probabilities ? (shares.get(shownClass.name) ?? 0) : null;
      button.style.setProperty("--share", p ?? 0);
      const share = $(".share", button);
      if (p === null) share.replaceChildren();
      else {
        const spoken = make("span", { class: "unseen" }, t("answer.percent", { n: percent(p) }));
        share.replaceChildren(make("span", { "aria-hidden": "true" }, t("answer.share", { n: percent(p) })), spoken);
      }
    }
  }

  #near(item, hidden) {
    const near = hidden ? [] : (item?.neighbours ?? []).slice(0, 5);
    const rows = near.map(({ label }, place) => {
      const picture = item.thumbs[place];
      const name = this.#session.shown(label);
      const spoken = "alt" in picture; // a text is read out itself, and then its class
      if (spoken) picture.alt = t("near.label", { name });
      const called = make("span", { "aria-hidden": spoken && "true", title: name }, name);
      return make("li", {}, picture, called);
    });
    $("#near").replaceChildren(...rows);
    setText($("#near-none"), near.length || !item ? "" : t(hidden ? "near.blind" : "near.none"));
  }

  #search() {
    const word = folded(this.#find.value);
    const order = (name) =>
      folded(name).startsWith(word) ? 0 : folded(name).includes(word) ? 1 : 2;
    const places = this.#choices
      .map(({ shownClass }, place) => ({ place, order: order(shownClass.shown) }))
      .filter((found) => word && found.order < 2)
      .sort((a, b) => a.order - b.order);
    this.#matches = places.map(({ place }) => place);
    this.#pick(places.length ? 0 : -1, word);
  }

  #pick(mark, word = folded(this.#find.value)) {
    this.#mark = mark;
    const chosen = this.#matches[mark];
    this.#choices.forEach(({ button }, place) => {
      button.classList.toggle("found", place === chosen);
      button.classList.toggle("other", Boolean(word) && !this.#matches.includes(place));
    });
    this.#choices[chosen]?.button.scrollIntoView({ block: "nearest" });
    const name = this.#choices[chosen]?.shownClass.shown;
    if (word) {
      this.dispatchEvent(
        new CustomEvent("message", {
          detail: name ? t("answer.find.match", { name }) : t("answer.find.none"),
        }),
      );
    }
  }

  #searchKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Enter") {
      event.preventDefault();
      const chosen = this.#choices[this.#matches[this.#mark]]?.shownClass.name;
      if (chosen) {
        this.closeSearch();
        this.#answer(chosen);
      }
    } else if (event.key === "Escape") {
      this.closeSearch();
    } else if (event.key in steps && this.#matches.length) {
      event.preventDefault();
      const count = this.#matches.length;
      this.#pick((this.#mark + steps[event.key] + count) % count);
    }
  }
}

function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
