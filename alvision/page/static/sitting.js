// One person labelling: an image, an answer, the next image, and undo as far back as they like.

import { Offline, Refused, api } from "./api.js";
import { uuid } from "./dom.js";
import { load, release } from "./feed.js";
import { Stopwatch } from "./stopwatch.js";

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
  box = null; // drawn on the image on the screen: [x, y, width, height]
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

  #event(item, kind, label, seconds) {
    const { id, sha256, round } = item;
    const { book_version } = this.#session.state;
    const event = { uuid: uuid(), id, sha256, kind, label, round, seconds, book_version };
    return event;
  }

  /** Return the event of a box: it belongs to an answer, and goes with it when that is undone. */
  #boxOf(answer, box) {
    const { id, sha256, round } = answer;
    const note = box.join(",");
    const event = { uuid: uuid(), id, sha256, kind: "box", target: answer.uuid, note, round };
    return event;
  }

  /** Answer the image on the screen. The next one shows when the answer is stored. */
  async answer(kind, label = null, since = performance.now()) {
    if (this.busy || !this.current) return;
    this.busy = true;
    const item = this.current;
    const event = this.#event(item, kind, label, this.#stopwatch.seconds());
    const box = this.box;
    const events = box ? [event, this.#boxOf(event, box)] : [event];
    this.#tell("giving", { kind, label });
    try {
      const reply = await this.#outbox.submit(this.#session.person, events);
      const opinion = reply?.opinions.find((opinion) => opinion.id === item.id);
      this.#remember({ uuids: [event.uuid], item, kind, label, box, grid: null });
      if (reply) this.#session.count(reply.counts);
      this.#tell("given", { kind, label, item, opinion: opinion ?? item });
      if (reply?.refused.length) this.#tell("failed", new Refused(reply.refused[0].error, 200));
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

  /** Answer many images in one step; returns the ids that are stored, or null if none could be.
   *
   * `answers` are {item, kind, label}, `grid` is how the page looked, for an undo, and `seconds`
   * what each answer took.
   */
  async answerAll(answers, grid, seconds) {
    if (this.busy) return null;
    this.busy = true;
    const name = uuid();
    const events = answers.map(({ item, kind, label }) => ({
      ...this.#event(item, kind, label, seconds),
      grid: name,
    }));
    try {
      const reply = await this.#outbox.submit(this.#session.person, events);
      const lost = new Set(reply?.refused.map((refusal) => refusal.uuid));
      const stored = events.filter((event) => !lost.has(event.uuid));
      const { item, kind, label } = answers[0];
      this.#remember({ uuids: stored.map((event) => event.uuid), item, kind, label, grid });
      if (reply) this.#session.count(reply.counts);
      if (lost.size) this.#tell("failed", new Refused(reply.refused[0].error, 200));
      return new Set(stored.map((event) => event.id));
    } catch (error) {
      this.#fail(error);
      return null;
    } finally {
      this.busy = false;
    }
  }

  /** Undo the last answer, or all of the last grid, across restarts of page and server. */
  async undo() {
    if (this.busy) return;
    this.busy = true;
    try {
      const answer = this.#given.at(-1) ?? (await this.#before());
      if (!answer) {
        this.#tell("undone", null);
        return;
      }
      const { id, round } = answer.item;
      const events = answer.uuids.map((target) => {
        const event = { uuid: uuid(), id, kind: "undo", target, round };
        return event;
      });
      const reply = await this.#outbox.submit(this.#session.person, events);
      if (answer === this.#given.at(-1)) this.#given.pop();
      if (reply) this.#session.count(reply.counts);
      this.#tell("undone", answer);
      if (answer.grid) return; // its images are on the screen again, all of them
      if (this.current && this.current.id !== answer.item.id) this.#feed.putBack(this.current);
      this.#feed.forget(answer.item.id);
      this.number -= this.current ? 2 : 1;
      await this.#show(answer.item);
      if (answer.box) this.#tell("boxed", answer.box);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.busy = false;
    }
  }

  /** Go on image by image after a grid: the image on the screen may have been answered in it. */
  async resume(answered) {
    if (this.current && !answered.has(this.current.id)) {
      this.#stopwatch.start();
      await this.#feed.refill(this.current);
    } else if (!this.busy) {
      this.busy = true;
      await this.advance();
      this.busy = false;
    }
  }

  #remember(answer) {
    this.#given.push(answer);
    this.#given.slice(0, -KEPT).forEach((earlier) => release(earlier.item));
  }

  /** Ask for the last answer of an earlier sitting; a grid comes with all of its answers. */
  async #before() {
    const last = await api.last(this.#session.person);
    if (!last) return null;
    const { kind, label, item } = last;
    return { uuids: [last.uuid, ...last.together], item, kind, label, grid: null };
  }

  /** Store a note about the image on the screen, which must still be answered. */
  async flag(note) {
    const { id, sha256, round } = this.current;
    const event = { uuid: uuid(), id, sha256, kind: "flag", note, round };
    await this.#outbox.submit(this.#session.person, [event]);
    this.#tell("flagged", null);
  }

  async #show(item, since = null) {
    this.current = item;
    this.box = null;
    if (item) {
      this.number += 1;
      load(item);
    }
    this.#tell("show", item);
    if (item?.picture) await item.picture.decode().catch(() => this.#tell("broken", item));
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
