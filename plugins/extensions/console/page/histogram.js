// How events spread over time. A stretch that is dragged over, or marked with the arrow keys, becomes
// the time range.

import { h, svg } from "./dom.js";
import { compact, counted, dateTime, shortTime } from "./format.js";

const BAR_WIDTH = 9;
const HEIGHT = 100;
const BUCKETS_MIN = 24;
const BUCKETS_MAX = 120;
// So that one event beside a million can be seen.
const BAR_HEIGHT_MIN = 2;

/** @typedef {{ counts: readonly number[], from: number, to: number }} Counts */

/** @param {(from: number, to: number) => void} zoom */
export function createHistogram(zoom) {
  /** @type {Counts} */
  let shown = { counts: [], from: 0, to: 0 };
  /** @type {{ begin: number, end: number } | undefined} first and last bar, in any order */
  let marked;
  let isDragging = false;
  const bars = svg("g", {});
  const mark = svg("rect", { class: "mark", y: 0, height: HEIGHT });
  const drawing = svg(
    "svg",
    {
      class: "bars",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    },
    bars,
    mark,
  );
  const tip = h("div", { class: "hint tip", "aria-live": "polite" });
  const top = h("span", { class: "hint top" });
  const plot = h(
    "div",
    {
      class: "plot",
      tabindex: 0,
      role: "img",
      onpointerdown: (/** @type {PointerEvent} */ event) => {
        if (event.button !== 0 || shown.counts.length === 0) return;
        plot.setPointerCapture(event.pointerId);
        isDragging = true;
        show({ begin: barAt(event), end: barAt(event) });
      },
      onpointermove: (/** @type {PointerEvent} */ event) => {
        if (shown.counts.length === 0) return;
        const at = barAt(event);
        show({ begin: isDragging ? marked?.begin ?? at : at, end: at });
      },
      onpointerup: () => {
        if (isDragging) choose();
      },
      onpointercancel: () => {
        isDragging = false;
        show(undefined);
      },
      onpointerleave: () => !isDragging && show(undefined),
      onblur: () => show(undefined),
      onkeydown: (/** @type {KeyboardEvent} */ event) => takeKey(event),
    },
    drawing,
    top,
  );
  const axis = h("div", { class: "axis hint", "aria-hidden": "true" });
  const element = h(
    "section",
    { class: "histogram", "aria-label": "Events over time" },
    plot,
    axis,
    tip,
  );

  /** @param {PointerEvent} event */
  function barAt(event) {
    const { left, width } = plot.getBoundingClientRect();
    const at = Math.floor(((event.clientX - left) / width) * shown.counts.length);
    return Math.max(0, Math.min(shown.counts.length - 1, at));
  }

  /** @param {KeyboardEvent} event */
  function takeKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const last = shown.counts.length - 1;
    if (last < 0) return;
    if (step !== undefined) {
      const end = Math.max(0, Math.min(last, (marked?.end ?? (step > 0 ? -1 : last + 1)) + step));
      show({ begin: event.shiftKey ? marked?.begin ?? end : end, end });
    } else if (event.key === "Enter" && marked !== undefined) choose();
    else if (event.key === "Escape") show(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function choose() {
    isDragging = false;
    if (marked === undefined) return;
    const { from, to } = times(marked);
    show(undefined);
    if (to > from) zoom(from, to);
  }

  /** @param {{ begin: number, end: number }} bars */
  function times({ begin, end }) {
    const part = (shown.to - shown.from) / shown.counts.length;
    const from = Math.round(shown.from + Math.min(begin, end) * part);
    const to = Math.round(shown.from + (Math.max(begin, end) + 1) * part) - 1;
    return { from, to };
  }

  /** @param {{ begin: number, end: number } | undefined} next */
  function show(next) {
    marked = next;
    mark.setAttribute("width", "0");
    tip.textContent = "";
    if (marked === undefined) return;
    const first = Math.min(marked.begin, marked.end);
    const last = Math.max(marked.begin, marked.end);
    mark.setAttribute("x", String(first));
    mark.setAttribute("width", String(last - first + 1));
    const { from, to } = times(marked);
    const sum = shown.counts.slice(first, last + 1).reduce((total, count) => total + count, 0);
    tip.textContent = `${dateTime(from)} – ${dateTime(to)} UTC · ${counted(sum, "event")}`;
  }

  /** @param {string} text */
  function clear(text) {
    shown = { counts: [], from: 0, to: 0 };
    bars.replaceChildren();
    axis.replaceChildren();
    show(undefined);
    top.textContent = "";
    tip.textContent = text;
    plot.setAttribute("aria-label", text);
  }

  return {
    element,
    /** How many bars there is room for. */
    buckets() {
      const fit = Math.floor(plot.clientWidth / BAR_WIDTH);
      return Math.max(BUCKETS_MIN, Math.min(BUCKETS_MAX, fit));
    },
    loading() {
      element.classList.add("loading");
    },
    /** @param {string} text */
    none(text) {
      element.classList.remove("loading");
      clear(text);
    },
    /** @param {Counts} next */
    render(next) {
      element.classList.remove("loading");
      clear("");
      shown = next;
      const { counts, from, to } = shown;
      const most = Math.max(1, ...counts);
      const sum = counts.reduce((total, count) => total + count, 0);
      drawing.setAttribute("viewBox", `0 0 ${counts.length} ${HEIGHT}`);
      bars.replaceChildren(...counts.flatMap((count, index) => barOf(count, index, most)));
      const middle = (from + to) / 2;
      axis.replaceChildren(...[from, middle, to].map((ms) => h("span", {}, shortTime(ms))));
      top.textContent = sum === 0 ? "" : compact(Math.max(...counts));
      plot.setAttribute(
        "aria-label",
        `${counted(sum, "event")} from ${dateTime(from)} to ${dateTime(to)} UTC. ` +
          "Arrow keys mark a part, with Shift a longer one; Enter looks at it",
      );
    },
  };
}

/**
 * @param {number} count
 * @param {number} index
 * @param {number} most
 */
function barOf(count, index, most) {
  if (count === 0) return [];
  const height = Math.max(BAR_HEIGHT_MIN, (count / most) * HEIGHT);
  return [
    svg("rect", { class: "column", x: index + 0.1, width: 0.8, y: HEIGHT - height, height }),
  ];
}
