// Up to five records side by side: a line for each field, those that differ marked.

import { errorState, h, openDialog } from "./dom.js";
import { dateTime, visible } from "./format.js";
import { askRecord } from "./record-panel.js";

/** @typedef {import("./event-table.js").ListedEvent} ListedEvent */

/** Most events side by side. */
export const COMPARED_MAX = 5;

const FIELDS_MAX = 2000;

/** @param {readonly ListedEvent[]} events */
export function openComparison(events) {
  const place = h(
    "div",
    { class: "compare-place" },
    h("p", { class: "hint" }, "Reading the records …"),
  );
  openDialog("wide", `${events.length} events side by side`, place);
  async function read() {
    try {
      const texts = await Promise.all(events.map(askRecord));
      place.replaceChildren(comparison(events, texts.map(fieldsOf)));
    } catch (error) {
      place.replaceChildren(errorState(error, () => void read()));
    }
  }
  void read();
}

/**
 * The fields of a record by their paths, in its order.
 * @param {string} text
 * @returns {Map<string, string>}
 */
export function fieldsOf(text) {
  /** @type {Map<string, string>} */
  const fields = new Map();
  /**
   * @param {unknown} value
   * @param {string} path
   */
  const walk = (value, path) => {
    if (fields.size >= FIELDS_MAX) return;
    const isTree = typeof value === "object" && value !== null;
    const members = isTree ? Object.entries(value) : [];
    if (members.length === 0) {
      fields.set(path, typeof value === "string" ? value : JSON.stringify(value));
      return;
    }
    const isList = Array.isArray(value);
    for (const [name, member] of members) {
      walk(member, isList ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`);
    }
  };
  walk(JSON.parse(text), "");
  return fields;
}

/**
 * @param {readonly ListedEvent[]} events
 * @param {readonly Map<string, string>[]} records
 */
function comparison(events, records) {
  const paths = [...new Set(records.flatMap((record) => [...record.keys()]))];
  const body = h("tbody", {});
  const box = h("input", { type: "checkbox", checked: records.length > 1, onchange: () => show() });
  const rows = paths.map((path) => {
    const values = records.map((record) => record.get(path));
    const isSame = values.every((value) => value === values[0]);
    const row = h(
      "tr",
      { class: isSame ? "" : "differs" },
      h("th", { scope: "row" }, visible(path)),
      values.map((value) =>
        h("td", {}, value === undefined ? h("i", { class: "hint" }, "–") : visible(value))
      ),
    );
    return { row, isSame };
  });
  function show() {
    const shown = rows.filter(({ isSame }) => !isSame || !box.checked);
    body.replaceChildren(...shown.map(({ row }) => row));
  }
  show();
  return h(
    "div",
    {},
    h("label", { class: "check" }, box, "Only what differs"),
    h(
      "div",
      { class: "table-box", tabindex: 0, role: "region", "aria-label": "Comparison" },
      h(
        "table",
        { class: "compare" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Field"),
            events.map(({ name, time }) =>
              h("th", { scope: "col" }, visible(name), h("small", {}, dateTime(time)))
            ),
          ),
        ),
        body,
      ),
    ),
  );
}
