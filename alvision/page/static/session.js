// The server's state on this page: classes, counts, curve. It is fetched again every few seconds.

import { Offline, Refused, api } from "./api.js";
import { memory } from "./dom.js";

const EVERY = 4000; // milliseconds; `server.py` computes new figures every 2 s

export class Session extends EventTarget {
  #timer = null;
  #answers = 0;
  #asking = null;
  outbox;
  state = null;
  person = memory.get("name") ?? "";
  error = null; // the reason of a refused request

  constructor(outbox) {
    super();
    this.outbox = outbox;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.poll();
    });
  }

  get classes() {
    return this.state?.classes ?? [];
  }

  /** Whether the model's opinion is hidden until the answer, by the person or the server. */
  get blind() {
    return memory.get("blind") === "on" || Boolean(this.state?.blind);
  }

  /** Return the name that a class is shown under; its key never changes. */
  shown(name) {
    return this.classes.find((shownClass) => shownClass.name === name)?.shown ?? name;
  }

  rename(person) {
    this.person = person.trim();
    memory.set("name", this.person);
    this.dispatchEvent(new Event("person"));
  }

  /** Fetch the state; callers at the same time share one request. */
  poll() {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => document.hidden || this.poll(), EVERY);
    });
    return this.#asking;
  }

  /** Show the counts that came with the reply to an answer; only the server counts. */
  count(counts) {
    if (!this.state) return;
    this.#answers += 1; // a state that was asked for before this is an older one
    Object.assign(this.state, counts);
    this.dispatchEvent(new Event("change"));
  }

  async #ask() {
    const before = this.#answers;
    try {
      const state = await api.state(this.person);
      this.error = null;
      this.outbox.noteConnection(true);
      if (before === this.#answers || !this.state) this.state = state;
    } catch (error) {
      if (error instanceof Offline) this.outbox.noteConnection(false);
      else if (error instanceof Refused) this.error = error.message;
      else throw error;
    }
    this.dispatchEvent(new Event("change"));
  }
}
