// The next images: leased from the server, loaded and decoded before they are needed.

import { Offline, api } from "./api.js";
import { make, memory } from "./dom.js";

const FIRST = 3; // the server reads every file that it gives: the first picture waits for few
const IN_HAND = 14; // so that a person can give ten answers without a connection
const REFILL_AT = 11; // three images a request, and never fewer than ten for a lost connection
const DECODED = 3; // a decoded image takes megabytes; the others stay compressed

export class Feed extends EventTarget {
  #session;
  #asking = null;
  items = [];
  message = null; // why the server sent none
  asked = false;
  paused = false; // while a grid is open it holds the images

  constructor(session) {
    super();
    this.#session = session;
  }

  /** Take the next image, or null if none is in hand. */
  take() {
    const item = this.items.shift() ?? null;
    this.prepare();
    return item;
  }

  /** Put an image back in front, because an earlier answer was undone. */
  putBack(item) {
    this.items.unshift(item);
  }

  /** Return the addresses of the images in hand. */
  held(current) {
    const held = this.items.map((item) => item.id);
    return current ? [current.id, ...held] : held;
  }

  /** Drop an image that is on the screen again, or was answered in a grid. */
  forget(id) {
    this.items = this.items.filter((item) => item.id !== id);
  }

  /** Ask for more if few are left; several callers share one request.
   *
   * Not while answers wait to be sent: the server does not know them and would ask again.
   */
  refill(current) {
    const enough = this.items.length > REFILL_AT || this.paused;
    if (enough || this.#session.outbox.waiting) return Promise.resolve();
    this.#asking ??= this.#ask(current).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Load the next images, and decode the first few. */
  prepare() {
    this.items.forEach((item, place) => {
      load(item);
      if (place < DECODED) decode(item);
    });
  }

  async #ask(current) {
    try {
      const wanted = this.asked ? IN_HAND - this.items.length : FIRST;
      const reply = await api.next(this.#session.person, wanted, this.held(current));
      const known = new Set([...this.items.map((item) => item.id), current?.id]);
      this.items.push(...reply.items.filter((item) => !known.has(item.id)));
      this.message = reply.message;
      this.asked = true;
      this.#session.outbox.noteConnection(true);
      this.prepare();
    } catch (error) {
      if (!(error instanceof Offline)) throw error;
      this.#session.outbox.noteConnection(false);
    }
    this.dispatchEvent(new Event("change"));
  }
}

/** Begin to load an image, if the item has one, its neighbours and, if heatmaps are on, its heatmap. */
export function load(item) {
  const failed = item.picture?.complete && !item.picture.naturalWidth; // its drive may be back
  if (item.thumbs && !failed) return;
  if (item.pictured) {
    item.picture = new Image(item.width, item.height);
    item.picture.draggable = false;
    item.picture.src = api.image(item.id, "full", item.sha256);
  }
  loadOpinion(item);
}

/** Load the pictures of the model's opinion; with blind mode it comes only after the answer. */
export function loadOpinion(item) {
  item.thumbs = (item.neighbours ?? []).map((near) => {
    if (near.snippet) return make("span", { class: "snippet" }, near.snippet);
    const thumb = new Image(72, 72);
    thumb.src = api.image(near.id, "thumb");
    return thumb;
  });
  if (item.heatmap && memory.get("heatmap") === "on") loadHeatmap(item);
}

export function loadHeatmap(item) {
  if (item.heat) return;
  item.heat = new Image(item.width, item.height);
  item.heat.alt = "";
  item.heat.draggable = false;
  item.heat.addEventListener("error", () => {
    // It was of an earlier round, or is not drawn yet: better none than a broken picture.
    item.heat?.remove();
    item.heat = null;
    item.heatmap = false;
  });
  item.heat.src = api.heatmap(item);
}

/** Release an image's pictures; they are loaded again if it comes back. */
export function release(item) {
  item.picture = item.thumbs = item.heat = null;
}

function decode(item) {
  item.picture?.decode().catch(() => {}); // `Sitting` reports it when the image is shown
}
