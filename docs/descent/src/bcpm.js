// BCPM on two features: P(benign | x) = sigmoid(w1 x1 + w2 x2 + b), as pipeline/solvers/bcpm.py.
import { meanAndScale, optimizer } from "./solvers.js";

export const sigmoid = (z) => 0.5 * Math.tanh(0.5 * z) + 0.5;

/** Binary cross-entropy of a logit, log(1 + exp(z)) - y z, finite wherever z is. */
export const crossEntropy = (z, y) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0) - y * z;

/** Two columns standardized by the rows that train. */
export function standardizedPair(columns, train) {
  return columns.map((column) => {
    const [mean, scale] = meanAndScale(train.map((row) => column[row]));
    return { mean, scale, values: column.map((v) => (v - mean) / scale) };
  });
}

/** Descend from zeros, all rows a step; the loss before each step and after the last. */
export function fitPair([a, b], labels, rows, { method, lr, momentum, epochs }) {
  const theta = new Float64Array(3), gradient = new Float64Array(3), losses = [];
  const step = optimizer(method, lr, momentum, 3);
  for (let epoch = 0; ; epoch++) {
    let value = 0;
    gradient.fill(0);
    for (const row of rows) {
      const [x1, x2, y] = [a.values[row], b.values[row], labels[row]];
      const z = x1 * theta[0] + x2 * theta[1] + theta[2];
      const slope = sigmoid(z) - y;
      value += crossEntropy(z, y);
      gradient[0] += slope * x1;
      gradient[1] += slope * x2;
      gradient[2] += slope;
    }
    losses.push(value / rows.length);
    if (epoch === epochs || !Number.isFinite(value)) return { theta, losses };
    for (let k = 0; k < 3; k++) gradient[k] /= rows.length;
    step(theta, gradient);
  }
}

/** The probability of benign of each row. */
export const probabilities = ([a, b], theta, rows) =>
  rows.map((row) => sigmoid(a.values[row] * theta[0] + b.values[row] * theta[1] + theta[2]));

/** Benign is said from this probability on; counts of [truth][said], malignant first. */
export function confusion(found, labels, threshold) {
  const counts = [[0, 0], [0, 0]];
  found.forEach((p, k) => { counts[labels[k]][p >= threshold ? 1 : 0] += 1; });
  return counts;
}

/** Missed cancers at their cost, and false alarms at 1. */
export const costOf = ([[, missed], [alarms]], cost) => cost * missed + alarms;

/** The threshold, of 0.01, 0.02, ..., 0.99, of the least cost; the middle one of several. */
export function cheapest(found, labels, cost) {
  const tried = Array.from({ length: 99 }, (_, k) => (k + 1) / 100);
  const costs = tried.map((one) => costOf(confusion(found, labels, one), cost));
  const least = Math.min(...costs);
  const best = tried.filter((_, k) => costs[k] === least);
  return best[Math.floor((best.length - 1) / 2)];
}
