// A network 2-h-1 learns a border that no line is, epoch by epoch.
import { choice, commands, element, figure, fill, slider, spell } from "./controls.js";
import { Chart, WIDTH } from "./draw.js";
import { number, plain, say } from "./language.js";
import { activations, firstWeights, judge, logit, training } from "./network.js";
import { sigmoid } from "./bcpm.js";
import { meanAndScale } from "./solvers.js";

const CELLS = 64; // of the picture, each way

/** The rows of a drawn example, standardized by those that train: [training, test]. */
export function planeOf({ x, y, labels, trained }) {
  const [mx, sx] = meanAndScale(x.slice(0, trained));
  const [my, sy] = meanAndScale(y.slice(0, trained));
  const part = (from, to) => ({
    x: x.slice(from, to).map((v) => (v - mx) / sx),
    y: y.slice(from, to).map((v) => (v - my) / sy),
    labels: labels.slice(from, to),
  });
  return [part(0, trained), part(trained)];
}

/** The training that a state names, before its first epoch. */
export function networkOf(data, state) {
  const [train, test] = planeOf(data.drawn[state.drawn]);
  const { hidden, activation } = state;
  const start = firstWeights(data.draws[state.nseed], hidden, activation);
  const settings = { hidden, activation, method: state.nmethod, lr: state.nlr, momentum: 0.9, start };
  return { ...training(train, settings), train, test, hidden, activation };
}

export function depthCommand(data, state) {
  const { drawn, hidden, activation, nmethod, nlr, nepochs, nseed } = state;
  const { target, trained } = data.drawn[drawn];
  const named = [`lr=${plain(nlr)}`, `epochs=${nepochs}`, `optimizer="${nmethod}"`];
  const layers = [`hidden=(${hidden},)`, `activation="${activation}"`, ...named, 'batch_size="full"',
    "early_stopping=0", "weight_decay=0", `seed=${nseed}`];
  const model = hidden ? `NetworkClassifier(${layers.join(", ")})` : `BCPMClassifier(${named.join(", ")})`;
  return [
    "import pandas as pd",
    `from pipeline.estimators import ${hidden ? "NetworkClassifier" : "BCPMClassifier"}`,
    `table = pd.read_csv("examples/${drawn}.csv")`,
    `X, y = table[["x", "y"]].to_numpy(), table.${target}.to_numpy()`,
    `model = ${model}`,
    `model.fit(X[:${trained}], y[:${trained}])`,
    `print(model.loss_curve_[-1], model.score(X[${trained}:], y[${trained}:]))`,
  ].join("\n");
}

export function showDepth(data, app) {
  const { state, listen } = app;
  const controls = document.getElementById("depth-controls");
  choice(controls, app, "drawn", Object.keys(data.drawn), (one) => `depth.drawn.${one}`);
  slider(controls, app, "hidden", { low: 0, high: 8, step: 1, shown: (v) => (v ? number(v) : say("depth.line")) });
  choice(controls, app, "activation", Object.keys(activations), (one) => `depth.activations.${one}`);
  choice(controls, app, "nmethod", ["adam", "rmsprop", "momentum", "sgd"], (one) => `methods.${one}`);
  slider(controls, app, "nlr", { low: 1e-3, high: 10, log: "yes", shown: (v) => number(v) });
  slider(controls, app, "nepochs", { low: 1, high: 2000, log: "whole", shown: number });
  slider(controls, app, "nseed", { low: 0, high: 7, step: 1, shown: number });
  const again = spell(element("button", { type: "button", class: "primary" }, controls), "depth.again");

  const [left, right] = ["depth-plane", "depth-beside"].map((id) => document.getElementById(id));
  const stage = element("div", { class: "stage" });
  figure(left, "depth.plane.caption", true).prepend(stage);
  const points = new Chart(stage, { square: true });
  points.root.setAttribute("role", "presentation"); // the canvas below it is the picture
  const plane = element("canvas", { width: CELLS, height: CELLS, role: "img" });
  stage.prepend(plane);
  const { box } = points;
  const share = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(plane.style, {
    left: share(box.x, WIDTH), width: share(box.width, WIDTH),
    top: share(box.y, points.height), height: share(box.height, points.height),
  });
  const curve = new Chart(figure(right, "depth.curve.caption"));
  const units = element("div", { class: "units" }, figure(right, "depth.units.caption"));
  units.parentNode.prepend(units);
  const facts = document.getElementById("depth-facts");
  const writeCommands = commands(document.getElementById("depth-command"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let net, epoch, met, tested, running = 0, canvases = [];

  const SPAN = 2.6; // standard deviations each way
  const axis = (label) => ({ low: -SPAN, high: SPAN, label });

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return ["--class-0", "--paper", "--class-1"].map((name) => {
      const hex = style.getPropertyValue(name).trim();
      return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
    });
  }

  /** Paint values from -1 to 1 over the plane. */
  function paint(canvas, valueAt, [low, middle, high]) {
    const context = canvas.getContext("2d");
    const size = canvas.width;
    const image = context.createImageData(size, size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const value = valueAt((((j + 0.5) / size) * 2 - 1) * SPAN, (1 - ((i + 0.5) / size) * 2) * SPAN);
        const to = value < 0 ? low : high, share = Math.min(1, Math.abs(value)) * 0.6;
        const at = 4 * (i * size + j);
        for (let c = 0; c < 3; c++) image.data[at + c] = middle[c] + share * (to[c] - middle[c]);
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  function draw() {
    const { hidden, activation } = net; // the state may already name the next one's
    const [act] = activations[activation], values = new Float64Array(hidden), shades = colours();
    paint(plane, (x, y) => 2 * sigmoid(logit(net.theta, hidden, act, x, y, values)) - 1, shades);
    canvases.forEach(({ canvas, weight }, k) => {
      paint(canvas, (x, y) => {
        const a = act(x * net.theta[k] + y * net.theta[hidden + k] + net.theta[2 * hidden + k]);
        return activation === "sigmoid" ? 2 * a - 1 : a;
      }, shades);
      weight.textContent = `× ${number(net.theta[3 * hidden + k], 3)}`;
    });
    const every = Math.max(1, Math.floor(met.length / 400));
    const epochs = met.map((_, k) => k);
    curve.axesOf(
      { low: 0, high: state.nepochs, label: say("flats.axes.epoch") },
      { low: 1e-4, high: 10, log: true, label: say("depth.axes.loss") },
    );
    curve.draw("cloud", curve.line(tested.map(([k]) => k), tested.map(([, loss]) => loss)));
    curve.draw("path", curve.line(epochs, met, every));
    const judged = [net.train, net.test].map((rows) => judge(net.theta, hidden, activation, rows));
    const percent = (value) => `${(value * 100).toFixed(1)} %`;
    fill(facts, [
      [say("depth.facts.epoch"), number(epoch), ""],
      [say("depth.facts.loss"), ...judged.map(({ loss }) => number(loss, 5))],
      [say("depth.facts.accuracy"), ...judged.map(({ accuracy }) => percent(accuracy))],
      [say("depth.facts.weights"), number(net.theta.length), ""],
    ]);
    const seen = { epoch, hidden, loss: judged[0].loss, accuracy: percent(judged[1].accuracy), drawn: say(`depth.drawn.${state.drawn}`) };
    plane.setAttribute("aria-label", say("depth.plane.seen", seen));
    curve.root.setAttribute("aria-label", say("depth.curve.seen", seen));
  }

  function advance(count) {
    const stop = Math.min(epoch + count, state.nepochs);
    for (; epoch < stop; epoch++) met.push(net.step());
    const { loss } = judge(net.theta, net.hidden, net.activation, net.test);
    tested.push([epoch, loss]);
  }

  function begin() {
    cancelAnimationFrame(running);
    net = networkOf(data, state);
    [epoch, met, tested] = [0, [], []];
    const { activation } = state;
    units.replaceChildren();
    canvases = Array.from({ length: state.hidden }, (_, k) => {
      const box = element("div", {}, units);
      const canvas = element("canvas", { width: 24, height: 24, role: "img", "aria-label": say("depth.units.seen", { unit: k + 1, activation }) }, box);
      return { canvas, weight: element("span", {}, box) };
    });
    units.parentNode.hidden = state.hidden === 0;
    points.axesOf(axis(say("depth.axes.x")), axis(say("depth.axes.y")));
    const of = (rows, label) => [...rows.labels.keys()].filter((k) => rows.labels[k] === label);
    points.draw("class-0", points.crosses(net.test.x, net.test.y, of(net.test, 0)));
    points.draw("class-1", points.dots(net.test.x, net.test.y, of(net.test, 1)));
    writeCommands([depthCommand(data, state)]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pace = still ? state.nepochs : Math.max(1, Math.round(state.nepochs / 150));
    const next = () => {
      advance(pace);
      draw();
      if (epoch < state.nepochs) running = requestAnimationFrame(next);
      else draw();
    };
    next();
  }

  const OURS = ["drawn", "hidden", "activation", "nmethod", "nlr", "nepochs", "nseed", "lang"];
  listen((names) => { if (OURS.some((name) => names.has(name))) begin(); });
  again.addEventListener("click", begin);
  dark.addEventListener("change", draw);
  begin();
}
