// What is looked for: kept in the page's own address, so that Back goes back and a link leads there.

/** The attributes of LookupEvents, with what people call them. */
export const ATTRIBUTES = /** @type {const} */ ([
  ["EventName", "Event name"],
  ["Username", "User name"],
  ["EventSource", "Event source"],
  ["ResourceName", "Resource name"],
  ["ResourceType", "Resource type"],
  ["AccessKeyId", "Access key"],
  ["ReadOnly", "Read-only"],
  ["EventId", "Event ID"],
]);

/** @type {Readonly<Record<string, string>>} */
export const LABELS = {
  ...Object.fromEntries(ATTRIBUTES),
  account: "Account",
  region: "Region",
};

const HOUR = 3_600_000;

/** Stretches of time that end now: name in the address, on the page, length. */
export const RANGES = /** @type {const} */ ([
  ["1h", "1h", HOUR],
  ["24h", "24h", 24 * HOUR],
  ["7d", "7d", 168 * HOUR],
  ["30d", "30d", 720 * HOUR],
  ["all", "All", Number.POSITIVE_INFINITY],
]);

/**
 * @typedef {object} Search
 * @property {readonly (readonly [key: string, value: string])[]} filters
 * @property {string} text
 * @property {boolean} errors
 * @property {"management" | "insight"} category
 * @property {"newest" | "oldest"} order
 * @property {string} range one of RANGES, or "custom"
 * @property {number} [from] of a custom range, in milliseconds
 * @property {number} [to]
 */

/**
 * @param {URLSearchParams} query
 * @returns {Search}
 */
export function readSearch(query) {
  const from = timeOf(query.get("from"));
  const to = timeOf(query.get("to"));
  const isCustom = from !== undefined && to !== undefined && from < to;
  const range = query.get("range") ?? "all";
  return {
    filters: [...query].filter(([key]) => Object.hasOwn(LABELS, key)),
    text: query.get("text") ?? "",
    errors: query.get("errors") === "1",
    category: query.get("category") === "insight" ? "insight" : "management",
    order: query.get("order") === "oldest" ? "oldest" : "newest",
    ...(isCustom
      ? { range: "custom", from, to }
      : { range: RANGES.some(([name]) => name === range) ? range : "all" }),
  };
}

/** @param {string | null} text */
function timeOf(text) {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * The part of the page's address.
 * @param {Search} search
 */
export function writeSearch(search) {
  const query = new URLSearchParams(search.filters.map(([key, value]) => [key, value]));
  addWords(query, search);
  if (search.order === "oldest") query.set("order", "oldest");
  if (search.range === "custom") {
    query.set("from", String(search.from));
    query.set("to", String(search.to));
  } else if (search.range !== "all") query.set("range", search.range);
  return query;
}

/**
 * What the agent is asked.
 * @param {Search} search
 * @param {number} now
 */
export function askedOf(search, now) {
  const query = new URLSearchParams(search.filters.map(([key, value]) => [key, value]));
  addWords(query, search);
  const { from, to } = timesOf(search, now);
  if (from !== undefined) query.set("from", String(from));
  if (to !== undefined) query.set("to", String(to));
  return query;
}

/**
 * @param {URLSearchParams} query
 * @param {Search} search
 */
function addWords(query, { text, errors, category }) {
  if (text !== "") query.set("text", text);
  if (errors) query.set("errors", "1");
  if (category === "insight") query.set("category", category);
}

/**
 * The times that a search means; undefined where it has no bound.
 * @param {Search} search
 * @param {number} now
 * @returns {{ from?: number, to?: number }}
 */
export function timesOf({ range, from, to }, now) {
  if (range === "custom") return { from, to };
  const lengthMs = RANGES.find(([name]) => name === range)?.[2] ?? Number.POSITIVE_INFINITY;
  return lengthMs === Number.POSITIVE_INFINITY ? {} : { from: now - lengthMs };
}

/**
 * With one more filter; the same one twice says nothing more.
 * @param {Search} search
 * @param {string} key
 * @param {string} value
 * @returns {Search}
 */
export function withFilter(search, key, value) {
  if (search.filters.some(([k, v]) => k === key && v === value)) return search;
  return { ...search, filters: [...search.filters, [key, value]] };
}

/**
 * Whether anything but the time is asked for.
 * @param {Search} search
 */
export function isNarrowed({ filters, text, errors }) {
  return filters.length > 0 || text !== "" || errors;
}
