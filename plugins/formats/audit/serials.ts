// Missing serials: the kernel numbers its events one by one, so a number that never comes is an
// event that was lost on its way: the daemon was down, a queue was full, the disk was. Watches the
// records as they are parsed; what it finds missing becomes an event of its own.

import { LRUCache } from "lru-cache";
import type { AuditEvent } from "../../sdk/event.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import type { Group } from "./assemble.ts";
import type { AuditRecord } from "./parse.ts";

// Of a fleet's log with `node=`; of one machine's there is one.
const NODES_MAX = 256;
// Events of several processors come out of order, by a few numbers as a rule.
const AHEAD_MAX = 1024;
// The clock of one event goes back by no more than this against one with a lower number; a number
// that falls while time goes on is the next boot's.
const REBOOT_MS = 1000;

/** How far the numbers of one machine have come. */
interface Course {
  /** The lowest number that has not come. */
  next: number;
  /** The latest time seen. */
  time: number;
  /** Numbers above `next` that came, with their times. */
  readonly ahead: Map<number, number>;
  /** What was told of it last, and whether events were open then: those are not handed out yet. */
  told: string;
  wasOpen: boolean;
}

function newCourse(next: number, time: number, ahead: readonly [number, number][] = []): Course {
  return { next, time, ahead: new Map(ahead), told: "", wasOpen: false };
}

/** The serials of one stream, by machine. */
export class Serials {
  readonly #waitMs: number;
  readonly #courses = new LRUCache<string, Course>({
    max: NODES_MAX,
    dispose: (_, node) => this.#changed.add(node),
  });
  readonly #changed = new Set<string>();
  #last = "";

  /** `waitMs`: for so long, by the log's own time, a number may come late. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Takes note of a record; answers with an event for each run of numbers now known missing. */
  saw(record: AuditRecord): readonly AuditEvent[] {
    // The daemon numbers its own events in a way of its own. And the mark of an event's end tells
    // nothing of it: where it comes alone, the reader has missed the event.
    const { type } = record;
    if (record.id === this.#last || type === "EOE" || type.startsWith("DAEMON_")) return NONE;
    this.#last = record.id;
    const { node, time, stamp } = record;
    const serial = serialOf(stamp);
    const course = this.#courses.get(node);
    this.#changed.add(node);
    if (course === undefined || (serial < course.next && time > course.time + REBOOT_MS)) {
      this.#courses.set(node, newCourse(serial + 1, time));
      return NONE;
    }
    if (time > course.time) course.time = time;
    if (serial > course.next) course.ahead.set(serial, time);
    else if (serial === course.next) advance(course, serial + 1);
    return course.ahead.size === 0 ? NONE : missing(node, course, this.#waitMs);
  }

  /** Nothing more comes: all that is not there is missing. */
  flush(): readonly AuditEvent[] {
    let events = NONE;
    for (const [node, course] of this.#courses.entries()) {
      if (course.ahead.size === 0) continue;
      events = [...events, ...missing(node, course, 0)];
      this.#changed.add(node);
    }
    return events;
  }

  /**
   * Adds what changed since the last call, by key; null where a machine is forgotten. The numbers
   * of the `open` events have come, but who reads on from here has to see them again.
   */
  addChanges(to: Record<string, Json>, open: Iterable<Group>): void {
    const waiting = byNode(open);
    for (const node of [...this.#changed]) {
      const course = this.#courses.peek(node);
      if (course === undefined) to[`serial ${node}`] = null;
      else this.#tell(to, node, course, waiting.get(node));
      if (!course?.wasOpen) this.#changed.delete(node);
    }
  }

  #tell(to: Record<string, Json>, node: string, course: Course, open?: ReadonlySet<number>): void {
    const told = open === undefined ? handedOut(course, NO_NUMBERS) : handedOut(course, open);
    course.wasOpen = open !== undefined;
    const text = JSON.stringify(told);
    if (text !== course.told) to[`serial ${node}`] = told;
    course.told = text;
  }

  /** Takes back what an earlier instance has told by `addChanges`. */
  recall(key: string, value: Json | undefined): void {
    if (!key.startsWith("serial ") || !isCourse(value)) return;
    const { next, time, ahead } = value;
    this.#courses.set(key.slice("serial ".length), newCourse(next, time, ahead));
  }
}

const NONE: readonly AuditEvent[] = [];
const NO_NUMBERS: ReadonlySet<number> = new Set();

function serialOf(stamp: string): number {
  return Number(stamp.slice(stamp.indexOf(":") + 1));
}

function byNode(open: Iterable<Group>): Map<string, Set<number>> {
  const waiting = new Map<string, Set<number>>();
  for (const [first] of open) {
    let serials = waiting.get(first!.node);
    if (serials === undefined) waiting.set(first!.node, serials = new Set());
    serials.add(serialOf(first!.stamp));
  }
  return waiting;
}

/** A course as it was without the numbers of open events. */
function handedOut({ next, time, ahead }: Course, open: ReadonlySet<number>): CourseText {
  const first = Math.min(next, ...open);
  const kept: [number, number][] = [];
  // Of an event that stayed open while so many came, its own loss is what goes untold.
  if (next - first > AHEAD_MAX) return { next, time, ahead: [...ahead] };
  for (let n = first + 1; n < next; n++) if (!open.has(n)) kept.push([n, time]);
  for (const pair of ahead) if (!open.has(pair[0])) kept.push(pair);
  return { next: first, time, ahead: kept };
}

/** As it stands in a position. */
interface CourseText extends JsonObject {
  readonly next: number;
  readonly time: number;
  readonly ahead: readonly [number, number][];
}

/** An event for each run of numbers that has been waited for long enough. */
function missing(node: string, course: Course, waitMs: number): readonly AuditEvent[] {
  let events = NONE;
  while (course.ahead.size > 0) {
    const first = Math.min(...course.ahead.keys());
    const since = course.ahead.get(first)!;
    if (course.time - since < waitMs && course.ahead.size <= AHEAD_MAX) break;
    events = [...events, lost(node, course.next, first - 1, since)];
    advance(course, first);
  }
  return events;
}

/** Moves to a number, and past those behind it that have come already. */
function advance(course: Course, to: number): void {
  let next = to;
  while (course.ahead.delete(next)) next++;
  // The kernel counts in 32 bits.
  course.next = next % 2 ** 32;
}

/** The event that says what is missing; `time` is that of the first event after the gap. */
function lost(node: string, first: number, last: number, time: number): AuditEvent {
  const count = last - first + 1;
  const range = `${first}-${last}`;
  const message = `${count} audit ${count === 1 ? "event is" : "events are"} missing: ${range}`;
  return {
    id: `${node === "" ? "" : `${node} `}lost ${range} before ${time}`,
    time,
    service: "auditd",
    action: "LoseEvents",
    actor: { type: "service", name: "kernel" },
    outcome: { success: false, code: "EventsLost", message },
    readOnly: false,
    category: "Management",
    additional: { firstSerial: first, lastSerial: last, count },
    ...(node !== "" && { host: node }),
  };
}

function isCourse(
  value: Json | undefined,
): value is CourseText {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    "next" in value && typeof value.next === "number" &&
    "time" in value && typeof value.time === "number" &&
    "ahead" in value && Array.isArray(value.ahead) && value.ahead.every(isPair);
}

function isPair(value: Json): boolean {
  return Array.isArray(value) && value.length === 2 &&
    value.every((member) => typeof member === "number");
}
