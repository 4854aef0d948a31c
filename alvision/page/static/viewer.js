// The image with zoom, pan, heatmap and a box: wheel, drag, two fingers, keys and buttons. Zoomed in,
// it is the photograph at full resolution. A drag moves a zoomed image; with shift, or where there is
// nothing to move, it draws a box.

import { Drag, boxLayer } from "./box.js";
import { $, setText } from "./dom.js";
import { load, loadHeatmap } from "./feed.js";
import { t } from "./text.js";
import { Tiles, shade } from "./tiles.js";

const MOST = 16; // times, and pixels of the screen for one of a photograph: a fingertip's size
const STEP = 1.25; // a key press or click: three of them double the size

export class Viewer extends EventTarget {
  #frame = $("#frame");
  #layer = $("#layer");
  #scale = 1;
  #x = 0; // offset of the image's middle from the frame's, in pixels
  #y = 0;
  #pointers = new Map();
  #item = null;
  #tiles = new Tiles();
  #drag = null;
  heatmap = false;
  box = null;

  constructor() {
    super();
    this.#frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#frame.addEventListener("pointerdown", (event) => this.#down(event));
    this.#frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.#frame.addEventListener(end, (event) => {
        this.#pointers.delete(event.pointerId);
        this.#drawn(end === "pointerup");
      });
    }
    this.#frame.addEventListener("dblclick", (event) => {
      if (this.#scale > 1) this.fit();
      else this.original(...this.#middle(event.clientX, event.clientY));
    });
    new ResizeObserver(() => this.#place()).observe(this.#frame);
  }

  /** Show an image, usually loaded already; null clears the view. */
  show(item, alt) {
    this.#item = item;
    this.#drag = null;
    this.box = null;
    if (!item) {
      this.fit();
      this.#layer.replaceChildren();
      return;
    }
    load(item);
    item.picture.alt = alt;
    item.picture.className = "picture";
    this.#layer.replaceChildren(item.picture, this.#tiles.show(item));
    const unseen = shade(item);
    if (unseen) this.#layer.append(unseen);
    this.#paintHeatmap();
    this.fit();
  }

  setHeatmap(on) {
    this.heatmap = on;
    this.#paintHeatmap();
  }

  /** Show a box instead of the one that is there; null: none. */
  setBox(box) {
    this.box = box;
    this.#paintBox(box);
    this.dispatchEvent(new CustomEvent("box", { detail: box }));
  }

  zoom(factor, x = 0, y = 0) {
    const most = Math.max(MOST, MOST / this.#fitted());
    const scale = Math.min(most, Math.max(1, this.#scale * factor));
    const ratio = scale / this.#scale;
    this.#x = x - (x - this.#x) * ratio;
    this.#y = y - (y - this.#y) * ratio;
    this.#scale = scale;
    this.#place();
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  /** Show each pixel of the photograph as one of the page, or twice the size if that is more. */
  original(x = 0, y = 0) {
    const hundred = 1 / this.#fitted();
    this.zoom((hundred > 1 ? hundred : 2) / this.#scale, x, y);
  }

  fit() {
    [this.#scale, this.#x, this.#y] = [1, 0, 0];
    this.#place();
  }

  pan(dx, dy) {
    this.#x += dx;
    this.#y += dy;
    this.#place();
  }

  #paintHeatmap() {
    this.#layer.querySelector(".heat")?.remove();
    if (!this.heatmap || !this.#item?.heatmap) return;
    loadHeatmap(this.#item);
    this.#item.heat.className = "heat";
    this.#layer.append(this.#item.heat);
  }

  #paintBox(box) {
    this.#layer.querySelector(".boxes")?.remove();
    const { photo_width, photo_height } = this.#item;
    if (box) this.#layer.append(boxLayer(photo_width, photo_height, [box]));
  }

  /** End a drag: with a box, or as if it had not begun. */
  #drawn(whole) {
    if (!this.#drag) return;
    const box = whole ? this.#drag.box(this.#shown()) : null;
    this.#drag = null;
    if (box) this.setBox(box);
    else this.#paintBox(this.box);
  }

  /** Pixels of the screen for one of the photograph. */
  #shown() {
    return this.#fitted() * this.#scale;
  }

  #onPhotograph(clientX, clientY) {
    const [x, y] = this.#middle(clientX, clientY);
    const { photo_width, photo_height } = this.#item;
    return [
      (x - this.#x) / this.#shown() + photo_width / 2,
      (y - this.#y) / this.#shown() + photo_height / 2,
    ];
  }

  #place() {
    const { width, height } = this.#frame.getBoundingClientRect();
    const room = (size) => ((this.#scale - 1) * size) / 2;
    this.#x = Math.min(room(width), Math.max(-room(width), this.#x));
    this.#y = Math.min(room(height), Math.max(-room(height), this.#y));
    const moved = this.#scale > 1;
    this.#layer.style.transform = moved
      ? `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`
      : "";
    this.#frame.classList.toggle("zoomed", moved);
    const fitted = this.#fitted();
    const n = Math.round(100 * fitted * this.#scale);
    setText($("#zoom"), moved ? t("stage.zoom", { n }) : "");
    if (!this.#item || !width) return;
    // The edges of the frame, in pixels of the photograph.
    const edge = (size, offset, side, photo) =>
      (side * size - 2 * offset) / (2 * this.#scale * fitted) + photo / 2;
    const { photo_width, photo_height } = this.#item;
    this.#tiles.place(
      fitted * this.#scale * devicePixelRatio,
      edge(width, this.#x, -1, photo_width),
      edge(height, this.#y, -1, photo_height),
      edge(width, this.#x, 1, photo_width),
      edge(height, this.#y, 1, photo_height),
    );
  }

  /** Pixels of the page for one of the photograph, as it fits into the frame. */
  #fitted() {
    const { width, height } = this.#frame.getBoundingClientRect();
    const item = this.#item;
    return item ? Math.min(width / item.photo_width, height / item.photo_height) || 1 : 1;
  }

  #wheel(event) {
    event.preventDefault();
    const [x, y] = this.#middle(event.clientX, event.clientY);
    this.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 240), x, y);
  }

  #middle(clientX, clientY) {
    const box = this.#frame.getBoundingClientRect();
    return [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
  }

  #down(event) {
    if (event.button) return;
    this.#frame.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.#pointers.size > 1) this.#drawn(false);
    else if (this.#item && (this.#scale === 1 || event.shiftKey)) {
      const { photo_width, photo_height } = this.#item;
      const from = this.#onPhotograph(event.clientX, event.clientY);
      this.#drag = new Drag(from, [photo_width, photo_height]);
    }
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (this.#drag) {
      this.#drag.move(this.#onPhotograph(...now));
      this.#paintBox(this.#drag.box(this.#shown()) ?? this.box);
      return;
    }
    if (!other) {
      this.pan(now[0] - before[0], now[1] - before[1]);
      return;
    }
    const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    const [x, y] = this.#middle((now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.zoom(apart(now) / apart(before), x, y);
  }
}
