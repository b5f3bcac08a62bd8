// Sliders, choices and commands: made from the page's texts, each with its label.
import { say } from "./language.js";

const spoken = []; // what is said anew in another language

/** Set a text now, and again whenever the language changes. */
export function spell(element, path, values) {
  const write = () => { element.innerHTML = say(path, values); };
  spoken.push(write);
  write();
  return element;
}

export const spellAgain = () => spoken.forEach((write) => write());

export function element(tag, attributes, parent) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent?.append(made);
  return made;
}

/**
 * A slider for a number of the state. `log`: by its logarithm, three digits; `marks()` gives what
 * stands below it, as [value, text]; `by` names what its limits and marks hang on.
 */
export function slider(parent, { state, set, listen }, name, { low, high, step, log, shown, marks, by = [] }) {
  const box = element("div", { class: "knob" }, parent);
  spell(element("label", { for: name }, box), `knobs.${name}`);
  const output = element("output", { for: name }, box);
  const input = element("input", { type: "range", id: name, step: log ? 0.01 : step }, box);
  const place = (value) => (log ? Math.log10(value) : value);
  const read = (at) => (log ? Number((10 ** at).toPrecision(3)) : at);
  const whole = (value) => (log === "whole" ? Math.round(value) : value);
  const below = marks && element("div", { class: "marks", "aria-hidden": "true" }, box);
  const write = () => {
    const [from, to] = [low, high].map((v) => place(typeof v === "function" ? v() : v));
    Object.assign(input, { min: from, max: to, value: place(state[name]) });
    output.textContent = shown(state[name]);
    input.setAttribute("aria-valuetext", output.textContent);
    if (!below) return;
    below.replaceChildren();
    for (const [value, text] of marks()) {
      const at = (place(value) - from) / (to - from);
      if (at < 0 || at > 1) continue;
      const mark = element("span", { style: `--at: ${at}`, class: at > 0.6 ? "left" : "" }, below);
      mark.textContent = text;
    }
  };
  input.addEventListener("input", () => set({ [name]: whole(read(Number(input.value))) }));
  const names = [name, "lang", ...by];
  listen((changed) => { if (names.some((one) => changed.has(one))) write(); });
  write();
  return { box, write };
}

/** A choice of words: `texts` has the path of each option's name. */
export function choice(parent, { state, set, listen }, name, options, textOf) {
  const box = element("div", { class: "knob" }, parent);
  spell(element("label", { for: name }, box), `knobs.${name}`);
  const select = element("select", { id: name }, box);
  for (const value of options) spell(element("option", { value }, select), textOf(value));
  const write = () => { select.value = state[name]; };
  select.addEventListener("change", () => {
    const isNumber = typeof state[name] === "number";
    set({ [name]: isNumber ? Number(select.value) : select.value });
  });
  listen((changed) => { if (changed.has(name)) write(); });
  write();
  return box;
}

/** A block of commands that can be copied; the function it gives writes them, once they rest. */
export function commands(parent) {
  const box = element("div", { class: "command" }, parent);
  spell(element("h3", {}, box), "command.title");
  const lines = element("div", {}, box);
  let resting = 0;
  const write = (blocks) => {
    lines.replaceChildren();
    for (const text of blocks) {
      const row = element("div", { class: "code" }, lines);
      const code = element("pre", { tabindex: "0", "aria-label": say("command.title") }, row);
      code.textContent = text;
      const copy = element("button", { type: "button" }, row);
      copy.textContent = say("command.copy");
      copy.addEventListener("click", async () => {
        getSelection().selectAllChildren(code); // to be copied by hand where the browser refuses
        try {
          await navigator.clipboard.writeText(text);
        } catch {
          return;
        }
        copy.textContent = say("command.copied");
      });
    }
  };
  return (blocks) => {
    clearTimeout(resting);
    resting = setTimeout(write, 100, blocks);
  };
}

/** A figure with its caption; of the main one of a part a phone keeps the picture in sight. */
export function figure(parent, path, main = false) {
  const made = element("figure", main ? { class: "main" } : {}, parent);
  spell(element("figcaption", {}, made), path);
  return made;
}

/** Fill the rows of a table's body with texts; a row's first cell names it. */
export function fill(body, rows) {
  while (body.rows.length < rows.length) {
    const row = element("tr", {}, body), [, ...cells] = rows[body.rows.length - 1];
    element("th", { scope: "row" }, row);
    cells.forEach(() => element("td", {}, row));
  }
  rows.forEach((texts, k) => texts.forEach((text, j) => {
    const cell = body.rows[k].cells[j];
    if (cell.textContent !== text) cell.textContent = text;
  }));
}
