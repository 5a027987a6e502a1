// What the page "Status" is made of: states, books, and when something was last done.

import { h } from "./dom.js";
import { ago, dateTime, number, visible } from "./format.js";

/** @typedef {{ time?: number, attemptTime?: number, error?: string }} Latest */

const KINDS = { running: "good", waiting: "calm", degraded: "warn", failed: "bad" };

/** @param {string} state */
export function stateBadge(state) {
  const kind = Object.entries(KINDS).find(([name]) => name === state)?.[1] ?? "calm";
  return h("span", { class: `badge ${kind}` }, state);
}

/**
 * A number, large.
 * @param {string} title
 * @param {string} value
 * @param {string} text
 * @param {string} kind
 */
export function tile(title, value, text, kind) {
  return h(
    "div",
    { class: `tile ${kind}` },
    h("span", { class: "hint" }, title),
    h("strong", {}, visible(value)),
    h("span", { class: "hint" }, text),
  );
}

/**
 * How much of what is stored is done with.
 * @param {number} stored
 * @param {number} queued
 */
export function progress(stored, queued) {
  const done = stored === 0 ? 1 : 1 - queued / stored;
  return h("meter", {
    min: 0,
    max: 1,
    value: done,
    "aria-label": `${Math.floor(done * 100)} percent done`,
  });
}

/**
 * The books: one number, and what it is made of.
 * @param {string} whole
 * @param {number} count
 * @param {readonly (readonly [name: string, count: number | undefined])[]} parts
 */
export function equation(whole, count, parts) {
  return h(
    "dl",
    { class: "books" },
    h("div", { class: "whole" }, h("dt", {}, whole), h("dd", {}, number(count))),
    parts.map(([name, part], index) => {
      const sign = h("span", { class: "sign", "aria-hidden": "true" }, index === 0 ? "=" : "+");
      return h(
        "div",
        { class: part === 0 ? "none" : "" },
        h("dt", {}, sign, name),
        h("dd", {}, number(part)),
      );
    }),
  );
}

/**
 * When it was last done; undefined where it never is.
 * @param {string} title
 * @param {Latest | undefined} last
 * @param {number} now
 */
export function latest(title, last, now) {
  const text = last === undefined ? "off" : ago(last.time, now);
  const exact = last?.time === undefined ? undefined : `${dateTime(last.time)} UTC`;
  return h("div", {}, h("dt", {}, title), h("dd", { title: exact }, text));
}
