// A network of one hidden layer, 2-h-1, as pipeline/solvers/network.py; with h = 0 a line alone.
// Its weights stand in a row: W1 (2 x h), b1 (h), W2 (h), b2; without hidden units w (2), b.
import { crossEntropy, sigmoid } from "./bcpm.js";
import { optimizer } from "./solvers.js";

const GAIN = { relu: 2, tanh: 1, sigmoid: 4 };
export const activations = {
  relu: [(z) => Math.max(z, 0), (a) => (a > 0 ? 1 : 0)],
  tanh: [Math.tanh, (a) => 1 - a * a],
  sigmoid: [sigmoid, (a) => a * (1 - a)],
};

/** First weights, uniform within sqrt(3 gain / inputs), from draws between 0 and 1. */
export function firstWeights(draws, hidden, activation) {
  if (hidden === 0) return new Float64Array(3);
  return Float64Array.from({ length: 4 * hidden + 1 }, (_, k) => {
    const bound = Math.sqrt((3 * GAIN[activation]) / (k < 3 * hidden ? 2 : hidden));
    return -bound + 2 * bound * draws[k];
  });
}

/** The logit of a point; `units` is filled with the values of the hidden units. */
export function logit(theta, hidden, act, x, y, units) {
  if (hidden === 0) return x * theta[0] + y * theta[1] + theta[2];
  let z = theta[4 * hidden];
  for (let k = 0; k < hidden; k++) {
    units[k] = act(x * theta[k] + y * theta[hidden + k] + theta[2 * hidden + k]);
    z += units[k] * theta[3 * hidden + k];
  }
  return z;
}

/** Mean cross-entropy, and the share of the rows that are told right. */
export function judge(theta, hidden, activation, { x, y, labels }) {
  const [act] = activations[activation], units = new Float64Array(hidden);
  let loss = 0, right = 0;
  for (let i = 0; i < x.length; i++) {
    const z = logit(theta, hidden, act, x[i], y[i], units);
    loss += crossEntropy(z, labels[i]);
    right += (z > 0) === (labels[i] === 1);
  }
  return { loss: loss / x.length, accuracy: right / x.length };
}

/** A training that takes an epoch, all rows a step, with each call of `step`. */
export function training(rows, { hidden, activation, method, lr, momentum, start }) {
  const { x, y, labels } = rows, n = x.length;
  const [act, slopeOf] = activations[activation];
  const theta = Float64Array.from(start), gradient = new Float64Array(theta.length);
  const move = optimizer(method, lr, momentum, theta.length);
  const units = new Float64Array(hidden);
  const step = () => {
    let value = 0;
    gradient.fill(0);
    for (let i = 0; i < n; i++) {
      const z = logit(theta, hidden, act, x[i], y[i], units);
      const slope = sigmoid(z) - labels[i];
      value += crossEntropy(z, labels[i]);
      if (hidden === 0) {
        gradient[0] += slope * x[i];
        gradient[1] += slope * y[i];
        gradient[2] += slope;
        continue;
      }
      for (let k = 0; k < hidden; k++) {
        const back = slope * theta[3 * hidden + k] * slopeOf(units[k]);
        gradient[k] += back * x[i];
        gradient[hidden + k] += back * y[i];
        gradient[2 * hidden + k] += back;
        gradient[3 * hidden + k] += slope * units[k];
      }
      gradient[4 * hidden] += slope;
    }
    for (let k = 0; k < theta.length; k++) gradient[k] /= n;
    move(theta, gradient);
    return value / n; // before the step
  };
  return { theta, step };
}
