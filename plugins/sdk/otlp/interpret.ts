// Decoded OTLP logs -> what an intake takes: events, CloudTrail records as they came, and records that
// cannot be taken. One at a time, so that a large request is never in memory as events whole.

import { RejectedInput } from "../errors.ts";
import type { AuditEvent } from "../event.ts";
import { DEPTH_MAX } from "./any-value.ts";
import { carriedRecord } from "./carried-record.ts";
import { EventMaker, hasEventName, type Shared, sharedOf, timeOf } from "./event.ts";
import { type LogRecord, rawRecord, type ResourceLogs } from "./log-record.ts";

/** What became of one log record: an event, a CloudTrail record's text, or why it is neither. */
export type Interpreted =
  | { readonly event: AuditEvent }
  | { readonly text: Uint8Array; readonly index: number }
  | { readonly raw: Uint8Array; readonly reason: string; readonly index: number }
  | { readonly ignored: string };

/** What interpreting needs to know beside the records. */
export interface InterpretOptions {
  /** The bytes that were decoded. */
  readonly request: Uint8Array;
  /** Makes an id for the record of that number; `isTimed` says whether it has a time of its own. */
  readonly idOf: (index: number, isTimed: boolean) => string;
  /** The time of a record that has none, in milliseconds; undefined rejects such records. */
  readonly receivedAt: number | undefined;
  /** Leaves out records without an event name. */
  readonly onlyEvents: boolean;
}

/** Interprets requests, one after the other. */
export class Interpreter {
  readonly #maker = new EventMaker();

  /** Goes through all records; they are numbered from 0 in their order. */
  *interpret(
    logs: readonly ResourceLogs[],
    options: InterpretOptions,
  ): Generator<Interpreted, void, undefined> {
    let index = 0;
    for (const resource of logs) {
      for (const scope of resource.scopes) {
        const shared = sharedOf(resource, scope);
        for (const record of scope.records) {
          yield this.#interpret(record, shared, index++, options);
        }
      }
    }
  }

  #interpret(
    record: LogRecord,
    shared: Shared,
    index: number,
    { request, idOf, receivedAt, onlyEvents }: InterpretOptions,
  ): Interpreted {
    try {
      if (record.tooDeep) throw new RejectedInput(`Nests deeper than ${DEPTH_MAX} levels`);
      const text = carriedRecord(record);
      if (text !== undefined) return { text, index };
      if (onlyEvents && !hasEventName(record)) return NOT_AN_EVENT;
      const isTimed = timeOf(record) !== undefined;
      if (!isTimed && receivedAt === undefined) {
        throw new RejectedInput("Has no time, and its receiver does not say when it came");
      }
      const id = uidOf(record) ?? idOf(index, isTimed);
      return { event: this.#maker.event(record, shared, id, receivedAt ?? 0) };
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      return { raw: rawRecord(record, request), reason: error.message, index };
    }
  }
}

const NOT_AN_EVENT: Interpreted = { ignored: "no event: log record without event name" };

/** Two records of one uid are the same record: so says the convention. */
function uidOf({ attributes }: LogRecord): string | undefined {
  for (const { key, value } of attributes) {
    if (key === "log.record.uid" && typeof value === "string" && value !== "") {
      return `uid:${value}`;
    }
  }
  return undefined;
}
