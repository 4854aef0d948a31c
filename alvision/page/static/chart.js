// The learning curve with its interval, as SVG in the page's colours.

import { svgElement } from "./dom.js";
import { figure, fixed, t } from "./text.js";

/** Draw the curve into an svg element; a large one gets axes.
 *
 * @param {SVGSVGElement} svg where to draw
 * @param {CurvePoint[]} curve one point a round
 * @param {{axes: boolean, metric: string}} options
 */
export function drawCurve(svg, curve, { axes, metric }) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const pad = axes
    ? { left: 40, right: 14, top: 12, bottom: 30 }
    : { left: 2, right: 5, top: 4, bottom: 4 };
  const points = curve;
  svg.replaceChildren();
  svg.setAttribute("aria-label", describe(points, metric));
  if (!points.length) return;
  const lows = points.map((point) => point.low ?? point.value);
  const highs = points.map((point) => point.high ?? point.value);
  const bottom = axes ? Math.floor(Math.min(...lows) * 10) / 10 : Math.min(...lows);
  const top = axes ? Math.min(1, Math.ceil(Math.max(...highs) * 10) / 10) : Math.max(...highs);
  const last = points.at(-1).labels;
  const first = points.length > 1 ? points[0].labels : 0;
  const x = (labels) =>
    pad.left + ((labels - first) / Math.max(1, last - first)) * (width - pad.left - pad.right);
  const y = (value) =>
    height -
    pad.bottom -
    ((value - bottom) / (top - bottom || 1)) * (height - pad.top - pad.bottom);
  if (axes) drawAxes(svg, { width, height, pad, x, y, bottom, top, first, last, metric });
  const edge = (key) =>
    points.map(
      (point) => `${x(point.labels).toFixed(1)},${y(point[key] ?? point.value).toFixed(1)}`,
    );
  svg.append(
    svgElement("polygon", {
      class: "band",
      points: [...edge("high"), ...edge("low").reverse()].join(" "),
    }),
  );
  svg.append(svgElement("polyline", { class: "curve", points: edge("value").join(" ") }));
  for (const point of axes ? points : points.slice(-1)) {
    svg.append(
      svgElement("circle", {
        class: "dot",
        cx: x(point.labels),
        cy: y(point.value),
        r: axes ? 3.5 : 2.6,
      }),
    );
  }
}

function describe(points, metric) {
  if (!points.length) return t("progress.curve.none");
  const [first, last] = [points[0], points.at(-1)];
  return t("progress.curve.alt", {
    metric,
    first: figure(first.value),
    first_labels: first.labels,
    last: figure(last.value),
    last_labels: last.labels,
    low: figure(last.low ?? last.value),
    high: figure(last.high ?? last.value),
  });
}

function drawAxes(svg, { width, height, pad, x, y, bottom, top, first, last, metric }) {
  const label = (attributes, text) => {
    const element = svgElement("text", { class: "axis", ...attributes });
    element.textContent = text;
    svg.append(element);
  };
  for (const value of steps(bottom, top, 4)) {
    const at = y(value).toFixed(1);
    svg.append(
      svgElement("line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: at, y2: at }),
    );
    label({ x: pad.left - 7, y: Number(at) + 4, "text-anchor": "end" }, fixed(value));
  }
  for (const labels of steps(first, last, 5)) {
    label(
      { x: x(labels).toFixed(1), y: height - pad.bottom + 18, "text-anchor": "middle" },
      Math.round(labels),
    );
  }
  label(
    { x: width - pad.right, y: height - pad.bottom - 7, "text-anchor": "end" },
    t("progress.axis"),
  );
  label({ x: pad.left + 6, y: pad.top + 9 }, metric);
}

/** Return round values from low to high, about `most` of them. */
function steps(low, high, most) {
  const raw = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(k * step);
  return found;
}
