// Case 2, breast cancer: BCPM on two features, its border, and what the threshold costs.
import { cheapest, confusion, costOf, fitPair, probabilities, standardizedPair } from "./bcpm.js";
import { choice, commands, figure, fill, slider } from "./controls.js";
import { Chart } from "./draw.js";
import { number, plain, say } from "./language.js";
import { METHODS } from "./state.js";

/** The rows that train, in the table's order. */
export function trainingRows({ labels, test }) {
  const held = new Set(test);
  return labels.map((_, row) => row).filter((row) => !held.has(row));
}

/** The fit that a state names, and what it says of the rows. */
export function pairOf(table, state) {
  const train = trainingRows(table);
  const pair = standardizedPair([table.columns[state.first], table.columns[state.second]], train);
  const settings = { method: state.bmethod, lr: state.blr, momentum: 0.9, epochs: state.bepochs };
  const { theta, losses } = fitPair(pair, table.labels, train, settings);
  return { pair, theta, losses, train, onTest: probabilities(pair, theta, table.test), onTrain: probabilities(pair, theta, train) };
}

export function cancerCommands(table, state) {
  const names = [...new Set([table.names[state.first], table.names[state.second]])];
  const named = [`lr=${plain(state.blr)}`, `epochs=${state.bepochs}`];
  const method = state.bmethod === "sgd" ? [] : [state.bmethod];
  const typed = [...named, ...method.map((one) => `optimizer=${one}`), `datasets.breast_cancer.evaluate.threshold=${plain(state.threshold)}`];
  return [
    [
      "import pandas as pd",
      "from pipeline.core.preprocessing import split_rows",
      "from pipeline.estimators import BCPMClassifier",
      'table = pd.read_csv("data/raw/breast_cancer.csv")',
      "train, test = split_rows(len(table), 0.2, 1234)",
      `X, y = table[${JSON.stringify(names)}].to_numpy(), table.target.to_numpy()`,
      `model = BCPMClassifier(${[...named, ...method.map((one) => `optimizer="${one}"`)].join(", ")}).fit(X[train], y[train])`,
      "p = model.predict_proba(X[test])[:, 1]  # of benign",
      `print(pd.crosstab(y[test], (p >= ${plain(state.threshold)}).astype(int)))`,
    ].join("\n"),
    `dvc exp run ${typed.map((one) => `-S ${one}`).join(" ")}  # all thirty features`,
  ];
}

export function showCancer(data, app) {
  const { state, set, listen } = app;
  const table = data.cancer;
  let fitted = pairOf(table, state);
  const trainLabels = () => fitted.train.map((row) => table.labels[row]);
  const controls = document.getElementById("cancer-controls");
  const shownName = (k) => table.names[k].replaceAll("_", " ");
  const indices = table.names.map((_, k) => k);
  choice(controls, app, "first", indices, (k) => `features.${table.names[k]}`);
  choice(controls, app, "second", indices, (k) => `features.${table.names[k]}`);
  choice(controls, app, "bmethod", METHODS, (one) => `methods.${one}`);
  slider(controls, app, "blr", { low: 1e-3, high: 10, log: "yes", shown: (v) => number(v) });
  slider(controls, app, "bepochs", { low: 1, high: 500, log: "whole", shown: number });
  const threshold = slider(controls, app, "threshold", {
    by: ["cost"],
    low: 0.01, high: 0.99, step: 0.01, shown: (v) => v.toFixed(2),
    marks: () => [[cheapest(fitted.onTrain, trainLabels(), state.cost), say("cancer.cheapest")]],
  });
  slider(controls, app, "cost", { low: 1, high: 100, log: "whole", shown: number });
  choice(controls, app, "reading", ["data", "book"], (one) => `cancer.readings.${one}`);

  const pictures = document.getElementById("cancer-pictures");
  const plane = new Chart(figure(pictures, "cancer.plane.caption", true), { square: true });
  const costs = new Chart(figure(pictures, "cancer.costs.caption"));
  const [matrix, facts, note] = ["cancer-matrix", "cancer-facts", "cancer-note"].map((id) => document.getElementById(id));
  const writeCommands = commands(document.getElementById("cancer-command"));
  const testLabels = table.test.map((row) => table.labels[row]);

  const within = (column) => {
    const [low, high] = [Math.min(...column), Math.max(...column)];
    const margin = (high - low) * 0.03;
    return { low: low - margin, high: high + margin };
  };

  function drawPlane() {
    const [a, b] = [table.columns[state.first], table.columns[state.second]];
    const [x, y] = [within(a), within(b)];
    plane.axesOf({ ...x, label: say(`features.${table.names[state.first]}`) }, { ...y, label: say(`features.${table.names[state.second]}`) });
    const of = (rows, label) => rows.filter((row) => table.labels[row] === label);
    plane.layer("side");
    plane.draw("benign train", plane.dots(a, b, of(fitted.train, 1)));
    plane.draw("malignant train", plane.crosses(a, b, of(fitted.train, 0)));
    plane.draw("benign", plane.dots(a, b, of(table.test, 1)));
    plane.draw("malignant", plane.crosses(a, b, of(table.test, 0)));
  }

  /** Where p is the threshold: w1 x1 + w2 x2 + b = log(t / (1 - t)), on features as given. */
  function drawBorder() {
    const [a, b] = [table.columns[state.first], table.columns[state.second]];
    const [x, y] = [within(a), within(b)];
    const [w1, w2] = [fitted.theta[0] / fitted.pair[0].scale, fitted.theta[1] / fitted.pair[1].scale];
    const offset = fitted.theta[2] - w1 * fitted.pair[0].mean - w2 * fitted.pair[1].mean;
    const border = Math.log(state.threshold / (1 - state.threshold)) - offset;
    // The part of the picture's box on the benign side, cut by the line (Sutherland and Hodgman).
    const corners = [[x.low, y.low], [x.high, y.low], [x.high, y.high], [x.low, y.high]];
    const above = ([p, q]) => w1 * p + w2 * q - border;
    const kept = [], cut = [];
    corners.forEach((corner, k) => {
      const next = corners[(k + 1) % 4];
      const [here, there] = [above(corner), above(next)];
      if (here >= 0) kept.push(corner);
      if (here >= 0 !== there >= 0) {
        const share = here / (here - there);
        const point = corner.map((v, i) => v + share * (next[i] - v));
        kept.push(point);
        cut.push(point);
      }
    });
    const d = (points) => (points.length ? `M${points.map((p) => plane.point(...p)).join("L")}` : "");
    plane.draw("side", `${d(kept)}${kept.length ? "Z" : ""}`);
    plane.draw("border", d(cut));
    const wrong = table.test.filter((row, k) => (fitted.onTest[k] >= state.threshold ? 1 : 0) !== table.labels[row]);
    plane.draw("wrong", wrong.map((row) => `M${plane.point(a[row], b[row])}m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0`).join(""));
  }

  function drawCosts() {
    const tried = Array.from({ length: 99 }, (_, k) => (k + 1) / 100);
    const of = (found, labels) => tried.map((one) => costOf(confusion(found, labels, one), state.cost));
    const [test, train] = [of(fitted.onTest, testLabels), of(fitted.onTrain, trainLabels())];
    const share = table.test.length / fitted.train.length; // training costs as of so many rows
    const all = [...test, ...train.map((one) => one * share)];
    costs.axesOf(
      { low: 0, high: 1, label: say("cancer.axes.threshold") },
      { low: 0, high: Math.max(...all, 1) * 1.1, label: say("cancer.axes.cost") },
    );
    costs.draw("cloud train", costs.line(tried, train.map((one) => one * share)));
    costs.draw("path", costs.line(tried, test));
    costs.draw("stable", costs.upright(cheapest(fitted.onTrain, trainLabels(), state.cost)));
    const now = costOf(confusion(fitted.onTest, testLabels, state.threshold), state.cost);
    costs.draw("here", costs.dots([state.threshold], [now]));
    costs.root.setAttribute("aria-label", say("cancer.costs.seen", { threshold: state.threshold, now }));
  }

  function update(names) {
    const changed = (...wanted) => !names || wanted.some((name) => names.has(name));
    const fitting = changed("first", "second", "blr", "bepochs", "bmethod");
    if (!fitting && !changed("threshold", "cost", "reading", "lang")) return;
    if (fitting) fitted = pairOf(table, state);
    if (fitting || changed("lang")) drawPlane();
    drawBorder();
    drawCosts();
    const counts = confusion(fitted.onTest, testLabels, state.threshold);
    const [[caught, missed], [alarms, calm]] = counts;
    const book = state.reading === "book";
    // Read as the book has it, label 1 is called cancer: the same counts under swapped names.
    const names01 = book ? ["healthy", "cancer"] : ["malignant", "benign"];
    const name = (label) => `${say(`cancer.${names01[label]}`)} (${label})`;
    document.getElementById("said-0").textContent = name(0);
    document.getElementById("said-1").textContent = name(1);
    fill(matrix, [[name(0), number(caught), number(missed)], [name(1), number(alarms), number(calm)]]);
    const recall = book ? calm / (calm + alarms) : caught / (caught + missed);
    const precision = book ? calm / (calm + missed) : caught / (caught + alarms);
    const percent = (value) => (Number.isNaN(value) ? "–" : `${(value * 100).toFixed(1)} %`);
    const best = cheapest(fitted.onTrain, trainLabels(), state.cost);
    const bestCounts = confusion(fitted.onTest, testLabels, best);
    fill(facts, [
      [say("cancer.facts.accuracy"), percent((caught + calm) / table.test.length)],
      [say("cancer.facts.recall"), percent(recall)],
      [say("cancer.facts.precision"), percent(precision)],
      [say("cancer.facts.cost", { missed, alarms, cost: state.cost }), number(costOf(counts, state.cost))],
      [say("cancer.facts.best", { best: best.toFixed(2) }), number(costOf(bestCounts, state.cost))],
      [say("cancer.facts.loss"), number(fitted.losses.at(-1), 5)],
    ]);
    note.innerHTML = say(`cancer.note.${state.reading}`, { missed, malignant: caught + missed, benign: alarms + calm, recall: percent(recall) });
    note.className = book ? "warning" : "";
    plane.root.setAttribute("aria-label", say("cancer.plane.seen", {
      first: shownName(state.first), second: shownName(state.second), threshold: state.threshold, missed, alarms,
    }));
    writeCommands(cancerCommands(table, state));
    threshold.write(); // its mark hangs on the fit
  }
  listen(update);
  update();
  const pick = document.getElementById("cancer-pick");
  pick.addEventListener("click", () => set({ threshold: cheapest(fitted.onTrain, trainLabels(), state.cost) }));
}
