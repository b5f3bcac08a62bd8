// Listing 3-5: five million epochs at once, beside what the book prints.
import { commands, figure, fill, slider } from "./controls.js";
import { Chart } from "./draw.js";
import { number, plain, say } from "./language.js";
import { analyticIterate, epochsToHundredth, factor, lossAt, quadratic, stableRate } from "./solvers.js";

const START = [1, 1], RATE = 1e-5, MILLION = 1e6, LATEST = 1e8;

/** Our figures where the book prints its own: the loss before the step of each millionth epoch. */
export function listing35(loss) {
  return [1, 2, 3, 4, 5].map((k) => {
    const before = analyticIterate(loss, START, RATE, k * MILLION - 1);
    return [lossAt(loss, ...before), ...analyticIterate(loss, START, RATE, k * MILLION)];
  });
}

/** The first epoch whose loss is above the least by no more than a share; Infinity if none is. */
export function epochWithin(loss, lr, share) {
  if (lr >= stableRate(loss.values[1])) return Infinity;
  const near = (epoch) => lossAt(loss, ...analyticIterate(loss, START, lr, epoch)) <= loss.minimum * (1 + share);
  let [low, high] = [0, 1];
  while (!near(high)) high *= 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (near(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export function listingCommand({ rate35, epoch35 }) {
  return [
    "import numpy as np",
    "from docs.descent.data import house",
    "from pipeline.solvers.quadratic import analytic_iterate, mean_squared_error",
    "loss = mean_squared_error(house(raw=True))",
    `theta = analytic_iterate(loss, np.ones(2), ${plain(rate35)}, ${epoch35})`,
    "print(theta, loss.values(theta))",
  ].join("\n");
}

export function showListing(data, app) {
  const { state, listen } = app;
  const loss = quadratic(data.flats.area, data.flats.price);
  const controls = document.getElementById("listing-controls");
  slider(controls, app, "epoch35", { low: 1, high: LATEST, log: "whole", shown: number, marks: () => [[5 * MILLION, say("listing.book")]] });
  slider(controls, app, "rate35", {
    low: 1e-7, high: 1e-4, log: "yes", shown: (v) => number(v),
    marks: () => [[stableRate(loss.values[1]), say("flats.stable", { stable: number(stableRate(loss.values[1]), 3) })]],
  });
  const chart = new Chart(figure(document.getElementById("listing-picture"), "listing.caption", true));
  const [facts, table] = ["listing-facts", "listing-table"].map((id) => document.getElementById(id));
  const why = document.getElementById("listing-why");
  const writeCommands = commands(document.getElementById("listing-command"));
  const epochs = Array.from({ length: 401 }, (_, k) => 10 ** (k / 50));

  function update(names) {
    if (names && !["epoch35", "rate35", "lang"].some((name) => names.has(name))) return;
    const { rate35: lr, epoch35: epoch } = state;
    const at = (k, rate = lr) => lossAt(loss, ...analyticIterate(loss, START, rate, k));
    chart.axesOf(
      { low: 1, high: LATEST, log: true, label: say("flats.axes.epoch") },
      { low: 10, high: 1e5, log: true, label: say("flats.axes.loss") },
    );
    const shown = (value) => (Number.isFinite(value) ? value : 1e300);
    chart.draw("best", chart.level(loss.minimum));
    chart.draw("cloud", chart.line(epochs, epochs.map((k) => at(k, RATE))));
    chart.draw("path", chart.line(epochs, epochs.map((k) => shown(at(k)))));
    chart.draw("points", chart.dots([1, 2, 3, 4, 5].map((k) => k * MILLION), data.book.map(([value]) => Number(value))));
    chart.draw("here", chart.dots([epoch], [shown(at(epoch))]));
    const [w, b] = analyticIterate(loss, START, lr, epoch);
    const value = at(epoch);
    chart.root.setAttribute("aria-label", say("listing.seen", { epoch, lr, loss: value, least: loss.minimum }));
    const [slow, steep] = loss.values.map((one) => factor(lr, one));
    fill(facts, [
      [say("flats.facts.w"), number(w, 6), number(loss.minimizer[0], 6)],
      [say("flats.facts.b"), number(b, 6), number(loss.minimizer[1], 6)],
      [say("flats.facts.loss"), number(value, 6), number(loss.minimum, 6)],
      [say("flats.facts.price"), number(140 * w + b, 5), number(140 * loss.minimizer[0] + loss.minimizer[1], 5)],
    ]);
    fill(table, listing35(loss).map((row, k) => [
      number((k + 1) * MILLION),
      ...row.flatMap((ours, part) => [data.book[k][part], ours.toFixed(7)]),
    ]));
    const late = at(5 * MILLION, RATE);
    const ratio = loss.values[1] / loss.values[0];
    const root = (Math.sqrt(ratio) - 1) / (Math.sqrt(ratio) + 1); // of the best momentum
    const best = 2 / (loss.values[0] + loss.values[1]);
    why.innerHTML = say("listing.why", {
      above: number((late / loss.minimum - 1) * 100, 3),
      slow: loss.values[0], steep: loss.values[1], ratio: number(ratio, 6),
      taken: number(RATE * loss.values[0], 3),
      left: number(factor(RATE, loss.values[0]) ** (5 * MILLION) * 100, 3),
      hundredth: epochsToHundredth(factor(RATE, loss.values[0])),
      within: epochWithin(loss, RATE, 0.001),
      bestEpochs: epochsToHundredth(factor(best, loss.values[0])),
      best: number(best, 3), momentum: number(root ** 2, 4), momentumEpochs: epochsToHundredth(root),
    });
    const fits = steep < 1;
    document.getElementById("listing-now").innerHTML = say(fits ? "listing.now" : "listing.grows", {
      lr, stable: stableRate(loss.values[1]), left: number(slow ** epoch * 100, 3), steep: number(steep, 4),
      within: number(epochWithin(loss, lr, 0.001)),
    });
    writeCommands([listingCommand(state)]);
  }
  listen(update);
  update();
}
