// Answers that the server has not confirmed. They are kept in IndexedDB, so that neither a lost
// connection nor a closed browser loses one; the server stores each uuid once, so sending an answer
// twice does no harm.

import { Offline, Refused, api } from "./api.js";
import { said, t } from "./text.js";

const CHUNK = 50; // events in one request, which may have 256 kB
const LONGEST = 366 * 86400; // seconds that the server believes
const WAITS = [500, 1000, 2000, 4000]; // milliseconds; a server restarts within seconds

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Return a kept event as it is sent: how long it waited, because this clock may be wrong. */
function aged({ event, at }) {
  const waited = (Date.now() - (at ?? Date.now())) / 1000;
  return { ...event, seconds_ago: Math.min(Math.max(0, waited), LONGEST) };
}

export class Outbox extends EventTarget {
  #open = null;
  #store = null;
  #timer = null;
  #attempt = 0;
  #sending = null;
  waiting = 0; // kept for this data set and not confirmed
  refused = []; // entries that the server refused, with its reasons
  connected = true;

  /** Find and send what an earlier session left behind for this data set. */
  async begin(store) {
    this.#store = store;
    await this.#count();
    if (this.waiting) this.#plan(0);
    this.#changed();
  }

  /** Submit answers: resolves when all are in the server's store, or else durable in this browser.
   *
   * Returns the server's reply, or null if they wait here. Throws Refused if the server refuses
   * every one, and Offline if neither the server nor this browser could keep them.
   */
  async submit(by, events) {
    const kept = this.#keep(by, events);
    kept.catch(() => {}); // a failure matters only without a connection, see below
    if (!this.waiting && this.connected) {
      const uuids = events.map((event) => event.uuid);
      const forget = () => kept.then(() => this.#forget(uuids)).catch(() => {});
      try {
        const reply = await api.answers(by, events, 3000);
        forget();
        const [refusal] = reply.refused;
        if (refusal && !reply.stored.length) throw new Refused(said(refusal.error), refusal.status);
        return reply;
      } catch (error) {
        if (!(error instanceof Offline)) {
          forget();
          throw error;
        }
        this.#lost();
      }
    }
    try {
      await kept;
    } catch {
      throw new Offline(t("saved.nowhere"));
    }
    this.waiting += events.length;
    if (this.connected) this.#plan(0);
    this.#changed();
    return null;
  }

  /** Note that another request worked or failed, so that waiting answers are sent at once. */
  noteConnection(connected) {
    if (connected && !this.connected) this.#plan(0);
    else if (!connected && this.connected) this.#lost();
  }

  /** Forget the answers that the server refused; the person has read why. */
  async dismiss() {
    await this.#forget(this.refused.map((entry) => entry.event.uuid));
    await this.#count();
    this.#changed();
  }

  #lost() {
    this.connected = false;
    this.#plan(WAITS[0]);
    this.#changed();
  }

  #plan(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), wait);
  }

  #send() {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll() {
    try {
      if (!this.connected) await api.state("");
      for (let entries = await this.#kept(); entries.length; entries = await this.#kept()) {
        const by = entries[0].by;
        const others = entries.findIndex((entry) => entry.by !== by);
        await this.#deliver(by, entries.slice(0, Math.min(CHUNK, others < 0 ? CHUNK : others)));
        await this.#count();
        this.connected = true;
        this.#changed();
      }
      this.connected = true;
      this.#attempt = 0;
    } catch (error) {
      this.connected = !(error instanceof Offline);
      this.#plan(WAITS[Math.min(this.#attempt++, WAITS.length - 1)]);
    }
    await this.#count();
    this.#changed();
  }

  async #deliver(by, entries) {
    let reply;
    try {
      reply = await api.answers(
        by,
        entries.map(aged),
      );
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 403) throw error;
      const no = ({ event }) => ({ uuid: event.uuid, error: error.message });
      reply = { stored: [], refused: entries.map(no) };
    }
    await this.#forget(reply.stored);
    const why = new Map(reply.refused.map(({ uuid, error }) => [uuid, error]));
    const table = await this.#table("readwrite");
    for (const entry of entries.filter(({ event }) => why.has(event.uuid))) {
      await done(table.put({ ...entry, error: why.get(entry.event.uuid) }));
    }
  }

  async #kept() {
    return (await this.#entries()).filter((entry) => !entry.error);
  }

  async #count() {
    const entries = await this.#entries().catch(() => []); // it may refuse to keep any
    this.refused = entries.filter((entry) => entry.error);
    this.waiting = entries.length - this.refused.length;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #database() {
    this.#open ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("alvision", 1);
      request.onupgradeneeded = () => {
        const table = request.result.createObjectStore("outbox", {
          keyPath: "order",
          autoIncrement: true,
        });
        table.createIndex("uuid", "event.uuid", { unique: true });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return this.#open;
  }

  async #table(mode) {
    const database = await this.#database();
    return database.transaction("outbox", mode).objectStore("outbox");
  }

  async #keep(by, events) {
    const database = await this.#database();
    await new Promise((resolve, reject) => {
      const transaction = database.transaction("outbox", "readwrite", { durability: "strict" });
      const table = transaction.objectStore("outbox");
      for (const event of events) table.add({ store: this.#store, by, event, at: Date.now() });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  }

  async #forget(uuids) {
    const table = await this.#table("readwrite");
    for (const uuid of uuids) {
      const order = await done(table.index("uuid").getKey(uuid));
      if (order !== undefined) await done(table.delete(order));
    }
  }

  async #entries() {
    const all = await done((await this.#table("readonly")).getAll());
    return all.filter((entry) => entry.store === this.#store);
  }
}
