// Elements of the page. Text becomes text nodes and never markup, whatever stands in a record.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, unknown>} Properties */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. Properties that are functions are listeners (`onclick`), others attributes; those
 * that are undefined or false are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} [properties]
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, properties, children);
  return element;
}

/**
 * Makes an element of a drawing.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} [properties]
 * @param {...(Child | readonly Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, properties, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Properties} properties
 * @param {readonly (Child | readonly Child[])[]} children
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : /** @type {Node} */ (child));
  }
}

/**
 * The element of the page with an id.
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Tells readers of the screen.
 * @param {string} text
 */
export function announce(text) {
  byId("announce").textContent = text;
}

/**
 * A dialog over the page, which Escape and a click beside it close; gone when it is closed.
 * @param {string} kind class of the dialog
 * @param {string} title
 * @param {...(Child | readonly Child[])} content
 */
export function openDialog(kind, title, ...content) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const close = h("button", {
    type: "button",
    class: "button quiet round",
    "aria-label": "Close",
    onclick: () => dialog.close(),
  }, "✕");
  const dialog = h(
    "dialog",
    {
      class: `dialog ${kind}`,
      "aria-labelledby": "dialog-title",
      onclose: () => dialog.remove(),
      onclick: (/** @type {MouseEvent} */ event) => event.target === dialog && dialog.close(),
    },
    h("div", { class: "dialog-head" }, heading, close),
    h("div", { class: "dialog-body" }, ...content),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * What stands where there is nothing to show.
 * @param {string} title
 * @param {string} text
 * @param {...Child} actions
 */
export function emptyState(title, text, ...actions) {
  return h(
    "div",
    { class: "empty" },
    h("img", { src: "/cairn.svg", alt: "", width: 44, height: 44 }),
    h("h2", {}, title),
    h("p", {}, text),
    h("div", { class: "actions" }, actions),
  );
}

/**
 * What stands where something went wrong.
 * @param {unknown} error
 * @param {() => void} again
 */
export function errorState(error, again) {
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", {}, error instanceof Error ? error.message : String(error)),
    h("button", { type: "button", class: "button", onclick: again }, "Try again"),
  );
}
