// The page "Status": the books of each pipeline and exporter, trails, and every component.

import { ask } from "./ask.js";
import { equation, latest, progress, stateBadge, tile } from "./books.js";
import { errorState, h } from "./dom.js";
import { ago, counted, dateTime, day, number, size, visible } from "./format.js";

const LOOK_MS = 5000;

/**
 * @typedef {object} Status
 * @property {number} now
 * @property {string} state
 * @property {{ kind: string, id: string, pipeline?: string, state: string, reason?: string, since: number }[]} components
 * @property {Pipeline[]} pipelines
 * @property {Trail[]} trails
 * @property {import("./pages.js").About["history"]} [history]
 */
/**
 * @typedef {object} Pipeline
 * @property {string} name
 * @property {{ blocked: boolean, problem?: string, bytes?: number }} queue
 * @property {Record<"received" | "stored" | "filtered" | "duplicate" | "rejected", number>} [counts]
 * @property {number} [deadLetters]
 * @property {Delivery[]} exporters
 */
/**
 * @typedef {object} Delivery
 * @property {string} id
 * @property {string} state
 * @property {number} queued
 * @property {number} [delivered]
 * @property {number} [deadLettered]
 * @property {number} [excluded]
 * @property {number} [lost]
 * @property {string} [lastError]
 */
/** @typedef {import("./books.js").Latest} Latest */
/**
 * @typedef {object} Trail
 * @property {string} name
 * @property {string} bucket
 * @property {string} [directory]
 * @property {string} prefix
 * @property {boolean} logFileValidation
 * @property {string} [snsTopicArn]
 * @property {boolean} isLogging
 * @property {Latest} delivery
 * @property {Latest} digestDelivery
 * @property {Latest} notification
 */

/** @type {import("./pages.js").Show} */
export function show(main) {
  const place = h("div", { class: "status" }, h("p", { class: "hint" }, "Asking the agent …"));
  const asking = new AbortController();
  main.append(h("h1", {}, "Status"), place);
  async function look() {
    try {
      /** @type {Status} */
      const status = await ask("/api/status", undefined, asking.signal);
      place.replaceChildren(...sections(status));
    } catch (error) {
      if (!asking.signal.aborted) place.replaceChildren(errorState(error, () => void look()));
    }
  }
  // Not while somebody marks a text in it, nor where nobody looks.
  const timer = setInterval(() => {
    if (!document.hidden && String(getSelection()) === "") void look();
  }, LOOK_MS);
  void look();
  return {
    update() {},
    key: (event) => event.key === "r" && void look(),
    close() {
      clearInterval(timer);
      asking.abort();
    },
  };
}

/** @param {Status} status */
function sections(status) {
  const { components, pipelines, trails, now } = status;
  const unwell = components.filter(({ state }) => state === "degraded" || state === "failed");
  return [
    tiles(status, unwell.length),
    ...pipelines.map(pipelineCard),
    trails.length > 0 &&
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Trails"),
      trails.map((trail) => trailOf(trail, now)),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Components"),
      h("div", { class: "rows" }, components.map((component) => componentOf(component, now))),
    ),
  ].filter((section) => section !== false);
}

/**
 * @param {Status} status
 * @param {number} unwell
 */
function tiles({ state, pipelines, history, components }, unwell) {
  const queued = pipelines.flatMap(({ exporters }) => exporters.map(({ queued }) => queued));
  const letters = pipelines.reduce((sum, { deadLetters = 0 }) => sum + deadLetters, 0);
  const mostQueued = Math.max(0, ...queued);
  const isWell = state === "running" && unwell === 0;
  return h(
    "div",
    { class: "tiles" },
    tile(
      "Agent",
      isWell ? "Running well" : unwell > 0 ? `${unwell} in trouble` : state,
      `${components.length} components`,
      isWell ? "good" : "bad",
    ),
    tile(
      "Longest backlog",
      number(mostQueued),
      mostQueued === 1 ? "record waits" : "records wait",
      "",
    ),
    tile(
      "Dead letters",
      number(letters),
      letters === 0 ? "nothing set aside" : "see cairn dead-letters",
      letters === 0 ? "" : "bad",
    ),
    tile(
      "Event history",
      history === undefined ? "–" : number(history.events),
      history?.oldest === undefined
        ? "nothing kept"
        : `since ${day(history.oldest)} · ${size(history.bytes)}`,
      "",
    ),
  );
}

/** @param {Pipeline} pipeline */
function pipelineCard({ name, queue, counts, deadLetters, exporters }) {
  const problem = queue.problem ??
    (queue.blocked ? "The queue is full: receivers wait" : undefined);
  return h(
    "section",
    { class: "card" },
    h(
      "div",
      { class: "row between" },
      h("h2", {}, "Pipeline ", visible(name)),
      h(
        "span",
        { class: "hint" },
        `Queue ${size(queue.bytes)} · ${counted(deadLetters ?? 0, "dead letter")}`,
      ),
    ),
    problem !== undefined && h("p", { class: "notice bad" }, visible(problem)),
    counts !== undefined && equation("Received", counts.received, [
      ["stored", counts.stored],
      ["filtered", counts.filtered],
      ["duplicate", counts.duplicate],
      ["rejected", counts.rejected],
    ]),
    exporters.map((exporter) => exporterOf(exporter, counts?.stored)),
  );
}

/**
 * @param {Delivery} exporter
 * @param {number | undefined} stored
 */
function exporterOf(
  { id, state, queued, delivered, excluded, deadLettered, lost, lastError },
  stored,
) {
  const sum = stored ??
    queued + (delivered ?? 0) + (excluded ?? 0) + (deadLettered ?? 0) + (lost ?? 0);
  return h(
    "div",
    { class: "exporter" },
    h("div", { class: "row" }, stateBadge(state), h("h3", {}, visible(id))),
    progress(sum, queued),
    equation("Stored", sum, [
      ["delivered", delivered],
      ["queued", queued],
      ["excluded", excluded],
      ["dead letters", deadLettered],
      ["lost", lost],
    ]),
    lastError !== undefined && h("p", { class: "notice bad" }, visible(lastError)),
  );
}

/**
 * @param {Trail} trail
 * @param {number} now
 */
function trailOf(trail, now) {
  const { name, bucket, directory, prefix, isLogging, delivery, digestDelivery, notification } =
    trail;
  const place = directory ?? `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
  return h(
    "div",
    { class: "exporter" },
    h(
      "div",
      { class: "row" },
      stateBadge(isLogging ? "running" : "stopped"),
      h("h3", {}, visible(name)),
      h("span", { class: "hint clip" }, visible(place)),
    ),
    h(
      "dl",
      { class: "books" },
      latest("Last delivery", delivery, now),
      latest("Last digest", trail.logFileValidation ? digestDelivery : undefined, now),
      latest("Last notification", trail.snsTopicArn === undefined ? undefined : notification, now),
    ),
    [delivery, digestDelivery, notification].map(({ error }) =>
      error !== undefined && h("p", { class: "notice bad" }, visible(error))
    ),
  );
}

/**
 * @param {Status["components"][number]} component
 * @param {number} now
 */
function componentOf({ kind, id, pipeline, state, reason, since }, now) {
  const where = pipeline === undefined ? "" : ` in ${pipeline}`;
  return h(
    "div",
    { class: "component" },
    stateBadge(state),
    h(
      "span",
      {},
      h("b", {}, visible(id)),
      h("span", { class: "hint" }, ` ${kind}${visible(where)}`),
    ),
    h("span", { class: "reason" }, visible(reason ?? "")),
    h("span", { class: "hint since", title: `${dateTime(since)} UTC` }, ago(since, now)),
  );
}
