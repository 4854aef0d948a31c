// Many images in one step: those that the model takes for one class, or that look like one image.
// The person marks the exceptions; one key answers all others.

import { Offline, Refused, api } from "./api.js";
import { $, $$, icon, make, setText } from "./dom.js";
import { Stopwatch } from "./stopwatch.js";
import { said, t } from "./text.js";

const SIDE = 112; // pixels of a picture, at least: smaller ones hide what is wrong
const GAP = 8;
const MOST = 48;

export class Grid extends EventTarget {
  #session;
  #feed;
  #sitting;
  #section = $("#grid");
  #stopwatch = new Stopwatch();
  #choice = {}; // {label} or {like}
  #label = null;
  #items = [];
  #exceptions = new Map(); // by id: the class of an exception, or null
  #left = new Map(); // items that earlier grids left to be answered one by one
  #answered = new Set();
  #at = null; // the picture that a digit key is about

  constructor(session, feed, sitting) {
    super();
    this.#session = session;
    this.#feed = feed;
    this.#sitting = sitting;
    $("#grid-accept").addEventListener("click", () => this.accept());
    $("#grid-close").addEventListener("click", () => this.close());
  }

  get shown() {
    return !this.#section.hidden;
  }

  /** Fill the page with images of a class, `{label}`, or like an image, `{like}`. */
  async show(choice) {
    if (this.#sitting.busy) return;
    this.#enter();
    try {
      const held = this.#feed.held(this.#sitting.current);
      const asked = { ...choice, n: this.#room() };
      const person = this.#session.person;
      const grid = await api.grid(person, asked, held, [...this.#left.keys()]);
      this.#choice = choice.like || !grid.label ? choice : { label: grid.label };
      this.#label = grid.label;
      this.#items = grid.items;
      this.#exceptions.clear();
      this.#draw(grid.message, grid.classes);
    } catch (error) {
      if (!(error instanceof Offline) && !(error instanceof Refused)) throw error;
      this.#items = [];
      this.#draw(error.message, []);
    }
  }

  /** Show a grid again whose answers were taken back. */
  restore({ choice, label, items, exceptions, classes }) {
    this.#enter();
    [this.#choice, this.#label, this.#items] = [choice, label, items];
    this.#exceptions = new Map(exceptions);
    for (const { id } of items) {
      this.#answered.delete(id);
      this.#left.delete(id);
      this.#feed.forget(id);
    }
    this.#draw(null, classes);
  }

  /** Answer all images but the exceptions without a class, and show the next grid. */
  async accept() {
    if (!this.#items.length) return;
    if (!this.#label) {
      this.#say(t("grid.choose"));
      return;
    }
    const known = (item) => this.#exceptions.get(item.id) ?? this.#label;
    const answered = this.#items.filter((item) => this.#exceptions.get(item.id) !== null);
    const left = this.#items.filter((item) => this.#exceptions.get(item.id) === null);
    if (answered.length) {
      const answers = answered.map((item) => ({ item, kind: "label", label: known(item) }));
      const seconds = Math.round((1000 * this.#stopwatch.seconds()) / answered.length) / 1000;
      const stored = await this.#sitting.answerAll(answers, this.#look(), seconds);
      if (!stored) return;
      for (const id of stored) {
        this.#answered.add(id);
        this.#feed.forget(id);
      }
      this.#say(t("grid.given", { n: stored.size, name: this.#session.shown(this.#label) }));
    }
    for (const item of left) {
      this.#left.set(item.id, item);
      this.#feed.forget(item.id);
    }
    this.#items = []; // a second Enter must not answer them again
    $("#grid-cards").replaceChildren();
    if (this.#choice.like) this.close();
    else await this.show(this.#choice);
  }

  /** Go back to one image at a time; the exceptions come first. */
  close() {
    if (!this.shown) return;
    this.#section.hidden = true;
    $("#work").classList.remove("many");
    for (const item of [...this.#left.values()].reverse()) this.#feed.putBack(item);
    this.#feed.paused = false;
    this.#left.clear();
    this.#sitting.resume(this.#answered);
    this.#answered = new Set();
  }

  /** Mark a picture as an exception, or take the mark off. */
  toggle(id = this.#at) {
    if (!id) return;
    if (this.#exceptions.has(id)) this.#exceptions.delete(id);
    else this.#exceptions.set(id, null);
    this.#at = this.#exceptions.has(id) ? id : null;
    this.#update();
  }

  /** Give the picture that was marked last a class; where none was, all of them. */
  choose(name) {
    if (this.#at) this.#exceptions.set(this.#at, name);
    else if (this.#choice.like) this.#label = name;
    else {
      this.show({ label: name });
      return;
    }
    this.#update();
  }

  /** Move the focus over the pictures. */
  move(columns, rows) {
    const pictures = $$(".card", this.#section);
    const width = Number(this.#section.dataset.columns);
    const now = pictures.indexOf(document.activeElement);
    const place = now < 0 ? 0 : now + columns + rows * width;
    pictures[Math.min(pictures.length - 1, Math.max(0, place))]?.focus();
  }

  #look() {
    return {
      choice: this.#choice,
      label: this.#label,
      items: this.#items,
      exceptions: [...this.#exceptions],
      classes: this.classes,
    };
  }

  #enter() {
    this.#feed.paused = true;
    this.#at = null;
    this.#section.hidden = false;
    $("#work").classList.add("many");
  }

  /** Return how many pictures the screen has room for: none may be answered that nobody saw. */
  #room() {
    const { width, height } = $("#grid-cards").getBoundingClientRect();
    const fit = (size) => Math.max(1, Math.floor((size + GAP) / (SIDE + GAP)));
    const columns = Math.max(3, fit(width));
    this.#section.dataset.columns = columns;
    const rows = Math.max(2, fit(height));
    $("#grid-cards").style.setProperty("--columns", columns);
    $("#grid-cards").style.setProperty("--rows", rows);
    return Math.min(MOST, columns * rows);
  }

  #draw(message, classes) {
    this.classes = classes;
    setText($("#grid-none"), said(message ?? ""));
    $("#grid-cards").replaceChildren(...this.#items.map((item, place) => this.#card(item, place)));
    const counts = new Map(classes.map((gridClass) => [gridClass.name, gridClass.images]));
    const chip = ({ name, shown }, place) =>
      make(
        "button",
        { type: "button", onclick: () => this.#pick(name), "data-name": name },
        place < 9 ? make("kbd", { "aria-hidden": "true" }, String(place + 1)) : null,
        shown,
        counts.has(name) ? make("small", {}, String(counts.get(name))) : null,
      );
    $("#grid-classes").replaceChildren(...this.#session.classes.map(chip));
    this.#update();
    this.#stopwatch.start();
  }

  /** A click on a class is about all pictures, even where one was marked. */
  #pick(name) {
    this.#at = null;
    this.choose(name);
  }

  #card(item, place) {
    const press = (event) => {
      if (event.detail) event.currentTarget.blur();
      this.toggle(item.id);
    };
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "card", "data-id": item.id, onclick: press },
        item.pictured ? picture(item, place) : make("span", { class: "snippet" }, item.text),
        make("span", { class: "exception" }, icon("close"), make("b", {})),
      ),
    );
  }

  #update() {
    const shown = (name) => this.#session.shown(name);
    for (const card of $$(".card", this.#section)) {
      const { id } = card.dataset;
      const excepted = this.#exceptions.has(id);
      card.setAttribute("aria-pressed", String(excepted));
      card.classList.toggle("at", id === this.#at);
      const name = this.#exceptions.get(id);
      setText($("b", card), excepted ? (name ? shown(name) : t("grid.later")) : "");
    }
    for (const button of $$("#grid-classes button"))
      button.setAttribute("aria-pressed", String(button.dataset.name === this.#label));
    const n = this.#items.length;
    const name = this.#label ? shown(this.#label) : "";
    const title = this.#choice.like ? "grid.like" : "grid.title";
    setText($("#grid-title"), n ? t(title, { n, name }) : t("grid.none"));
    const others = this.#items.filter((item) => !this.#exceptions.has(item.id)).length;
    const accept = others ? "grid.accept" : "grid.accept.none";
    const words = name ? t(accept, { n: others, name }) : t("grid.choose");
    setText($("#grid-accept span"), words);
    $("#grid-accept").disabled = !n || !name;
  }

  #say(text) {
    this.dispatchEvent(new CustomEvent("message", { detail: text }));
  }
}

function picture(item, place) {
  return make("img", {
    src: api.image(item.id, "medium", item.sha256),
    alt: t("grid.alt", { n: place + 1 }),
    draggable: "false",
  });
}
