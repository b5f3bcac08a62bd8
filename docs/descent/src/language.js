// Texts in two languages, and numbers as people read them.

const known = { texts: {}, lang: "en" };

export function speak(texts, lang) {
  Object.assign(known, { texts, lang });
}

/** The text at a path such as "flats.title", with {names} filled in. */
export function say(path, values = {}) {
  const found = path.split(".").reduce((node, key) => node?.[key], known.texts)?.[known.lang];
  if (found === undefined) throw new Error(`no text ${path}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => {
    if (!(name in values)) throw new Error(`no value ${name} for the text ${path}`);
    return typeof values[name] === "number" ? number(values[name]) : values[name];
  });
}

/** Four significant digits, or whole; powers of ten beyond a million and below a thousandth. */
export function number(value, digits = 4) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) {
    return `${value}`.replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "−");
  }
  const size = Math.abs(value);
  if (size >= 10 ** digits && size < 1e9) return number(Math.round(value));
  const plain = size >= 1e-3 && size < 1e6;
  const text = plain ? `${Number(value.toPrecision(digits))}` : value.toExponential(digits - 1);
  return text.replace(/\.?0*e/, "e").replace("e+", "e").replace(/-/g, "−");
}

/** A number as code has it: short, and read back the same to six digits. */
export const plain = (value) => `${Number(value.toPrecision(6))}`;

/** A power of ten, as an axis shows it. */
export function power(exponent) {
  if (exponent >= -2 && exponent <= 3) return `${Number((10 ** exponent).toPrecision(1))}`;
  const raised = [...`${exponent}`].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));
  return `10${raised.join("")}`;
}
