// One event: what it says in short, each value to look for, and its record as JSON to copy.

import { ask } from "./ask.js";
import { announce, errorState, h, openDialog } from "./dom.js";
import { dateTime, visible } from "./format.js";
import { formatJson, jsonView } from "./json-view.js";
import { LABELS } from "./search.js";

/** @typedef {import("./event-table.js").ListedEvent} ListedEvent */

/**
 * The record's JSON text.
 * @param {ListedEvent} event
 */
export async function askRecord({ id, time, category }) {
  const query = new URLSearchParams({
    EventId: id,
    from: String(time),
    to: String(time),
    category,
  });
  /** @type {{ text: string }} */
  const { text } = await ask("/api/record", query);
  return text;
}

/**
 * @param {ListedEvent} event
 * @param {(key: string, value: string) => void} filter
 */
export function openRecord(event, filter) {
  const place = h(
    "div",
    { class: "json-place" },
    h("p", { class: "hint" }, "Reading the record …"),
  );
  const copy = h("button", { type: "button", class: "button small", disabled: true }, "Copy");
  const title = event.errorCode === undefined ? "" : ` · ${visible(event.errorCode)}`;
  const dialog = openDialog(
    "drawer",
    `${visible(event.name)}${title}`,
    h(
      "dl",
      { class: "facts" },
      factsOf(event).flatMap(([key, value]) => [
        h("dt", {}, LABELS[key] ?? key),
        h("dd", {}, visible(value), Object.hasOwn(LABELS, key) && filterButton(key, value)),
      ]),
    ),
    h("div", { class: "row between" }, h("h3", {}, "Record"), copy),
    place,
  );
  /**
   * @param {string} key
   * @param {string} value
   */
  function filterButton(key, value) {
    return h("button", {
      type: "button",
      class: "button quiet small",
      "aria-label": `Filter by ${LABELS[key]} ${visible(value)}`,
      onclick: () => {
        dialog.close();
        filter(key, value);
      },
    }, "Filter");
  }
  async function read() {
    try {
      const text = await askRecord(event);
      place.replaceChildren(jsonView(text));
      copy.disabled = false;
      copy.onclick = () => void copyText(formatJson(text), copy, place);
    } catch (error) {
      place.replaceChildren(errorState(error, () => void read()));
    }
  }
  void read();
}

/**
 * @param {ListedEvent} event
 * @returns {[key: string, value: string][]}
 */
function factsOf(event) {
  /** @type {[string, string | undefined][]} */
  const facts = [
    ["Time", `${dateTime(event.time)} UTC`],
    ["EventName", event.name],
    ["Username", event.username],
    ["EventSource", event.source],
    ["Address", event.sourceIPAddress],
    ["Error", event.errorCode],
    ...event.resources.flatMap((
      { type, name },
    ) => /** @type {[string, string | undefined][]} */ ([["ResourceType", type], [
      "ResourceName",
      name,
    ]])),
    ["AccessKeyId", event.accessKeyId],
    ["ReadOnly", event.readOnly === undefined ? undefined : String(event.readOnly)],
    ["account", event.accountId],
    ["region", event.region],
    ["EventId", event.id],
  ];
  return facts.flatMap(([key, value]) => value === undefined || value === "" ? [] : [[key, value]]);
}

/**
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} shown
 */
async function copyText(text, button, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce("Record copied");
  } catch {
    // Browsers give the clipboard to pages of this machine and of https only.
    getSelection()?.selectAllChildren(shown);
    button.textContent = "Press Ctrl+C";
  }
}
