// The six flats: the loss surface with the path, the line over the points, the loss by epoch; which
// rates are stable, and how long the slow direction takes.
import { choice, commands, element, figure, fill, slider, spell } from "./controls.js";
import { Chart, contour } from "./draw.js";
import { number, plain, say } from "./language.js";
import {
  descend, epochsToHundredth, factor, lossAt, meanAndScale, pairwiseMean,
  quadratic, stableInBatches, stableRate,
} from "./solvers.js";
import { LIMITS, METHODS } from "./state.js";

const STEPLESS = ["closed_form", "pairwise_mean"];
const MOST_DRAWN = 2000; // points of a path; of a longer one each epoch's last is drawn
const MOST_OF_CLOUD = 250; // of each other order's path: of longer ones every second epoch, or third, ...
const LEVELS = [10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5];

export const PRESETS = {
  first: {},
  small: { lr: 0.01 },
  once: { lr: 0.5 },
  over: { lr: 1.5, epochs: 20 },
  raw: { scale: "raw", lr: 1e-5, epochs: 1000, w0: 1, b0: 1 },
  rawStable: { scale: "raw", lr: 8.25e-5, epochs: 1000, w0: 1, b0: 1 },
  batches: { batch: 1, lr: 0.1, epochs: 30 },
  momentum: { method: "momentum", lr: 0.01, epochs: 200 },
  adam: { method: "adam", lr: 10 },
  pairs: { method: "pairwise_mean" },
};
const UNDER_PRESETS = { scale: "standardized", method: "sgd", lr: 0.1, epochs: 100, batch: 6, momentum: 0.9, seed: 0, w0: 0, b0: 0 };

/** The problem that a state names: rows, its quadratic, and the rates of its steps. */
export function problemOf({ flats }, scale) {
  const [mean, deviation] = meanAndScale(flats.area);
  const raw = scale === "raw";
  const x = raw ? flats.area : flats.area.map((v) => (v - mean) / deviation);
  return { x, y: flats.price, loss: quadratic(x, flats.price), seen: (area) => (raw ? area : (area - mean) / deviation) };
}

/** The run that a state names: a path, its losses, and where it ends. */
export function runOf(data, problem, state, seed = state.seed) {
  const { x, y, loss } = problem;
  if (STEPLESS.includes(state.method)) {
    const theta = state.method === "closed_form" ? loss.minimizer : pairwiseMean(x, y).theta;
    return { path: Float64Array.from(theta), losses: [lossAt(loss, ...theta)], perEpoch: 1, diverged: 0 };
  }
  return descend(x, y, [state.w0, state.b0], { ...state, order: data.orders[seed] });
}

/** Whether the loss will grow, before any step is taken: yes, no, or perhaps, and why. */
export function foretold(problem, state) {
  const { method, lr, batch } = state;
  if (STEPLESS.includes(method)) return { answer: "no", why: "stepless", values: {} };
  if (["rmsprop", "adam"].includes(method)) return { answer: "no", why: "bounded", values: { lr } };
  const momentum = method === "momentum" ? state.momentum : 0;
  const steep = problem.loss.values[1];
  const stable = stableRate(steep, momentum);
  const values = { lr, stable, steep, left: factor(lr, steep, momentum) };
  if (batch < problem.x.length) {
    const safe = stableInBatches(problem.x, batch);
    const calm = !momentum && lr <= safe;
    return { answer: calm ? "no" : "perhaps", why: calm ? "calm" : "batches", values: { ...values, safe } };
  }
  const edge = Math.abs(lr / stable - 1) < 1e-12;
  if (edge) return { answer: "no", why: "edge", values };
  return { answer: lr > stable ? "yes" : "no", why: lr > stable ? "above" : "below", values };
}

/** What one types here to have the same run. */
export function commandsOf(state) {
  const { method, scale, lr, epochs, batch, momentum, seed, w0, b0 } = state;
  const whole = batch === 6;
  if (STEPLESS.includes(method)) {
    const name = method === "closed_form" ? "ClosedFormRegressor" : "PairwiseMeanRegressor";
    return [[
      "import pandas as pd",
      `from pipeline.estimators import ${name}`,
      'flats = pd.read_csv("data/raw/house.csv")',
      `model = ${name}().fit(flats[["area_m2"]].to_numpy(), flats.price_wan)`,
      "print(model.predict([[140]]))",
    ].join("\n")];
  }
  const named = [`lr=${plain(lr)}`, `epochs=${epochs}`];
  if (method !== "sgd") named.push(`optimizer=${method}`);
  if (method === "momentum") named.push(`momentum=${plain(momentum)}`);
  if (!whole) named.push(`batch_size=${batch}`, `seed=${seed}`);
  if (scale === "standardized" && w0 === 0 && b0 === 0) {
    const quoted = named.map((one) => one.replace(/=([a-z]+)$/, '="$1"')).join(", ");
    return [
      `dvc exp run ${named.map((one) => `-S ${one}`).join(" ")}`,
      [
        "import pandas as pd",
        "from pipeline.estimators import GradientDescentRegressor",
        'flats = pd.read_csv("data/raw/house.csv")',
        `model = GradientDescentRegressor(${quoted})`,
        'model.fit(flats[["area_m2"]].to_numpy(), flats.price_wan)',
        "print(model.predict([[140]]), model.loss_curve_[-1])",
      ].join("\n"),
    ];
  }
  const changes = named.map((one) => one.replace(/=([a-z]+)$/, '="$1"')).join(", ");
  return [[
    "import numpy as np",
    "from docs.descent.data import fit_flats",
    `fit = fit_flats(np.array([${plain(w0)}, ${plain(b0)}]), raw=${scale === "raw" ? "True" : "False"}, ${changes})`,
    "print(fit.theta, fit.history[-1])",
  ].join("\n")];
}

export function showFlats(data, app) {
  const { state, set, listen } = app;
  const problems = { raw: problemOf(data, "raw"), standardized: problemOf(data, "standardized") };
  const pairs = pairwiseMean(data.flats.area, data.flats.price).lines;

  const presets = document.getElementById("presets");
  for (const [name, changes] of Object.entries(PRESETS)) {
    const button = spell(element("button", { type: "button" }, presets), `flats.presets.${name}`);
    button.addEventListener("click", () => set({ ...UNDER_PRESETS, ...changes }));
  }

  const controls = document.getElementById("flats-controls");
  choice(controls, app, "scale", ["standardized", "raw"], (one) => `flats.scales.${one}`);
  choice(controls, app, "method", [...METHODS, ...STEPLESS], (one) => `methods.${one}`);
  const momentum = () => (state.method === "momentum" ? state.momentum : 0);
  const rate = slider(controls, app, "lr", {
    low: 1e-6, high: 100, log: "yes", shown: (v) => number(v), by: ["scale", "method", "momentum"],
    marks: () => {
      if (!["sgd", "momentum"].includes(state.method)) return [];
      const stable = stableRate(problems[state.scale].loss.values[1], momentum());
      return [[stable, say("flats.stable", { stable: number(stable, 3) })]];
    },
  });
  const knobs = {
    lr: rate,
    epochs: slider(controls, app, "epochs", { low: 1, high: 1000, log: "whole", shown: number }),
    batch: slider(controls, app, "batch", { low: 1, high: 6, step: 1, shown: (v) => (v === 6 ? say("flats.whole") : number(v)) }),
    seed: slider(controls, app, "seed", { low: 0, high: 7, step: 1, shown: number }),
    momentum: slider(controls, app, "momentum", { low: 0, high: 0.99, step: 0.01, shown: number }),
    w0: slider(controls, app, "w0", { low: () => LIMITS.w0[state.scale][0], high: () => LIMITS.w0[state.scale][1], step: 0.1, shown: number, by: ["scale"] }),
    b0: slider(controls, app, "b0", { low: () => LIMITS.b0[state.scale][0], high: () => LIMITS.b0[state.scale][1], step: 1, shown: number, by: ["scale"] }),
  };

  const [left, right] = ["surface", "beside"].map((id) => document.getElementById(id));
  const surface = new Chart(figure(left, "flats.surface.caption", true), { square: true });
  const line = new Chart(figure(right, "flats.line.caption"));
  const losses = new Chart(figure(right, "flats.loss.caption"));
  surface.root.classList.add("draggable");

  // Step by step: how many steps of the path are shown; all, unless the reader goes through them.
  const walk = document.getElementById("walk");
  const play = spell(element("button", { type: "button", class: "primary" }, walk), "flats.play");
  spell(element("label", { for: "step" }, walk), "flats.step");
  const stepper = element("input", { type: "range", id: "step", min: 0, step: 1 }, walk);
  const stepShown = element("output", { for: "step" }, walk);
  let shownSteps = Infinity, playing = 0, run, problem;

  const question = document.getElementById("question");
  spell(element("h3", {}, question), "flats.question.title");
  const buttons = ["yes", "no"].map((answer) => {
    const button = spell(element("button", { type: "button" }, question), `flats.question.${answer}`);
    button.addEventListener("click", () => answered(answer));
    return button;
  });
  const askBox = element("label", { class: "check" }, question);
  const ask = element("input", { type: "checkbox", id: "ask" }, askBox);
  spell(element("span", {}, askBox), "flats.question.ask");
  ask.addEventListener("change", () => set({ ask: ask.checked ? "yes" : "no" }));
  const verdict = element("p", { role: "status", class: "verdict" }, question);
  let open = state.ask === "no"; // whether the run may be seen

  const facts = document.getElementById("flats-facts");
  const eigen = document.getElementById("eigen");
  const writeCommands = commands(document.getElementById("flats-command"));

  const axes = () => [
    { low: LIMITS.w0[state.scale][0], high: LIMITS.w0[state.scale][1], label: say(`flats.axes.${state.scale}`) },
    { low: LIMITS.b0[state.scale][0], high: LIMITS.b0[state.scale][1], label: say("flats.axes.b") },
  ];

  function compute() {
    problem = problems[state.scale];
    run = runOf(data, problem, state);
    run.cloud = state.batch < 6 && !STEPLESS.includes(state.method)
      ? data.orders.map((_, seed) => (seed === state.seed ? run : runOf(data, problem, state, seed)))
      : [];
  }

  const steps = () => run.path.length / 2 - 1;
  const every = () => (steps() > MOST_DRAWN ? run.perEpoch : 1);

  function drawSurface() {
    if (surface.axesOf(...axes())) {
      LEVELS.forEach((above) => surface.draw(`contour c${above}`, `${surface.trail(contour(problem.loss, above))}Z`));
    }
    const cloud = open ? run.cloud : [];
    data.orders.forEach((_, seed) => {
      const one = cloud[seed];
      const skip = one && Math.max(1, Math.floor(one.path.length / 2 / MOST_OF_CLOUD)) * one.perEpoch;
      surface.draw(`cloud s${seed}`, one && seed !== state.seed ? surface.trail(one.path, skip) : "");
    });
    surface.draw("minimum", `M${surface.point(...problem.loss.minimizer)}m-6 0h12m-6-6v12`);
  }

  function drawStep() {
    const step = open ? Math.min(shownSteps, steps()) : 0;
    const part = run.path.subarray(0, 2 * step + 2);
    surface.draw("path", surface.trail(part, step === steps() ? every() : 1));
    const dotted = Math.min(step, 300);
    let dots = "";
    for (let k = 0; k <= dotted; k++) dots += `M${surface.point(part[2 * k], part[2 * k + 1])}h0`;
    surface.draw("steps", dots);
    const [w, b] = [part[2 * step], part[2 * step + 1]];
    surface.draw("here", `M${surface.point(w, b)}h0`);

    const price = (area) => w * problem.seen(area) + b;
    const best = (area) => problem.loss.minimizer[0] * problem.seen(area) + problem.loss.minimizer[1];
    line.draw("fit", line.line([60, 160], [60, 160].map(price)));
    line.draw("prediction", line.dots([140], [price(140)]));

    const epoch = step / run.perEpoch;
    const value = lossAt(problem.loss, w, b);
    losses.draw("here", open ? losses.dots([epoch], [Math.max(value, 1e-9)]) : "");
    stepper.max = steps();
    stepper.value = step;
    stepShown.textContent = `${number(step)} / ${number(steps())}`;
    stepper.setAttribute("aria-valuetext", stepShown.textContent);
    stepper.disabled = play.disabled = steps() < 1 || !open;

    const least = problem.loss.minimum;
    fill(facts, [
      [say("flats.facts.w"), number(w, 6), number(problem.loss.minimizer[0], 6)],
      [say("flats.facts.b"), number(b, 6), number(problem.loss.minimizer[1], 6)],
      [say("flats.facts.loss"), number(value, 6), number(least, 6)],
      [say("flats.facts.price"), number(price(140), 5), number(best(140), 5)],
    ]);
    const seen = { steps: step, w, b, loss: value, least, method: say(`methods.${state.method}`) };
    surface.root.setAttribute("aria-label", say("flats.surface.seen", seen));
    line.root.setAttribute("aria-label", say("flats.line.seen", { w, b, price: price(140) }));
  }

  function drawLine() {
    const { area, price } = data.flats;
    line.axesOf(
      { low: 60, high: 160, label: say("flats.axes.area") },
      { low: 0, high: 350, label: say("flats.axes.price") },
    );
    const lines = state.method === "pairwise_mean" && open ? pairs : [];
    line.draw("cloud pairs", lines.map(([w, b]) => line.line([60, 160], [60 * w + b, 160 * w + b])).join(""));
    const [w, b] = problems.raw.loss.minimizer;
    line.draw("best", line.line([60, 160], [60 * w + b, 160 * w + b]));
    line.layer("fit");
    line.draw("points", line.dots(area, price));
  }

  function drawLosses() {
    const least = problem.loss.minimum;
    const met = open ? run.losses : [];
    const highest = met.reduce((a, b) => Math.max(a, b), lossAt(problem.loss, state.w0, state.b0));
    const top = 10 ** Math.min(Math.max(Math.ceil(Math.log10(highest)), 5), 300);
    const first = run.perEpoch > 1 ? 1 : 0; // the loss of an epoch of batches is met in it
    losses.axesOf(
      { low: 0, high: Math.max(STEPLESS.includes(state.method) ? 1 : state.epochs, 1), label: say("flats.axes.epoch") },
      { low: 10, high: top, log: true, label: say("flats.axes.loss") },
    );
    losses.draw("best", losses.level(least));
    const epochs = Array.from({ length: state.epochs + 1 }, (_, k) => k + first);
    const path = (values, most) => losses.line(epochs, values, Math.max(1, Math.floor(values.length / most)));
    data.orders.forEach((_, seed) => {
      const one = open ? run.cloud[seed] : undefined;
      losses.draw(`cloud s${seed}`, one && seed !== state.seed ? path(one.losses, MOST_OF_CLOUD) : "");
    });
    losses.draw("path", path(met, MOST_DRAWN));
    const last = met.at(-1) ?? NaN;
    const ended = run.diverged ? "flats.loss.broke" : "flats.loss.seen";
    losses.root.setAttribute("aria-label", say(ended, { from: met[0] ?? NaN, last, least, epoch: run.diverged }));
  }

  function drawRates() {
    const known = STEPLESS.includes(state.method) || ["rmsprop", "adam"].includes(state.method);
    const { values } = problem.loss;
    const rates = Array.from({ length: 351 }, (_, k) => 10 ** (k / 50 - 6));
    rateChart.axesOf(
      { low: 1e-6, high: 10, log: true, label: say("flats.axes.lr") },
      { low: 0, high: 1.5, label: say("flats.axes.left") },
    );
    const stable = stableRate(values[1], momentum());
    const factors = (value) => rates.map((lr) => factor(lr, value, momentum()));
    rateChart.draw("beyond", `${rateChart.upright(stable)}H${rateChart.sx(10)}V${rateChart.sy(1.5)}Z`);
    rateChart.draw("best", rateChart.level(1));
    rateChart.draw("slow", rateChart.line(rates, factors(values[0])));
    rateChart.draw("steep", rateChart.line(rates, factors(values[1])));
    rateChart.draw("stable", rateChart.upright(stable));
    rateChart.draw("here", known ? "" : rateChart.dots([state.lr, state.lr], values.map((v) => factor(state.lr, v, momentum()))));
    rateChart.root.setAttribute("aria-label", say("rates.seen", { stable, lr: state.lr }));
    const left = values.map((value) => (known ? NaN : factor(state.lr, value, momentum())));
    fill(eigen, ["slow", "steep"].map((name, k) => [
      say(`rates.${name}`), number(values[k], 6), number(left[k], 8),
      known ? "–" : number(epochsToHundredth(left[k])),
    ]));
  }

  spell(document.getElementById("rates-intro"), "rates.intro", { stable: number(stableRate(problems.raw.loss.values[1]), 3) });
  const rateFigure = figure(document.getElementById("rate-picture"), "rates.caption");
  const rateChart = new Chart(rateFigure);

  function answered(answer) {
    open = true;
    redraw();
    const truth = foretold(problem, state);
    const grew = run.diverged > 0 || run.losses.at(-1) > lossAt(problem.loss, state.w0, state.b0) * (1 + 1e-9);
    const right = truth.answer === "perhaps" ? (grew ? "yes" : "no") : truth.answer;
    verdict.innerHTML = `${say(`flats.question.${answer === right ? "right" : "wrong"}`)} ${explain(truth)}`;
    start();
  }

  function explain({ why, values }) {
    return say(`flats.foretold.${why}`, values);
  }

  function start() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || steps() < 2) return;
    cancelAnimationFrame(playing);
    const speed = Math.max(steps() / 240, 0.15); // four seconds for all, or seven frames a step
    shownSteps = 0;
    const next = () => {
      shownSteps += speed;
      if (shownSteps >= steps()) shownSteps = Infinity;
      else playing = requestAnimationFrame(next);
      drawAt(Math.floor(shownSteps));
    };
    playing = requestAnimationFrame(next);
  }

  function drawAt(step) {
    const kept = shownSteps;
    shownSteps = step;
    drawStep();
    shownSteps = kept;
  }

  play.addEventListener("click", start);
  stepper.addEventListener("input", () => {
    cancelAnimationFrame(playing);
    shownSteps = Number(stepper.value);
    drawStep();
  });
  const drag = (event) => {
    const [w, b] = surface.valueAt(event, ...axes());
    const within = (v, [low, high], digits) => Number(Math.min(high, Math.max(low, v)).toFixed(digits));
    set({ w0: within(w, LIMITS.w0[state.scale], 1), b0: within(b, LIMITS.b0[state.scale], 0) });
  };
  surface.root.addEventListener("pointerdown", (event) => {
    if (STEPLESS.includes(state.method)) return;
    surface.root.setPointerCapture(event.pointerId);
    drag(event);
  });
  surface.root.addEventListener("pointermove", (event) => {
    if (surface.root.hasPointerCapture(event.pointerId)) drag(event);
  });

  const OURS = ["scale", "method", "lr", "epochs", "batch", "momentum", "seed", "w0", "b0", "ask", "lang"];
  let spoken = 0;
  function redraw() {
    compute();
    drawSurface();
    drawLine();
    drawLosses();
    drawStep();
  }
  function update(names) {
    if (names && !OURS.some((name) => names.has(name))) return;
    const ratesChange = !names || ["scale", "method", "lr", "momentum", "lang"].some((name) => names.has(name));
    if (names?.has("scale") && !names.has("lr")) toScale();
    cancelAnimationFrame(playing);
    shownSteps = Infinity;
    open = state.ask === "no";
    const stepless = STEPLESS.includes(state.method);
    knobs.momentum.box.hidden = state.method !== "momentum";
    knobs.seed.box.hidden = stepless || state.batch === 6;
    for (const name of ["lr", "epochs", "batch", "w0", "b0"]) knobs[name].box.hidden = stepless;
    walk.hidden = stepless;
    ask.checked = state.ask === "yes";
    redraw();
    if (ratesChange) drawRates();
    writeCommands(commandsOf(state));
    // A screen reader is told once a slider rests.
    clearTimeout(spoken);
    const text = open ? explain(foretold(problem, state)) : say("flats.question.first");
    spoken = setTimeout(() => { verdict.innerHTML = text; }, 250);
  }
  /** Another scale: the rate keeps its share of the stable one, the start its line. */
  function toScale() {
    const other = state.scale === "raw" ? problems.standardized : problems.raw;
    const share = state.lr / stableRate(other.loss.values[1]);
    const lr = share * stableRate(problems[state.scale].loss.values[1]);
    set({ lr: Number(Math.min(100, Math.max(1e-6, lr)).toPrecision(3)), w0: state.scale === "raw" ? 1 : 0, b0: state.scale === "raw" ? 1 : 0 });
  }
  listen(update);
  update();
}
