// Requests of which only the receipt is known yet. A format that gives one an event of its own marks
// its id, so that a receiver which can keep events until the answer comes knows the two to be one.

const MARK = ":RequestReceived";

/** The id of the event about the receipt, of the id that the whole request's event has. */
export function receivedOnlyId(id: string): string {
  return id + MARK;
}

/** The id that the whole request's event will have; undefined for any other event's id. */
export function answeredId(id: string): string | undefined {
  return id.endsWith(MARK) ? id.slice(0, -MARK.length) : undefined;
}
