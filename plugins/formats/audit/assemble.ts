// Records to groups, one per event: the second step of the format. The kernel writes an event as
// several lines, those of different events among each other; node, time and serial say what belongs
// together.
//
// A group is complete, and handed out, when
//   - its type stands alone (user-space records), at once;
//   - EOE comes (sockets and pipes have it, log files do not);
//   - PROCTITLE, which the kernel writes last, comes and SYSCALL and all its PATHs are there;
//   - flush() has seen it for `waitMs` (the log's own times say nothing: lines come out of order);
//   - more than `groupsMax`, or more than `bytesMax` bytes, wait: the oldest goes.

import { RejectedInput } from "../../sdk/errors.ts";
import type { FramePosition } from "../../sdk/format.ts";
import type { AuditRecord } from "./parse.ts";

/** Bounds of what waits. */
export interface AssembleOptions {
  readonly waitMs: number;
  readonly groupsMax: number;
  /** Bytes of one event's lines. */
  readonly groupBytesMax: number;
  /** Bytes of all lines that wait. */
  readonly bytesMax: number;
}

/** Records of one event, in the order they came. */
export type Group = readonly AuditRecord[];

interface OpenGroup {
  readonly key: string;
  readonly position: FramePosition;
  readonly records: AuditRecord[];
  bytes: number;
  /** The first `nowMs` that flush() brought after this group was opened. */
  seenMs: number | undefined;
  titled: boolean;
  /** PATH records promised by SYSCALL's `items`, and those that came. */
  items: number | undefined;
  paths: number;
}

const NONE: readonly Group[] = [];

/** Collects records until their events are complete. */
export class Assembler {
  readonly #options: AssembleOptions;
  // In order of their first lines, so the first is the oldest.
  readonly #open = new Map<string, OpenGroup>();
  // The one the record before went to: the next nearly always goes there, too.
  #last: OpenGroup | undefined;
  #bytes = 0;
  // Keys of events handed out lately, to know a straggler from a new event.
  readonly #closed = new Set<string>();
  // The same in a ring: a Set finds its oldest only past all that were deleted before it.
  readonly #ring: string[] = [];
  #closedCount = 0;

  constructor(options: AssembleOptions) {
    this.#options = options;
  }

  /**
   * Takes a record of `bytes` bytes; answers with the groups it completed. Throws RejectedInput for
   * one that comes after its event was handed out, or would make its event larger than the limit;
   * what waits stays as it was.
   */
  add(record: AuditRecord, bytes: number, at: FramePosition): readonly Group[] {
    if (record.isAlone) return [[record]];
    const key = record.id;
    const group = this.#last?.key === key ? this.#last : this.#open.get(key);
    if (record.type === "EOE") {
      return group === undefined ? NONE : [this.#close(group)];
    }
    if (group === undefined && this.#closed.has(key)) {
      throw new RejectedInput(`Late record: event "${key}" was complete before it`);
    }
    if (bytes + (group?.bytes ?? 0) > this.#options.groupBytesMax) {
      throw new RejectedInput(
        `Event "${key}" too large: over ${this.#options.groupBytesMax} bytes with this record`,
      );
    }
    const target = this.#last = group ?? this.#openGroup(key, at);
    collect(target, record, bytes);
    this.#bytes += bytes;
    if (target.titled && target.items !== undefined && target.paths >= target.items) {
      return [this.#close(target)];
    }
    let done = NONE;
    while (this.#open.size > this.#options.groupsMax || this.#bytes > this.#options.bytesMax) {
      done = [...done, this.#close(this.#oldest()!)];
    }
    return done;
  }

  /** Hands out what has waited long enough by `nowMs`; Infinity hands out all. */
  flush(nowMs: number): readonly Group[] {
    const done: Group[] = [];
    for (const group of this.#open.values()) {
      // A clock that was set back starts the wait again.
      if (group.seenMs === undefined || group.seenMs > nowMs) group.seenMs = nowMs;
      if (nowMs === Infinity || nowMs - group.seenMs >= this.#options.waitMs) {
        done.push(this.#close(group));
      }
    }
    return done;
  }

  /** Where the oldest group's first record was found. */
  oldestPending(): FramePosition | undefined {
    return this.#oldest()?.position;
  }

  /** What waits. */
  *open(): Generator<Group> {
    for (const { records } of this.#open.values()) yield records;
  }

  #oldest(): OpenGroup | undefined {
    for (const group of this.#open.values()) return group;
    return undefined;
  }

  #openGroup(key: string, at: FramePosition): OpenGroup {
    const group: OpenGroup = {
      key,
      position: { source: at.source, offset: at.offset },
      records: [],
      bytes: 0,
      seenMs: undefined,
      titled: false,
      items: undefined,
      paths: 0,
    };
    this.#open.set(key, group);
    return group;
  }

  #close(group: OpenGroup): Group {
    this.#open.delete(group.key);
    if (this.#last === group) this.#last = undefined;
    this.#bytes -= group.bytes;
    this.#remember(group.key);
    return group.records;
  }

  #remember(key: string): void {
    const at = this.#closedCount++ % this.#options.groupsMax;
    const oldest = this.#ring[at];
    if (oldest !== undefined) this.#closed.delete(oldest);
    this.#ring[at] = key;
    this.#closed.add(key);
  }
}

function collect(group: OpenGroup, record: AuditRecord, bytes: number): void {
  group.records.push(record);
  group.bytes += bytes;
  if (record.type === "PATH") group.paths++;
  else if (record.type === "PROCTITLE") group.titled = true;
  else if (record.type === "SYSCALL") group.items = Number(record.fields.get("items") ?? 0) || 0;
}
