// The list of events: a row for each, which the arrow keys reach; a click on a value looks for it.

import { h } from "./dom.js";
import { dateTime, visible } from "./format.js";

/**
 * @typedef {object} ListedEvent
 * @property {string} id
 * @property {string} name
 * @property {number} time
 * @property {string} source
 * @property {string} [username]
 * @property {string} [accessKeyId]
 * @property {boolean} [readOnly]
 * @property {string} [errorCode]
 * @property {string} [sourceIPAddress]
 * @property {readonly { type?: string, name?: string }[]} resources
 * @property {string} accountId
 * @property {string} region
 * @property {"management" | "insight"} category
 */

/**
 * @typedef {object} Table
 * @property {(event: ListedEvent) => void} open
 * @property {(key: string, value: string) => void} filter
 * @property {(text: string) => void} find
 * @property {(event: ListedEvent) => boolean} choose answers whether it is chosen now
 * @property {(event: ListedEvent) => boolean} isChosen
 */

const HEADS = ["", "Time (UTC)", "Event", "User", "Source", "Resource", "Address", "Error"];
const PLACEHOLDER_ROWS = 12;

/** @param {Table} on */
export function createEventTable(on) {
  /** @type {readonly ListedEvent[]} */
  let events = [];
  /** @type {HTMLElement[]} */
  let rows = [];
  let at = 0;
  const body = h("tbody", { role: "rowgroup" });
  const table = h(
    "table",
    { class: "events", role: "table", "aria-label": "Events" },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        HEADS.map((head) =>
          h(
            "th",
            { role: "columnheader", scope: "col" },
            head || h("span", { class: "unseen" }, "Compare"),
          )
        ),
      ),
    ),
    body,
  );

  /** @param {number} to */
  function goTo(to) {
    if (rows.length === 0) return;
    rows[at]?.setAttribute("tabindex", "-1");
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at]?.setAttribute("tabindex", "0");
    rows[at]?.focus();
  }

  /** @param {number} index */
  function choose(index) {
    const event = events[index];
    const row = rows[index];
    if (event === undefined || row === undefined) return;
    const isChosen = on.choose(event);
    const box = row.querySelector("input");
    if (box !== null) box.checked = isChosen;
    row.classList.toggle("chosen", isChosen);
  }

  /**
   * @param {ListedEvent} event
   * @param {number} index
   */
  function rowOf(event, index) {
    const isChosen = on.isChosen(event);
    const box = h("input", {
      type: "checkbox",
      tabindex: -1,
      "aria-label": `Compare ${visible(event.name)}`,
      checked: isChosen,
      onchange: () => choose(index),
    });
    return h(
      "tr",
      {
        role: "row",
        tabindex: index === 0 ? 0 : -1,
        class: `${isChosen ? "chosen" : ""} ${event.errorCode === undefined ? "" : "failed"}`,
        onclick: (/** @type {MouseEvent} */ click) => {
          const isControl = /** @type {Element} */ (click.target).closest("button, input, label");
          if (isControl === null && String(getSelection()) === "") on.open(event);
        },
        onfocus: () => (at = index),
      },
      cellsOf(event, box, on),
    );
  }

  return {
    element: h("div", { class: "table-box" }, table),
    /** @param {readonly ListedEvent[]} next */
    render(next) {
      table.classList.remove("loading");
      events = next;
      at = 0;
      rows = events.map(rowOf);
      body.replaceChildren(...rows);
    },
    /** Shows that others follow; what is there stays until then. */
    loading() {
      table.classList.add("loading");
      if (rows.length > 0) return;
      body.replaceChildren(
        ...Array.from({ length: PLACEHOLDER_ROWS }, () =>
          h(
            "tr",
            { class: "placeholder", "aria-hidden": "true" },
            HEADS.map(() => h("td", {}, h("span", {}))),
          )),
      );
    },
    /** Shows anew which events are chosen. */
    refresh() {
      rows.forEach((row, index) => {
        const event = events[index];
        const isChosen = event !== undefined && on.isChosen(event);
        row.classList.toggle("chosen", isChosen);
        const box = row.querySelector("input");
        if (box !== null) box.checked = isChosen;
      });
    },
    /** @param {KeyboardEvent} event */
    key(event) {
      const isInList = body.contains(document.activeElement);
      if (event.key === "ArrowDown" || event.key === "j") goTo(isInList ? at + 1 : at);
      else if (event.key === "ArrowUp" || event.key === "k") goTo(isInList ? at - 1 : at);
      else if (event.key === "Home" && isInList) goTo(0);
      else if (event.key === "End" && isInList) goTo(rows.length - 1);
      else if (event.key === "Enter" && document.activeElement === rows[at]) {
        const chosen = events[at];
        if (chosen !== undefined) on.open(chosen);
      } else if (event.key === "x" && isInList) choose(at);
      else return false;
      event.preventDefault();
      return true;
    },
    focus: () => goTo(at),
  };
}

/**
 * @param {ListedEvent} event
 * @param {HTMLElement} box
 * @param {Table} on
 */
function cellsOf(event, box, on) {
  const { username, sourceIPAddress: address, errorCode, resources } = event;
  const resource = resources.find(({ name }) => name !== undefined)?.name;
  const more = resources.length > 1 && h("span", { class: "hint" }, ` +${resources.length - 1}`);
  /**
   * @param {string} key
   * @param {string | undefined} value
   */
  const value = (key, value) => valueOf(value, LABEL, () => on.filter(key, value ?? ""));
  return [
    cell("pick", h("label", {}, box)),
    cell("time", h("time", { datetime: isoOf(event.time) }, dateTime(event.time))),
    cell("name", value("EventName", event.name)),
    cell("user", value("Username", username)),
    cell("source", value("EventSource", event.source)),
    cell(
      "resource",
      valueOf(
        resource,
        LABEL,
        () => on.filter("ResourceName", resource ?? ""),
        shortName(resource),
      ),
      more,
    ),
    cell("address", valueOf(address, "Search for this", () => on.find(address ?? ""))),
    cell("error", errorCode && h("span", { class: "badge bad" }, visible(errorCode))),
  ];
}

const LABEL = "Look for this value";

/** @param {number} ms */
function isoOf(ms) {
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : undefined;
}

/** @param {string | undefined} name */
function shortName(name) {
  return name === undefined ? undefined : name.slice(name.lastIndexOf("/") + 1) || name;
}

/**
 * @param {string} kind
 * @param {...(import("./dom.js").Child)} content
 */
function cell(kind, ...content) {
  return h("td", { role: "cell", class: kind }, ...content);
}

/**
 * @param {string | undefined} value
 * @param {string} what
 * @param {() => void} look
 * @param {string} [shown]
 */
function valueOf(value, what, look, shown = value) {
  if (value === undefined || value === "") return h("span", { class: "hint" }, "–");
  return h("button", {
    type: "button",
    tabindex: -1,
    class: "value",
    title: `${what}: ${visible(value)}`,
    onclick: look,
  }, visible(shown));
}
