// The page: connects its parts. How one person answers image after image is in sitting.js.

import { aboutPage } from "./about.js";
import { labelBook } from "./book.js";
import { browsePage } from "./browse.js";
import { classesPage, trainNow } from "./classes.js";
import { conflictsPage } from "./conflicts.js";
import { $, memory, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { drawAdvice } from "./advice.js";
import { Grid } from "./grid.js";
import { answered, drawHeader, drawSaved, showLast, undone } from "./header.js";
import { listen } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { askClasses, askName, settings } from "./person.js";
import { progress } from "./progress.js";
import { showRow } from "./row.js";
import { Session } from "./session.js";
import { Sitting } from "./sitting.js";
import { said, t } from "./text.js";
import { Viewer } from "./viewer.js";
import { begin, close, guard, open } from "./dialogs.js";

const PAN = 60; // pixels an arrow key moves a zoomed image

const outbox = new Outbox();
const session = new Session(outbox);
const feed = new Feed(session);
const sitting = new Sitting(session, feed);
const viewer = new Viewer();
const panel = new Panel(session);
const grid = new Grid(session, feed, sitting);

for (const kind of ["error", "unhandledrejection"]) {
  window.addEventListener(kind, (event) => {
    const error = (event.error ?? event.reason)?.message ?? event.message;
    showLast(t("error.page", { error }), { trouble: true });
  });
}

function show(item) {
  showRow(item);
  viewer.show(item?.pictured ? item : null, t("stage.alt", { n: sitting.number }));
  panel.show(item);
  $("#broken").hidden = true;
  for (const id of ["unsure", "skip"]) $(`#${id}`).disabled = !item;
  for (const id of ["heatmap", "zoom-in", "zoom-out", "fit", "original"])
    $(`#${id}`).disabled = !item?.pictured;
  $("#similar").disabled = !item || item.blind;
  $("#unbox").hidden = true;
  idle(item);
}

function idle(item) {
  $("#idle").hidden = Boolean(item);
  if (item) return;
  if (!outbox.connected) idleWords(t("idle.offline.title"), t("idle.offline"));
  else if (!feed.asked) idleWords(t("idle.loading.title"), t("idle.loading"));
  else idleWords(t("idle.title"), said(feed.message) ?? t("idle.wait"));
}

function idleWords(title, words) {
  setText($("#idle-title"), title);
  setText($("#idle-words"), words);
}

/** Move a zoomed image, or a long text. */
function pan(dx, dy) {
  if (sitting.current?.pictured === false) $("#row").scrollBy(0, -dy);
  else viewer.pan(dx, dy);
}

function heatmap() {
  const on = !viewer.heatmap;
  memory.set("heatmap", on ? "on" : "off");
  viewer.setHeatmap(on);
  $("#heatmap").setAttribute("aria-pressed", String(on));
  const item = sitting.current;
  if (!on) showLast(t("stage.heatmap.off"));
  else if (!item?.heatmap) showLast(t("stage.heatmap.none"));
  else showLast(t(item.strange ? "stage.heatmap.strange" : "stage.heatmap.on"));
}

function unbox() {
  if (!viewer.box) return;
  viewer.setBox(null);
  showLast(t("stage.box.gone"));
}

/** Show many images at once: of the class with the most, or like the one on the screen. */
function many(choice) {
  if (session.blind) showLast(t("grid.blind"));
  else grid.show(choice);
}

function similar() {
  const item = sitting.current;
  if (item && !item.blind) many({ like: item.id });
}

function wire() {
  sitting.addEventListener("show", ({ detail }) => show(detail));
  sitting.addEventListener("busy", ({ detail }) =>
    $("#frame").setAttribute("aria-busy", String(detail)),
  );
  sitting.addEventListener(
    "broken",
    ({ detail }) => ($("#broken").hidden = detail !== sitting.current),
  );
  sitting.addEventListener("giving", ({ detail }) => panel.flash(detail.label));
  sitting.addEventListener("given", ({ detail }) => showLast(answered(session, detail)));
  sitting.addEventListener("boxed", ({ detail }) => viewer.setBox(detail));
  viewer.addEventListener("box", ({ detail: box }) => {
    sitting.box = box;
    $("#unbox").hidden = !box;
    if (box) showLast(t("stage.box.drawn"));
  });
  sitting.addEventListener("flagged", () => showLast(t("last.flag")));
  sitting.addEventListener("undone", ({ detail: answer }) => {
    if (answer?.grid) grid.restore(answer.grid);
    else grid.close();
    showLast(undone(session, answer));
  });
  sitting.addEventListener("failed", ({ detail }) => {
    showLast(t("last.refused", { error: detail.message }), { trouble: true });
  });
  outbox.addEventListener("change", () => {
    drawSaved(outbox);
    idle(sitting.current);
  });
  session.addEventListener("change", () => {
    if (!session.state) return;
    drawHeader(session);
    drawAdvice(session);
    panel.update();
  });
  panel.addEventListener("answer", ({ detail }) => sitting.answer("label", detail));
  panel.addEventListener("message", ({ detail }) => showLast(detail));
  grid.addEventListener("message", ({ detail }) => showLast(detail));
  feed.addEventListener("change", () => idle(sitting.current));
}

/** Let a button act like its key. A click drops the focus, else space would press it again. */
function press(id, action) {
  $(id).addEventListener("click", (event) => {
    if (event.detail) event.currentTarget.blur();
    action();
  });
}

function buttons() {
  press("#unsure", () => sitting.answer("unsure"));
  press("#skip", () => sitting.answer("skip"));
  press("#undo", () => sitting.undo());
  press("#grid-open", () => many({}));
  press("#similar", similar);
  press("#grid-undo", () => sitting.undo());
  press("#heatmap", heatmap);
  press("#unbox", unbox);
  press("#zoom-in", () => viewer.zoomIn());
  press("#zoom-out", () => viewer.zoomOut());
  press("#fit", () => viewer.fit());
  press("#original", () => viewer.original());
  $("#flag-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const note = $("#flag-note").value.trim();
    if (!note) return;
    if (!sitting.current) {
      close("flag");
      return;
    }
    guard($("#flag-dialog"), async () => {
      await sitting.flag(note);
      $("#flag-note").value = "";
      close("flag");
    });
  });
}

const manyKeys = {
  Enter: () => grid.accept(),
  " ": () => grid.toggle(),
  z: () => sitting.undo(),
  g: () => grid.close(),
  Escape: () => grid.close(),
  l: () => open("book"),
  p: () => open("progress"),
  "?": () => open("help"),
  ArrowLeft: () => grid.move(-1, 0),
  ArrowRight: () => grid.move(1, 0),
  ArrowUp: () => grid.move(0, -1),
  ArrowDown: () => grid.move(0, 1),
};

const keys = {
  g: () => many({}),
  s: similar,
  " ": (event) => sitting.answer("skip", null, event.timeStamp),
  u: (event) => sitting.answer("unsure", null, event.timeStamp),
  z: () => sitting.undo(),
  b: heatmap,
  x: unbox,
  Escape: unbox,
  f: () => sitting.current && open("flag"),
  l: () => open("book"),
  c: () => open("conflicts"),
  a: () => open("browse"),
  i: () => sitting.current && open("about"),
  p: () => open("progress"),
  "?": () => open("help"),
  "/": () => panel.openSearch(),
  "+": () => viewer.zoomIn(),
  "=": () => viewer.zoomIn(),
  "-": () => viewer.zoomOut(),
  0: () => viewer.fit(),
  o: () => viewer.original(),
  ArrowLeft: () => pan(PAN, 0),
  ArrowRight: () => pan(-PAN, 0),
  ArrowUp: () => pan(0, PAN),
  ArrowDown: () => pan(0, -PAN),
};

function digit(place, event) {
  const name = panel.at(place);
  if (name && grid.shown) grid.choose(name);
  else if (name) sitting.answer("label", name, event.timeStamp);
  return Boolean(name);
}

async function start() {
  begin();
  wire();
  buttons();
  labelBook(session, () => sitting.current);
  conflictsPage(session);
  browsePage(session);
  aboutPage(() => sitting.current);
  classesPage(session);
  trainNow(session, () => showLast(t("train.done")));
  progress(session);
  settings(session, () => panel.show(sitting.current));
  if (memory.get("heatmap") === "on") heatmap();
  const touch = matchMedia("(pointer: coarse)").matches;
  if (touch) $("#find").placeholder = t("answer.find");
  showLast(t(touch ? "last.none.touch" : "last.none"));
  for (await session.poll(); !session.state; await session.poll()) {
    if (session.error) showLast(session.error, { trouble: true });
    await new Promise((wake) => setTimeout(wake, 1000));
  }
  if (session.state.setup) {
    await askClasses(session);
    await session.poll();
  }
  $("#work").hidden = false;
  await askName(session);
  await outbox.begin(session.state.store);
  listen(() => (grid.shown ? manyKeys : keys), digit);
  await sitting.begin();
}

start();
