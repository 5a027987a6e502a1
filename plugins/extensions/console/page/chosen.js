// The events that are chosen to be compared: a bar at the foot of the page while there are any.

import { COMPARED_MAX, openComparison } from "./compare.js";
import { h } from "./dom.js";

/** @typedef {import("./event-table.js").ListedEvent} ListedEvent */

/** @param {() => void} onClear */
export function createChosen(onClear) {
  /** @type {Map<string, ListedEvent>} */
  const chosen = new Map();
  const element = h("div", {
    class: "picked",
    hidden: true,
    role: "region",
    "aria-label": "Comparison",
  });
  function clear() {
    chosen.clear();
    element.hidden = true;
    onClear();
  }
  function compare() {
    if (chosen.size > 1) openComparison([...chosen.values()]);
  }
  function show() {
    const { size } = chosen;
    element.hidden = size === 0;
    element.replaceChildren(
      h("span", {}, `${size} of ${COMPARED_MAX} chosen`),
      h("button", {
        type: "button",
        class: "button strong",
        disabled: size < 2,
        onclick: compare,
      }, "Compare"),
      h("button", { type: "button", class: "button quiet", onclick: clear }, "Clear"),
    );
  }
  return {
    element,
    compare,
    /** @param {ListedEvent} event */
    has: ({ id }) => chosen.has(id),
    /**
     * Chooses the event or takes it away; answers whether it is chosen now. One too many is not.
     * @param {ListedEvent} event
     */
    toggle(event) {
      if (!chosen.delete(event.id) && chosen.size < COMPARED_MAX) chosen.set(event.id, event);
      show();
      return chosen.has(event.id);
    },
  };
}
