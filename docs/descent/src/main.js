// The page: its language, its parts, and what a reader may call from the console.
import { confusion } from "./bcpm.js";
import { cancerCommands, pairOf, showCancer } from "./cancer.js";
import { spell, spellAgain } from "./controls.js";
import { depthCommand, networkOf, showDepth } from "./depth.js";
import { showExercises } from "./exercises.js";
import { commandsOf, foretold, problemOf, runOf, showFlats } from "./flats.js";
import { say, speak } from "./language.js";
import { judge } from "./network.js";
import { epochWithin, listing35, listingCommand, showListing } from "./listing.js";
import { analyticIterate, epochsToHundredth, factor, stableInBatches, stableRate } from "./solvers.js";
import { hashOf, stateOf, store } from "./state.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const [data, texts] = [read("data"), read("texts")];
for (const [seed, digits] of data.orders.entries()) data.orders[seed] = Uint8Array.from(digits, Number);

const app = store(stateOf(location.hash));
const { state, set, listen } = app;
const languages = [...document.querySelectorAll("[data-lang]")];

function inLanguage() {
  speak(texts, state.lang);
  document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
  document.title = texts.title[state.lang];
  languages.forEach((button) => button.setAttribute("aria-pressed", button.dataset.lang === state.lang));
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  spellAgain();
}
inLanguage();
for (const element of document.querySelectorAll("[data-t]")) spell(element, element.dataset.t);
listen((names) => { if (names.has("lang")) inLanguage(); });
languages.forEach((button) => button.addEventListener("click", () => set({ lang: button.dataset.lang })));
addEventListener("hashchange", () => {
  const given = stateOf(location.hash);
  if (location.hash.includes("=") && hashOf(given) !== hashOf(state)) set(given);
});

showFlats(data, app);
showListing(data, app);
showCancer(data, app);
showDepth(data, app);
showExercises(data, texts, app);

// The contents lead to a part and leave the rest of the address as it is.
function goTo(part) {
  const section = document.getElementById(part);
  section.scrollIntoView();
  section.focus({ preventScroll: true });
}
for (const link of document.querySelectorAll("nav a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    set({ part: link.hash.slice(1) });
    goTo(state.part);
  });
}

// On a phone the main picture of a part stands above its sliders, and stays there.
const narrow = matchMedia("(max-width: 899px)");
const homes = [...document.querySelectorAll("figure.main")].map((figure) => [figure, figure.parentNode]);
function settle() {
  for (const [figure, home] of homes) {
    (narrow.matches ? figure.closest(".lab").querySelector(".side") : home).prepend(figure);
  }
}
narrow.addEventListener("change", settle);
settle();
if (state.part !== "top") goTo(state.part);

// For the console, and for who wants to hold the page to the solvers.
globalThis.chapter = {
  data, state, set, stateOf, hashOf, problemOf, runOf, foretold, commandsOf, pairOf, confusion, cancerCommands,
  networkOf, judge, depthCommand, listing35, epochWithin, listingCommand, analyticIterate, stableRate,
  stableInBatches, factor, epochsToHundredth,
};
