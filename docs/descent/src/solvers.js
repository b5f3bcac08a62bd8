// The solvers of pipeline/solvers, for a line over one feature: theta = [w, b].
// A test holds their paths, losses and rates to those of the Python.

/** Mean and standard deviation (of all rows, 1/n). */
export function meanAndScale(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return [mean, Math.sqrt(squares / values.length)];
}

/**
 * The mean squared error of w x + b as what it is, a quadratic:
 * J(theta) = (theta - theta*)' H/2 (theta - theta*) + J*, with H = 2/n A'A and A = [x, 1].
 */
export function quadratic(x, y) {
  const n = x.length;
  const [mx, sx] = meanAndScale(x);
  const [my, sy] = meanAndScale(y);
  const covariance = x.reduce((sum, v, i) => sum + (v - mx) * (y[i] - my), 0) / n;
  const w = covariance / sx ** 2;
  const hessian = [2 * (sx ** 2 + mx ** 2), 2 * mx, 2]; // of ww, wb, bb
  return {
    hessian,
    minimizer: [w, my - w * mx],
    minimum: Math.max(sy ** 2 - w * covariance, 0),
    ...eigen(hessian, 4 * sx ** 2),
  };
}

/** Eigenvalues, the slow one first, and unit eigenvectors; the slow one by the determinant. */
function eigen([a, b, c], determinant) {
  const steep = (a + c + Math.hypot(a - c, 2 * b)) / 2;
  const slow = determinant / steep;
  const angle = Math.atan2(2 * b, a - c) / 2; // of the steep direction
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return { values: [slow, steep], vectors: [[-sin, cos], [cos, sin]] };
}

export function lossAt({ hessian: [a, b, c], minimizer, minimum }, w, bias) {
  const [u, v] = [w - minimizer[0], bias - minimizer[1]];
  return (a * u * u + 2 * b * u * v + c * v * v) / 2 + minimum;
}

/** theta_k = theta* + (I - lr H)^k (theta_0 - theta*): any number of steps at once. */
export function analyticIterate({ values, vectors, minimizer }, start, lr, epoch) {
  const theta = [...minimizer];
  vectors.forEach(([p, q], i) => {
    const gap = p * (start[0] - minimizer[0]) + q * (start[1] - minimizer[1]);
    const left = (1 - lr * values[i]) ** epoch * gap;
    theta[0] += p * left;
    theta[1] += q * left;
  });
  return theta;
}

/** The line of each pair of points, and the mean of all. */
export function pairwiseMean(x, y) {
  const lines = [];
  for (let i = 0; i < x.length; i++) {
    for (let j = i + 1; j < x.length; j++) {
      const w = (y[j] - y[i]) / (x[j] - x[i]);
      lines.push([w, y[i] - w * x[i]]);
    }
  }
  const mean = (k) => lines.reduce((sum, line) => sum + line[k], 0) / lines.length;
  return { lines, theta: [mean(0), mean(1)] };
}

const RMS_DECAY = 0.99, FIRST_DECAY = 0.9, SECOND_DECAY = 0.999, TINY = 1e-8;

/** A function that steps theta in place, along a gradient (formulas 3-14 to 3-17). */
export function optimizer(name, lr, momentum, size) {
  const first = new Float64Array(size), second = new Float64Array(size);
  let t = 0;
  return {
    sgd(theta, g) {
      for (let k = 0; k < size; k++) theta[k] -= lr * g[k];
    },
    momentum(theta, g) {
      for (let k = 0; k < size; k++) {
        first[k] = momentum * first[k] + g[k];
        theta[k] -= lr * first[k];
      }
    },
    rmsprop(theta, g) {
      for (let k = 0; k < size; k++) {
        second[k] = RMS_DECAY * second[k] + (1 - RMS_DECAY) * g[k] * g[k];
        theta[k] -= (lr * g[k]) / (Math.sqrt(second[k]) + TINY);
      }
    },
    adam(theta, g) {
      t += 1;
      const a = 1 - FIRST_DECAY ** t, b = 1 - SECOND_DECAY ** t;
      for (let k = 0; k < size; k++) {
        first[k] = FIRST_DECAY * first[k] + (1 - FIRST_DECAY) * g[k];
        second[k] = SECOND_DECAY * second[k] + (1 - SECOND_DECAY) * g[k] * g[k];
        theta[k] -= (lr * (first[k] / a)) / (Math.sqrt(second[k] / b) + TINY);
      }
    },
  }[name];
}

/**
 * Descend from `start` on the mean squared error of w x + b.
 *
 * With all rows a step `losses` has the loss before each step and after the last; in batches the
 * loss that each epoch met. `order` has the rows of each epoch, one epoch after the other.
 * `path` has theta before each step and after the last, [w, b, w, b, ...]. `diverged` is the epoch
 * whose loss is no longer finite, 0 if there is none.
 */
export function descend(x, y, start, { method, lr, momentum, epochs, batch, order }) {
  const whole = batch >= x.length;
  const loss = quadratic(x, y);
  const step = optimizer(method, lr, momentum, 2);
  const perEpoch = whole ? 1 : Math.ceil(x.length / batch);
  const path = new Float64Array(2 * (epochs * perEpoch + 1));
  const theta = Float64Array.from(start), gradient = new Float64Array(2);
  const losses = [];
  let at = 0, diverged = 0;
  const put = () => {
    path[at++] = theta[0];
    path[at++] = theta[1];
  };
  put();
  if (whole) {
    const [[a, b, c], [w, bias]] = [loss.hessian, loss.minimizer];
    for (let epoch = 0; ; epoch++) {
      const value = lossAt(loss, theta[0], theta[1]);
      if (!Number.isFinite(value)) { diverged = epoch; break; }
      losses.push(value);
      if (epoch === epochs) break;
      const [u, v] = [theta[0] - w, theta[1] - bias];
      gradient[0] = a * u + b * v;
      gradient[1] = b * u + c * v;
      step(theta, gradient);
      put();
    }
  } else {
    for (let epoch = 0; epoch < epochs; epoch++) {
      let met = 0;
      for (let from = 0; from < x.length; from += batch) {
        const to = Math.min(from + batch, x.length);
        let value = 0;
        gradient.fill(0);
        for (let k = from; k < to; k++) {
          const row = order[epoch * x.length + k];
          const error = x[row] * theta[0] + theta[1] - y[row];
          value += error * error;
          gradient[0] += 2 * error * x[row];
          gradient[1] += 2 * error;
        }
        met += value / x.length;
        gradient[0] /= to - from;
        gradient[1] /= to - from;
        step(theta, gradient);
        put();
      }
      if (!Number.isFinite(met)) { diverged = epoch + 1; break; }
      losses.push(met);
    }
    if (!diverged && !Number.isFinite(lossAt(loss, theta[0], theta[1]))) diverged = epochs;
  }
  return { path: path.subarray(0, at), losses, perEpoch, diverged };
}

/** The largest stable rate of sgd (momentum 0) or momentum: 2 (1 + momentum) / lambda. */
export const stableRate = (lambda, momentum = 0) => (2 * (1 + momentum)) / lambda;

/** The smallest of the rates that are stable on a batch: up to it no batch can throw a step out. */
export function stableInBatches(x, batch) {
  let steepest = 0;
  const visit = (from, chosen) => {
    if (chosen.length === batch) {
      const [m, s] = meanAndScale(chosen);
      const [a, b] = [2 * (s ** 2 + m ** 2), 2 * m];
      steepest = Math.max(steepest, (a + 2 + Math.hypot(a - 2, 2 * b)) / 2);
      return;
    }
    for (let k = from; k < x.length; k++) visit(k + 1, [...chosen, x[k]]);
  };
  visit(0, []);
  return 2 / steepest;
}

/**
 * What an epoch leaves, in the long run, of the gap in a direction of this eigenvalue: the spectral
 * radius of the step, |1 - lr lambda|, or with momentum of [[1 + m - lr lambda, -m], [1, 0]].
 */
export function factor(lr, lambda, momentum = 0) {
  if (!momentum) return Math.abs(1 - lr * lambda);
  const trace = 1 + momentum - lr * lambda;
  const inside = trace * trace - 4 * momentum;
  return inside < 0 ? Math.sqrt(momentum) : (Math.abs(trace) + Math.sqrt(inside)) / 2;
}

/** Epochs until a hundredth of the gap is left; Infinity where it does not shrink. */
export function epochsToHundredth(left) {
  if (left >= 1) return Infinity;
  return left === 0 ? 1 : Math.ceil(Math.log(0.01) / Math.log(left));
}
