// One person labelling: an image, an answer, the next image, and undo as far back as they like.

import { Offline, Refused, api } from "./api.js";
import { uuid } from "./dom.js";
import { load, release } from "./feed.js";

const KEPT = 8; // pictures of answered images that stay loaded, so that undo is instant
const AGAIN = 1500; // milliseconds between two requests while there is nothing to label

export class Sitting extends EventTarget {
  #session;
  #feed;
  #outbox;
  #given = []; // answers of this page, oldest first; the server knows earlier ones
  #stopwatch = new Stopwatch();
  #timer = null;
  current = null;
  number = 0;
  #busy = false;

  constructor(session, feed) {
    super();
    this.#session = session;
    this.#feed = feed;
    this.#outbox = session.outbox;
    feed.addEventListener("change", () => {
      if (!this.current && !this.busy) this.advance();
    });
    session.addEventListener("person", () => {
      this.#given = []; // people undo only their own answers
    });
    this.#outbox.addEventListener("change", () => {
      if (this.#outbox.connected && !this.#outbox.waiting) this.#feed.refill(this.current);
    });
  }

  /** Whether an answer is being stored or a picture loaded; keys do nothing meanwhile. */
  get busy() {
    return this.#busy;
  }

  set busy(yes) {
    this.#busy = yes;
    this.#tell("busy", yes);
  }

  /** Show the next image and ask for more; where there is none, show why. */
  async advance(since = null) {
    const item = this.#feed.take();
    await this.#show(item, since);
    clearTimeout(this.#timer);
    if (!item)
      this.#timer = setTimeout(() => this.#feed.refill(null), this.#feed.asked ? AGAIN : 0);
    else this.#feed.refill(item);
  }

  /** Fetch the first images and show one. */
  async begin() {
    this.busy = true;
    await this.#feed.refill(null);
    this.busy = false;
    if (!this.current) await this.advance();
  }

  /** Answer the image on the screen. The next one shows when the answer is stored. */
  async answer(kind, label = null, since = performance.now()) {
    if (this.busy || !this.current) return;
    this.busy = true;
    const item = this.current;
    const event = {
      uuid: uuid(),
      id: item.id,
      sha256: item.sha256,
      kind,
      label,
      round: item.round,
      seconds: this.#stopwatch.seconds(),
      book_version: this.#session.state.book_version,
    };
    this.#tell("giving", { kind, label });
    try {
      const reply = await this.#outbox.submit(this.#session.person, event);
      const opinion = reply?.opinions.find((opinion) => opinion.id === item.id);
      this.#given.push({ uuid: event.uuid, item, kind, label });
      this.#given.slice(0, -KEPT).forEach((answer) => release(answer.item));
      if (reply) this.#session.count(reply.counts);
      this.#tell("given", { kind, label, item, opinion: opinion ?? item });
      await this.advance(since);
    } catch (error) {
      this.#fail(error);
      // Another answer would not help where the photograph is gone.
      const useless = error instanceof Refused && (kind === "skip" || error.status === 410);
      if (useless) await this.advance(since);
    } finally {
      this.busy = false;
    }
  }

  /** Undo the last answer and show its image again, across restarts of page and server. */
  async undo() {
    if (this.busy) return;
    this.busy = true;
    try {
      const last = this.#given.at(-1) ?? (await api.last(this.#session.person));
      if (!last) {
        this.#tell("undone", null);
        return;
      }
      const event = {
        uuid: uuid(),
        id: last.item.id,
        kind: "undo",
        target: last.uuid,
        round: last.item.round,
      };
      const reply = await this.#outbox.submit(this.#session.person, event);
      if (last === this.#given.at(-1)) this.#given.pop();
      if (this.current) this.#feed.putBack(this.current);
      this.#feed.forget(last.item.id);
      if (reply) this.#session.count(reply.counts);
      this.#tell("undone", last);
      this.number -= this.current ? 2 : 1;
      await this.#show(last.item);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.busy = false;
    }
  }

  /** Store a note about the image on the screen, which must still be answered. */
  async flag(note) {
    const { id, sha256, round } = this.current;
    const event = { uuid: uuid(), id, sha256, kind: "flag", note, round };
    await this.#outbox.submit(this.#session.person, event);
    this.#tell("flagged", null);
  }

  async #show(item, since = null) {
    this.current = item;
    if (item) {
      this.number += 1;
      load(item);
    }
    this.#tell("show", item);
    if (item) await item.picture.decode().catch(() => this.#tell("broken", item));
    this.#stopwatch.start();
    if (item && since !== null) measure(since);
  }

  #fail(error) {
    if (!(error instanceof Offline) && !(error instanceof Refused)) throw error;
    this.#tell("failed", error);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Record in the browser's timeline how long the person waited for the next image. */
function measure(since) {
  requestAnimationFrame(() =>
    setTimeout(() =>
      performance.measure("answer-to-next", { start: since, end: performance.now() }),
    ),
  );
}

/** Measure how long an image was on a visible page. */
class Stopwatch {
  #sum = 0;
  #since = performance.now();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#sum += performance.now() - this.#since;
      else this.#since = performance.now();
    });
  }

  start() {
    this.#sum = 0;
    this.#since = performance.now();
  }

  seconds() {
    const running = document.hidden ? 0 : performance.now() - this.#since;
    return Math.round(this.#sum + running) / 1000;
  }
}
