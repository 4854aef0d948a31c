// All requests to the server go through this module.

import { said, t } from "./text.js";

/** The server did not answer: the connection is lost or the server is down. Try again. */
export class Offline extends Error {}

/** The server understood the request and refused it. Trying again would not help. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const PATIENCE = 8000; // milliseconds; a store on a slow disk may take a second to answer

async function call(path, body, patience = PATIENCE) {
  const options = { cache: "no-store", signal: AbortSignal.timeout(patience) };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  let data;
  try {
    response = await fetch(path, options);
    data = await response.json();
  } catch (error) {
    if (response?.status === 403) throw new Refused(t("saved.forbidden"), 403);
    throw new Offline(error.name === "TimeoutError" ? t("error.timeout") : error.message);
  }
  if (response.ok) return data;
  if (response.status >= 500) throw new Offline(said(data.error));
  throw new Refused(said(data.error) ?? response.statusText, response.status);
}

const query = (values) => new URLSearchParams(values).toString();

// The types are those of /api/openapi.json; a test compares both, and which fields are read.
export const api = {
  /** @returns {Promise<State>} */
  state: (by) => call(`/api/state?${query({ by })}`),
  /** @returns {Promise<NextItems>} */
  next: (by, n, held) => call(`/api/next?${query({ by, n, held: held.join(",") })}`),
  /** @returns {Promise<Answered>} */
  answered: (by, wanted) => call(`/api/answered?${query({ by, ...wanted })}`),
  /** @returns {Promise<About>} */
  about: (id) => call(`/api/about?${query({ id })}`),
  /** @returns {Promise<Grid>} */
  grid: (by, choice, held, without) => call(`/api/grid?${query({ by, ...choice, held, without })}`),
  /** @returns {Promise<SubmissionResult>} */
  answers: (by, events, patience) => call("/api/answers", { by, events }, patience),
  /** @returns {Promise<LastAnswer | null>} */
  last: (by) => call(`/api/last?${query({ by })}`),
  /** @returns {Promise<LabelBook>} */
  book: () => call("/api/book"),
  /** @returns {Promise<BookVersion>} */
  saveBook: (entry) => call("/api/book", entry),
  /** @returns {Promise<Conflicts>} */
  conflicts: () => call("/api/conflicts"),
  /** @returns {Promise<Stored>} */
  settle: (event) => call("/api/settle", event),
  /** @returns {Promise<Classes>} */
  classes: (event) => call("/api/classes", event),
  /** @returns {Promise<Stored>} */
  close: (event) => call("/api/close", event),
  /** @returns {Promise<Classes>} */
  setup: (event) => call("/api/setup", event),
  /** @returns {Promise<RowContent>} */
  row: (address) => call(`/api/row?${query({ address })}`),
  /** @returns {Promise<LookAlikes>} */
  views: () => call("/api/views"),
  /** With the `sha256` of an item the picture is never that of another file. */
  image: (id, size, sha256) => `/image/${id}?size=${size}${sha256 ? `&sha256=${sha256}` : ""}`,
  tile: (item, level, column, row) =>
    `/tile/${item.id}?${query({ level, column, row, sha256: item.sha256 })}`,
  heatmap: (item) => `/heatmap/${item.id}?v=${item.round}&sha256=${item.sha256}`,
};
