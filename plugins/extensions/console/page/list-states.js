// What stands where the list would be, while there is nothing in it.

import { emptyState, h } from "./dom.js";
import { isNarrowed, readSearch } from "./search.js";

/** @typedef {import("./search.js").Search} Search */

/** The agent keeps no history. */
export function noHistory() {
  return emptyState(
    "No event history is kept",
    "Add the exporter history to a pipeline of the configuration: it keeps the past 90 days of " +
      "management events.",
    h("a", { class: "button strong", href: "#/status" }, "Status of the agent"),
  );
}

/**
 * What is rare may be many events away.
 * @param {() => void} stop
 */
export function looking(stop) {
  return emptyState("Looking …", "Nothing in the events so far.", button("Stop", stop));
}

/**
 * Nothing was found, or not yet.
 * @param {Search} search
 * @param {(search: Search) => void} go
 * @param {(() => void) | undefined} lookOn
 */
export function nothing(search, go, lookOn) {
  if (lookOn !== undefined) {
    return emptyState(
      "Nothing so far",
      "There is more to look through.",
      button("Look on", lookOn),
    );
  }
  if (!isNarrowed(search) && search.range === "all") {
    return emptyState("Nothing recorded yet", "Events appear here moments after they happen.");
  }
  const all = () => go({ ...readSearch(new URLSearchParams()), category: search.category });
  const advice = "Take a filter away, or look at a longer time.";
  return emptyState("No events match", advice, button("Show all events", all));
}

/**
 * @param {string} text
 * @param {() => void} onclick
 */
function button(text, onclick) {
  return h("button", { type: "button", class: "button strong", onclick }, text);
}
