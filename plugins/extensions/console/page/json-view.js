// A record's JSON, laid out and coloured. It is read as text, so that a number of twenty digits stays
// what it is.

import { h } from "./dom.js";
import { visible } from "./format.js";

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/**
 * @typedef {object} Piece
 * @property {string} text
 * @property {"name" | "text" | "number" | "word"} [kind]
 */

/**
 * Lays a JSON text out, as pieces in their order.
 * @param {string} json
 * @returns {Piece[]}
 */
export function layOut(json) {
  const tokens = json.match(TOKEN) ?? [];
  /** @type {Piece[]} */
  const pieces = [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    const before = tokens[index - 1];
    if (token === "{" || token === "[") {
      depth++;
      pieces.push({ text: next === "}" || next === "]" ? token : `${token}${line()}` });
    } else if (token === "}" || token === "]") {
      depth--;
      pieces.push({ text: before === "{" || before === "[" ? token : `${line()}${token}` });
    } else if (token === ",") pieces.push({ text: `,${line()}` });
    else if (token === ":") pieces.push({ text: ": " });
    else pieces.push({ text: token, kind: kindOf(token, next) });
  });
  return pieces;
}

/**
 * @param {string} token
 * @param {string | undefined} next
 */
function kindOf(token, next) {
  if (token.startsWith('"')) return next === ":" ? "name" : "text";
  return /^-?\d/.test(token) ? "number" : "word";
}

/**
 * The JSON as it is copied.
 * @param {string} json
 */
export function formatJson(json) {
  return layOut(json).map(({ text }) => text).join("");
}

/**
 * The JSON as it is shown.
 * @param {string} json
 */
export function jsonView(json) {
  return h(
    "pre",
    { class: "json", tabindex: 0, "aria-label": "Record as JSON" },
    layOut(json).map(({ text, kind }) =>
      kind === undefined ? text : h("span", { class: `json-${kind}` }, visible(text))
    ),
  );
}
