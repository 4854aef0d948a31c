// A rough box over a defect: drawn by one drag, stored with the answer. Boxes are [x, y, width,
// height] in whole pixels of the photograph.

import { svgElement } from "./dom.js";

const LEAST = 6; // pixels of the screen: less was a click

/** Make the layer that shows boxes over a photograph. */
export function boxLayer(width, height, boxes) {
  const svg = svgElement("svg", {
    class: "boxes",
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
  });
  for (const [x, y, w, h] of boxes) svg.append(svgElement("rect", { x, y, width: w, height: h }));
  return svg;
}

/** A drag from its first point; points are [x, y] in pixels of the photograph. */
export class Drag {
  #from;
  #limits;
  #to;

  constructor(from, limits) {
    [this.#from, this.#to, this.#limits] = [from, from, limits];
  }

  move(to) {
    this.#to = to;
  }

  /** The box so far, inside the photograph; null while it is smaller than a click on the screen. */
  box(screen) {
    const sides = [0, 1].map((k) => {
      const ends = [this.#from[k], this.#to[k]].map((at) =>
        Math.min(this.#limits[k], Math.max(0, at)),
      );
      return [Math.floor(Math.min(...ends)), Math.ceil(Math.max(...ends))];
    });
    const [[left, right], [top, bottom]] = sides;
    const apart = Math.max(right - left, bottom - top) * screen;
    if (apart < LEAST || right <= left || bottom <= top) return null;
    return [left, top, right - left, bottom - top];
  }
}
