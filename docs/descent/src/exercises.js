// Ten exercises: each answer, right or wrong, is computed, and says what it mistakes.
import { element, spell } from "./controls.js";
import { say } from "./language.js";

export function showExercises(data, texts, { listen }) {
  const list = document.getElementById("exercise-list");
  for (const [name, { right, values }] of Object.entries(data.exercises)) {
    const at = `exercises.${name}`;
    const item = element("li", {}, list);
    const form = element("fieldset", {}, item);
    spell(element("legend", {}, form), `${at}.question`, values);
    const said = element("p", { role: "status" });
    for (const option of Object.keys(texts.exercises[name].options)) {
      const label = element("label", { class: "check" }, form);
      const radio = element("input", { type: "radio", name, value: option }, label);
      spell(element("span", {}, label), `${at}.options.${option}.label`, values);
      const answer = () => {
        const verdict = say(`exercise.${option === right ? "right" : "wrong"}`);
        said.className = option === right ? "good" : "warning";
        said.innerHTML = `${verdict} ${say(`${at}.options.${option}.why`, values)}`;
      };
      radio.addEventListener("change", answer);
      listen((names) => { if (names.has("lang") && radio.checked) answer(); });
    }
    form.append(said);
  }
}
