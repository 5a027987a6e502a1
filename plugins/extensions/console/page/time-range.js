// Which stretch of time is looked at: presets that end now, or two times.

import { h } from "./dom.js";
import { RANGES } from "./search.js";

/** @typedef {import("./search.js").Search} Search */

/** @param {(search: Search) => void} go */
export function createTimeRange(go) {
  /** @type {Search} */
  let search;
  const presets = RANGES.map(([range, label]) =>
    h("button", {
      type: "button",
      class: "segment",
      onclick: () => go({ ...search, range, from: undefined, to: undefined }),
    }, label)
  );
  const custom = h("button", {
    type: "button",
    class: "segment",
    "aria-expanded": "false",
    onclick: () => toggle(times.hidden !== false),
  }, "Custom");
  const from = timeInput("From");
  const to = timeInput("To");
  const problem = h("span", { class: "hint", role: "alert" });
  const apply = () => {
    const [first, last] = [readTime(from.value), readTime(to.value)];
    const isValid = first !== undefined && last !== undefined && first < last;
    problem.textContent = isValid ? "" : "The first time has to be before the last";
    if (isValid) go({ ...search, range: "custom", from: first, to: last });
  };
  const times = h(
    "form",
    {
      class: "row times",
      hidden: true,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        apply();
      },
    },
    h("label", { class: "check" }, "From", from),
    h("label", { class: "check" }, "to", to),
    h("span", { class: "hint" }, "UTC"),
    h("button", { type: "submit", class: "button strong" }, "Apply"),
    problem,
  );
  /** @param {boolean} isOpen */
  const toggle = (isOpen) => {
    times.hidden = !isOpen;
    custom.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) from.focus();
  };
  return {
    element: h(
      "div",
      { class: "time-range" },
      h("div", { class: "segments", role: "group", "aria-label": "Time range" }, presets, custom),
      times,
    ),
    /**
     * @param {Search} next
     * @param {{ from: number, to: number }} shown
     */
    render(next, shown) {
      search = next;
      presets.forEach((button, index) => {
        button.setAttribute("aria-pressed", String(RANGES[index]?.[0] === search.range));
      });
      custom.setAttribute("aria-pressed", String(search.range === "custom"));
      from.value = writeTime(shown.from);
      to.value = writeTime(shown.to);
      problem.textContent = "";
    },
  };
}

/** @param {string} label */
function timeInput(label) {
  return h("input", {
    type: "datetime-local",
    step: 1,
    class: "button",
    "aria-label": `${label}, UTC`,
  });
}

/** @param {string} text */
function readTime(text) {
  const ms = Date.parse(`${text}Z`);
  return Number.isNaN(ms) || ms < 0 ? undefined : ms;
}

/** @param {number} ms */
function writeTime(ms) {
  return new Date(ms).toISOString().slice(0, 19);
}
