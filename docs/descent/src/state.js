// What the reader has chosen; it stands in the address, so that it can be sent.

const oneOf = (...values) => ({ first: values[0], read: (text) => values.find((v) => `${v}` === text) });
const between = (first, low, high, whole = false) => ({
  first,
  read: (text) => {
    const value = Number(text);
    const fits = text.trim() !== "" && value >= low && value <= high && (!whole || Number.isInteger(value));
    return fits ? value : undefined;
  },
});

export const LIMITS = { w0: { standardized: [-250, 290], raw: [-0.5, 3.5] }, b0: { standardized: [-40, 520], raw: [-120, 300] } };
export const METHODS = ["sgd", "momentum", "rmsprop", "adam"];

export const PARTS = ["top", "flats", "rates", "listing", "cancer", "depth", "exercises"];

export const FIELDS = {
  part: oneOf(...PARTS),
  lang: oneOf("en", "zh"),
  scale: oneOf("standardized", "raw"),
  method: oneOf(...METHODS, "closed_form", "pairwise_mean"),
  lr: between(0.1, 1e-6, 100),
  epochs: between(100, 1, 1000, true),
  batch: between(6, 1, 6, true),
  momentum: between(0.9, 0, 0.99),
  seed: between(0, 0, 7, true),
  w0: between(0, -250, 290),
  b0: between(0, -120, 520),
  ask: oneOf("no", "yes"),
  rate35: between(1e-5, 1e-7, 1e-4),
  epoch35: between(5e6, 1, 1e8, true),
  first: between(0, 0, 29, true),
  second: between(1, 0, 29, true),
  bmethod: oneOf(...METHODS),
  blr: between(0.1, 1e-3, 10),
  bepochs: between(100, 1, 500, true),
  threshold: between(0.5, 0.01, 0.99),
  cost: between(10, 1, 100, true),
  reading: oneOf("data", "book"),
  drawn: oneOf("rings", "xor", "moons"),
  hidden: between(4, 0, 8, true),
  activation: oneOf("tanh", "relu", "sigmoid"),
  nmethod: oneOf("adam", "rmsprop", "momentum", "sgd"),
  nlr: between(0.05, 1e-3, 10),
  nepochs: between(500, 1, 2000, true),
  nseed: between(0, 0, 7, true),
};

/** The state of an address; what it lacks, or has wrong, is as at first. */
export function stateOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const entries = Object.entries(FIELDS).map(([name, { first, read }]) => {
    const text = given.get(name);
    return [name, (text === null ? undefined : read(text)) ?? first];
  });
  return Object.fromEntries(entries);
}

/** The address of a state: what differs from the first one. */
export function hashOf(state) {
  const changed = Object.entries(FIELDS).filter(([name, { first }]) => state[name] !== first);
  return `#${new URLSearchParams(changed.map(([name]) => [name, `${state[name]}`]))}`;
}

/** Keeps the state, tells who listens, and writes it to the address once it rests. */
export function store(state) {
  const listeners = [];
  let waiting = 0, changed = new Set(), resting = 0;
  const tell = () => {
    const names = changed;
    [waiting, changed] = [0, new Set()];
    listeners.forEach((listener) => listener(names));
  };
  const set = (changes) => {
    Object.assign(state, changes);
    Object.keys(changes).forEach((name) => changed.add(name));
    waiting ||= requestAnimationFrame(tell);
    clearTimeout(resting);
    resting = setTimeout(() => history.replaceState(null, "", hashOf(state)), 300);
  };
  return { state, set, listen: (listener) => listeners.push(listener) };
}
