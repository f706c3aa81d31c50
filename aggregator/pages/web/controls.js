// Range, site and host. Built once, so that they keep the focus.
import { ranges } from "./address.js";
import { time } from "./format.js";
import { element } from "./table.js";

const find = (id) => document.getElementById(id);

export function buildControls(choose) {
  find("ranges").replaceChildren(...ranges.map(([name, from]) => {
    const button = element("button", name);
    button.type = "button";
    button.dataset.from = from;
    button.addEventListener("click", () => choose({ from, to: "" }));
    return button;
  }));
  for (const id of ["site", "host"]) find(id).addEventListener("change", (event) => choose({ [id]: event.target.value }));
}

export function showControls(chosen, range) {
  for (const button of find("ranges").children) {
    button.setAttribute("aria-pressed", String(button.dataset.from === range.from && !range.to));
  }
  for (const id of ["site", "host"]) fillSelect(id, `all ${id}s`, null, chosen[id]);
}

// A range that no button stands for is shown in words.
export function showRangeText(range, shown) {
  const named = !range.to && ranges.some(([, from]) => from === range.from);
  find("range-text").textContent = named || !shown ? "" : `${time(shown.from * 1000)} to ${time(shown.to * 1000)}`;
}

// names: null keeps the listed ones
export function fillSelect(id, all, names, current) {
  const select = find(id);
  let listed = names ?? JSON.parse(select.dataset.names ?? "[]");
  if (current && !listed.includes(current)) listed = [current, ...listed];
  const wanted = JSON.stringify(listed);
  if (select.dataset.names !== wanted) {
    select.dataset.names = wanted;
    select.replaceChildren(...[["", all], ...listed.map((name) => [name, name])].map(([value, text]) => {
      const option = element("option", text);
      option.value = value;
      return option;
    }));
  }
  select.value = current;
}
