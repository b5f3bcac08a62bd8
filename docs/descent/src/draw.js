// Charts as SVG: axes, lines of many points, contours of a quadratic.
import { number, power } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";
const FAR = 1e4; // pixels; further out no browser draws well

export function svg(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

export const WIDTH = 420;
const HEIGHT = 340;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 16, 10, 40];
const EDGE = 5; // by which a mark at the edge may stand out
const MARKS = ["points", "prediction", "here"];
let charts = 0;

/** A picture with two axes; `x` and `y` are {low, high, log, label}. */
export class Chart {
  constructor(figure, { square = false } = {}) {
    this.height = square ? WIDTH - LEFT - RIGHT + TOP + BOTTOM : HEIGHT;
    this.root = svg("svg", { viewBox: `0 0 ${WIDTH} ${this.height}`, role: "img" });
    figure.prepend(this.root);
    const defs = svg("defs", {}, this.root), chart = charts++;
    this.box = { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: this.height - TOP - BOTTOM };
    this.axes = svg("g", { class: "axes" }, this.root);
    const { x, y, width, height } = this.box;
    const within = (edge) => {
      const id = `within-${chart}-${edge}`;
      const clip = svg("clipPath", { id }, defs);
      svg("rect", { x: x - edge, y: y - edge, width: width + 2 * edge, height: height + 2 * edge }, clip);
      return svg("g", { "clip-path": `url(#${id})` }, this.root);
    };
    [this.lines, this.marks] = [within(0), within(EDGE)];
    this.known = "";
    this.layers = {};
  }

  /** Set both axes; says whether they changed, and were drawn anew. */
  axesOf(x, y) {
    const wanted = JSON.stringify([x, y]);
    if (wanted === this.known) return false;
    this.known = wanted;
    const scale = (axis, from, to) => {
      const of = axis.log ? Math.log10 : (v) => v;
      const [low, high] = [of(axis.low), of(axis.high)];
      const unit = (to - from) / (high - low);
      const place = (v) => from + (of(v) - low) * unit;
      // Of a path that diverged the last number may be none.
      return (v) => (Number.isNaN(v) ? FAR : Math.max(-FAR, Math.min(FAR, place(v))));
    };
    this.sx = scale(x, LEFT, LEFT + this.box.width);
    this.sy = scale(y, TOP + this.box.height, TOP);
    this.axes.replaceChildren();
    svg("rect", { ...this.box, class: "frame" }, this.axes);
    for (const [value, text] of ticks(x)) {
      const at = this.sx(value);
      svg("path", { d: `M${at} ${TOP}v${this.box.height}`, class: "grid" }, this.axes);
      const label = svg("text", { x: at, y: this.height - 24, "text-anchor": "middle" }, this.axes);
      label.textContent = text;
    }
    for (const [value, text] of ticks(y)) {
      const at = this.sy(value);
      svg("path", { d: `M${LEFT} ${at}h${this.box.width}`, class: "grid" }, this.axes);
      svg("text", { x: LEFT - 5, y: at + 4, "text-anchor": "end" }, this.axes).textContent = text;
    }
    const middle = LEFT + this.box.width / 2;
    const below = { x: middle, y: this.height - 5, "text-anchor": "middle", class: "name" };
    svg("text", below, this.axes).textContent = x.label;
    const beside = { x: LEFT + 6, y: TOP + 15, class: "name" };
    svg("text", beside, this.axes).textContent = y.label;
    return true;
  }

  /** The path called `name`, in the order in which they are first named; marks above all lines. */
  layer(name, tag = "path") {
    const group = MARKS.includes(name) ? this.marks : this.lines;
    this.layers[name] ??= svg(tag, { class: name }, group);
    return this.layers[name];
  }

  draw(name, d) {
    this.layer(name).setAttribute("d", d);
  }

  /** A text beside a point. */
  note(name, x, y, text, anchor = "start") {
    const element = this.layer(name, "text");
    const at = { x: this.sx(x), y: this.sy(y), "text-anchor": anchor };
    for (const [key, value] of Object.entries(at)) element.setAttribute(key, value);
    element.textContent = text;
  }

  /** A line through points of x and y; `every` leaves out those between. */
  line(xs, ys, every = 1) {
    const parts = [], last = ys.length - 1;
    for (let k = 0; k <= last; k += every) parts.push(this.point(xs[k], ys[k]));
    if (last % every) parts.push(this.point(xs[last], ys[last]));
    return parts.length ? `M${parts.join("L")}` : "";
  }

  /** The same of [x, y, x, y, ...]. */
  trail(flat, every = 1) {
    let d = "";
    for (let k = 0; k < flat.length; k += 2 * every) d += (k ? "L" : "M") + this.point(flat[k], flat[k + 1]);
    return d;
  }

  /** A dot at each point; the style gives its size, by the width of its line. */
  dots(xs, ys, chosen = xs.keys()) {
    let d = "";
    for (const k of chosen) d += `M${this.point(xs[k], ys[k])}h0`;
    return d;
  }

  crosses(xs, ys, chosen) {
    let d = "";
    for (const k of chosen) d += `M${this.point(xs[k], ys[k])}m-3-3l6 6m0-6l-6 6`;
    return d;
  }

  upright = (x) => `M${this.sx(x).toFixed(1)} ${TOP}v${this.box.height}`;
  level = (y) => `M${LEFT} ${this.sy(y).toFixed(1)}h${this.box.width}`;
  point = (x, y) => `${this.sx(x).toFixed(1)} ${this.sy(y).toFixed(1)}`;

  /** Where on the axes a pointer is; both must be linear. */
  valueAt(event, x, y) {
    const to = this.root.getScreenCTM().inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(to);
    return [
      x.low + ((at.x - LEFT) / this.box.width) * (x.high - x.low),
      y.high - ((at.y - TOP) / this.box.height) * (y.high - y.low),
    ];
  }
}

/** The contour of a quadratic at `above` its minimum: an ellipse, [w, b, w, b, ...]. */
export function contour({ values, vectors, minimizer }, above) {
  const flat = [];
  const [p, q] = values.map((value) => Math.sqrt((2 * above) / value));
  for (let k = 0; k <= 180; k++) {
    const [cos, sin] = [Math.cos((k * Math.PI) / 90) * p, Math.sin((k * Math.PI) / 90) * q];
    flat.push(
      minimizer[0] + cos * vectors[0][0] + sin * vectors[1][0],
      minimizer[1] + cos * vectors[0][1] + sin * vectors[1][1],
    );
  }
  return flat;
}

function ticks({ low, high, log }) {
  if (log) {
    const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((to - from) / 7));
    const exponents = Array.from({ length: to - from + 1 }, (_, k) => from + k);
    return exponents.filter((k) => (k - from) % every === 0).map((k) => [10 ** k, power(k)]);
  }
  const rough = (high - low) / 5;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * size).find((one) => one >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) {
    const value = Number((k * step).toPrecision(6));
    found.push([value, number(value)]);
  }
  return found;
}
