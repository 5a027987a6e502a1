// What is looked for, above the list: free text, attributes as chips that can be taken away, category,
// errors only, and a panel that offers the most frequent values of an attribute.

import { h } from "./dom.js";
import { compact, visible } from "./format.js";
import { ATTRIBUTES, LABELS, withFilter } from "./search.js";

/** @typedef {import("./search.js").Search} Search */
/** @typedef {{ values?: { value: string, count: number }[], tooMany?: boolean }} Values */

/**
 * @param {(search: Search) => void} go
 * @param {(attribute: string, signal: AbortSignal) => Promise<Values>} askValues
 */
export function createFilterBar(go, askValues) {
  /** @type {Search} */
  let search;
  const input = h("input", {
    type: "search",
    class: "search",
    placeholder: "Search in records",
    "aria-label": "Search in records",
    maxlength: 500,
    enterkeyhint: "search",
    autocomplete: "off",
    spellcheck: "false",
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") go({ ...search, text: input.value.trim() });
      if (event.key === "Escape") input.blur();
    },
    // The cross that browsers show in it.
    onsearch: () => input.value === "" && search.text !== "" && go({ ...search, text: "" }),
  });
  const panel = createPanel((key, value) => go(withFilter(search, key, value)), askValues);
  const add = h("button", {
    type: "button",
    class: "button",
    "aria-expanded": "false",
    onclick: () => toggle(panel.element.hidden !== false),
  }, "+ Filter");
  const category = h(
    "select",
    {
      class: "button",
      "aria-label": "Category",
      onchange: () =>
        go({ ...search, category: category.value === "insight" ? "insight" : "management" }),
    },
    h("option", { value: "management" }, "Management events"),
    h("option", { value: "insight" }, "Insight events"),
  );
  const errors = h("input", {
    type: "checkbox",
    onchange: () => go({ ...search, errors: errors.checked }),
  });
  const chips = h("ul", { class: "chips", "aria-label": "Filters" });
  /** @param {boolean} isOpen */
  const toggle = (isOpen) => {
    panel.show(isOpen);
    add.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) add.focus();
  };
  panel.element.addEventListener("keydown", (event) => event.key === "Escape" && toggle(false));
  const element = h(
    "section",
    { class: "filter-bar", "aria-label": "Search" },
    h(
      "div",
      { class: "row" },
      input,
      add,
      category,
      h("label", { class: "check" }, errors, "Errors only"),
    ),
    panel.element,
    chips,
  );
  return {
    element,
    /** @param {Search} next */
    render(next) {
      search = next;
      input.value = search.text;
      category.value = search.category;
      errors.checked = search.errors;
      panel.show(false);
      add.setAttribute("aria-expanded", "false");
      chips.replaceChildren(...chipsOf(search, go));
      chips.hidden = chips.childElementCount === 0;
    },
    focus: () => input.focus(),
    add: () => toggle(true),
  };
}

/**
 * @param {Search} search
 * @param {(search: Search) => void} go
 */
function chipsOf(search, go) {
  /** @type {HTMLElement[]} */
  const chips = search.filters.map(([key, value], index) => {
    const filters = search.filters.filter((_, at) => at !== index);
    return chip(LABELS[key] ?? key, value, () => go({ ...search, filters }));
  });
  if (search.text !== "") {
    chips.push(chip("Text", search.text, () => go({ ...search, text: "" })));
  }
  if (search.errors) chips.push(chip("Errors", "only", () => go({ ...search, errors: false })));
  if (chips.length > 1) {
    const clear = () => go({ ...search, filters: [], text: "", errors: false });
    chips.push(
      h(
        "li",
        {},
        h("button", { type: "button", class: "button quiet small", onclick: clear }, "Clear all"),
      ),
    );
  }
  return chips;
}

/**
 * @param {string} label
 * @param {string} value
 * @param {() => void} remove
 */
function chip(label, value, remove) {
  return h(
    "li",
    { class: "chip" },
    h("span", { class: "chip-label" }, label),
    h("span", { class: "chip-value" }, visible(value)),
    h("button", {
      type: "button",
      "aria-label": `Remove filter ${label} ${visible(value)}`,
      onclick: remove,
    }, "✕"),
  );
}

/**
 * @param {(key: string, value: string) => void} choose
 * @param {(attribute: string, signal: AbortSignal) => Promise<Values>} askValues
 */
function createPanel(choose, askValues) {
  let asking = new AbortController();
  const list = h("div", { class: "values", "aria-live": "polite" });
  const attribute = h(
    "select",
    { class: "button", "aria-label": "Attribute", onchange: () => void offer() },
    ATTRIBUTES.map(([key, label]) => h("option", { value: key }, label)),
  );
  const value = h("input", {
    type: "text",
    class: "search",
    placeholder: "Exact value",
    "aria-label": "Value",
    maxlength: 2000,
    autocomplete: "off",
    spellcheck: "false",
    onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && apply(),
  });
  const apply = () => {
    if (value.value !== "") choose(attribute.value, value.value);
  };
  async function offer() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const key = attribute.value;
    list.replaceChildren(h("span", { class: "hint" }, "Looking for frequent values …"));
    const found = await askValues(key, signal).catch(() => ({ values: undefined }));
    if (signal.aborted) return;
    const { values = [] } = found;
    if (values.length === 0) {
      list.replaceChildren(h("span", { class: "hint" }, "No frequent values to offer"));
      return;
    }
    list.replaceChildren(
      ...values.map(({ value, count }) =>
        h(
          "button",
          {
            type: "button",
            class: "button small",
            onclick: () => choose(key, value),
          },
          h("span", { class: "clip" }, visible(value)),
          h("span", { class: "count" }, compact(count)),
        )
      ),
    );
  }
  const button = h("button", { type: "button", class: "button strong", onclick: apply }, "Add");
  const element = h(
    "div",
    { class: "panel", hidden: true },
    h("div", { class: "row" }, attribute, value, button),
    list,
  );
  return {
    element,
    /** @param {boolean} isOpen */
    show(isOpen) {
      element.hidden = !isOpen;
      asking.abort();
      value.value = "";
      if (!isOpen) return;
      attribute.focus();
      void offer();
    },
  };
}
