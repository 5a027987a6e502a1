// What the page asks for, as the query of its address says it: which events, and how many of them.

import { type HistoryFilter, LOOKUP_KEYS } from "../../sdk/event-history.ts";

const TEXT_LENGTH_MAX = 2000;
const ATTRIBUTES_MAX = 20;

/** A query that means nothing; its message is for the page. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/**
 * Reads a filter: a parameter for each attribute, by its name in LookupEvents, and `category`, `text`,
 * `from` and `to` (milliseconds, inclusive), `account`, `region`, `errors=1`. Throws QueryError.
 */
export function readFilter(query: URLSearchParams): HistoryFilter {
  const attributes = LOOKUP_KEYS.flatMap((key) =>
    query.getAll(key).map((value) => ({ key, value: bounded(value, key) }))
  );
  if (attributes.length > ATTRIBUTES_MAX) {
    throw new QueryError(`Expected ${ATTRIBUTES_MAX} attributes at most`);
  }
  const text = (name: string) => {
    const value = query.get(name);
    return value === null || value === "" ? undefined : bounded(value, name);
  };
  const category = query.get("category") ?? "management";
  if (category !== "management" && category !== "insight") {
    throw new QueryError('Expected category "management" or "insight"');
  }
  return {
    attributes,
    category,
    text: text("text"),
    startTime: readNumber(query, "from"),
    endTime: readNumber(query, "to"),
    accountId: text("account"),
    region: text("region"),
    errorsOnly: query.get("errors") === "1",
  };
}

/** A whole number, where there is one. Throws QueryError for anything else. */
export function readNumber(
  query: URLSearchParams,
  name: string,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value <= max) return value;
  throw new QueryError(`Expected a whole number from 0 to ${max} for "${name}"`);
}

function bounded(text: string, name: string): string {
  if (text.length <= TEXT_LENGTH_MAX) return text;
  throw new QueryError(`Expected ${TEXT_LENGTH_MAX} characters at most for "${name}"`);
}
