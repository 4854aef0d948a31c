// The image with zoom, pan and heatmap: wheel, drag, two fingers, keys and buttons.

import { $, setText } from "./dom.js";
import { load, loadHeatmap } from "./feed.js";

const MOST = 16; // times; beyond, one pixel of a photograph is larger than a fingertip
const STEP = 1.25; // a key press or click: three of them double the size

export class Viewer {
  #frame = $("#frame");
  #layer = $("#layer");
  #scale = 1;
  #x = 0; // offset of the image's middle from the frame's, in pixels
  #y = 0;
  #pointers = new Map();
  #item = null;
  heatmap = false;

  constructor() {
    this.#frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#frame.addEventListener("pointerdown", (event) => this.#down(event));
    this.#frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.#frame.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
    this.#frame.addEventListener("dblclick", () => (this.#scale > 1 ? this.fit() : this.zoom(2)));
  }

  /** Show an image, usually loaded already; null clears the view. */
  show(item, alt) {
    this.#item = item;
    this.fit();
    if (!item) {
      this.#layer.replaceChildren();
      return;
    }
    load(item);
    item.picture.alt = alt;
    item.picture.className = "picture";
    this.#layer.replaceChildren(item.picture);
    this.#paintHeatmap();
  }

  setHeatmap(on) {
    this.heatmap = on;
    this.#paintHeatmap();
  }

  zoom(factor, x = 0, y = 0) {
    const scale = Math.min(MOST, Math.max(1, this.#scale * factor));
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
    setText($("#zoom"), moved ? `${Math.round(100 * this.#scale)} %` : "");
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
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
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
