// Full resolution where a person zooms in: tiles of the photograph, over the picture of it. What is
// not there yet, or cannot be fetched, shows the picture.

import { api } from "./api.js";
import { svgElement } from "./dom.js";

const SIDE = 512; // pixels of a tile
const PAUSE = 60; // milliseconds without a movement, after which tiles are asked for
const MOST = 96; // tiles that stay while others load: three screens of them

export class Tiles {
  #item = null;
  #svg = null;
  #timer = 0;
  #shown = new Map(); // tiles by their address
  #wanted = new Set();

  /** Begin with a photograph; returns the element that belongs over its picture. */
  show(item) {
    clearTimeout(this.#timer);
    this.#item = item;
    this.#shown.clear();
    this.#wanted.clear();
    const viewBox = `0 0 ${item.photo_width} ${item.photo_height}`;
    this.#svg = svgElement("svg", { class: "tiles", viewBox, "aria-hidden": "true" });
    return this.#svg;
  }

  /** Show a part of the photograph.
   *
   * `scale` is in pixels of the screen for one of the photograph, and the edges of the part are in
   * pixels of the photograph.
   */
  place(scale, left, top, right, bottom) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(scale, left, top, right, bottom), PAUSE);
  }

  #load(scale, left, top, right, bottom) {
    const item = this.#item;
    this.#wanted.clear();
    // The picture is enough while a pixel of it takes at most one of the screen.
    if (item && scale * item.photo_width > item.width) {
      const level = Math.max(0, Math.floor(-Math.log2(scale) + 1e-6));
      const side = SIDE * 2 ** level;
      const last = (size) => Math.ceil(size / side) - 1;
      const columns = between(left / side, right / side, last(item.photo_width));
      const rows = between(top / side, bottom / side, last(item.photo_height));
      for (const row of rows) for (const column of columns) this.#want(level, column, row);
    }
    this.#sweep();
  }

  #want(level, column, row) {
    const item = this.#item;
    const address = api.tile(item, level, column, row);
    this.#wanted.add(address);
    if (this.#shown.has(address)) return;
    const side = SIDE * 2 ** level;
    const [x, y] = [column * side, row * side];
    const width = Math.min(side, item.photo_width - x);
    const height = Math.min(side, item.photo_height - y);
    const tile = svgElement("image", { x, y, width, height, preserveAspectRatio: "none" });
    this.#shown.set(address, tile);
    tile.addEventListener("load", () => {
      tile.loaded = true;
      this.#sweep();
    });
    tile.addEventListener("error", () => {
      tile.remove();
      // It is asked for again when the person moves the photograph.
      if (this.#shown.get(address) === tile) this.#shown.delete(address);
    });
    tile.setAttribute("href", address);
    this.#svg.append(tile);
  }

  /** Remove what is not looked at any more, once all that is looked at is there. */
  #sweep() {
    const waiting = [...this.#wanted].some((address) => !this.#shown.get(address)?.loaded);
    if (waiting && this.#shown.size <= MOST) return;
    for (const [address, tile] of this.#shown) {
      if (this.#wanted.has(address)) continue;
      tile.remove();
      this.#shown.delete(address);
    }
  }
}

/** Return the whole numbers whose unit intervals an interval touches, from 0 to the last one. */
function between(low, high, last) {
  const [first, end] = [Math.max(0, Math.floor(low)), Math.min(last, Math.floor(high))];
  return Array.from({ length: Math.max(0, end - first + 1) }, (_, k) => first + k);
}

/** Make the shade over what the model does not see of a photograph; null: it sees all. */
export function shade(item) {
  const { photo_width: width, photo_height: height, seen } = item;
  if (!seen) return null;
  const [left, top, right, bottom] = seen.box.map((edge, k) => edge * (k % 2 ? height : width));
  const corners = seen.corners?.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  const whole = { x: 0, y: 0, width, height };
  const box = { x: left, y: top, width: right - left, height: bottom - top };
  const clip = svgElement("clipPath", { id: "seen-box" });
  clip.append(svgElement("rect", box));
  const hole = corners ? ["polygon", { points: corners }] : ["rect", box];
  const mask = svgElement("mask", { id: "unseen-part", maskUnits: "userSpaceOnUse", ...whole });
  mask.append(
    svgElement("rect", { ...whole, fill: "#fff" }),
    svgElement(hole[0], { ...hole[1], fill: "#000", "clip-path": "url(#seen-box)" }),
  );
  const svg = svgElement("svg", {
    class: "shade",
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
  });
  svg.append(clip, mask, svgElement("rect", { ...whole, mask: "url(#unseen-part)" }));
  return svg;
}
