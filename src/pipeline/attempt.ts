// One call of an exporter, bounded in time, and what its failure means. Used by deliver.

import type { ExportBatch, Exporter } from "../../plugins/sdk/index.ts";
import { messageOf } from "./draft.ts";
import { TIMER_MS_MAX } from "./gather.ts";

/** Thrown when the deadline of a stop passes before the exporter answers. */
export class GaveUp extends Error {
  override readonly name = "GaveUp";
}

/** What a failed attempt says of its records, by sequence. */
export interface Failure {
  readonly message: string;
  readonly code: string;
  /** Never to be taken; without it, none. `"all"`: every record of the attempt. */
  readonly dead?: ReadonlySet<number> | "all";
  /** Still to be delivered; without it, all but the dead. */
  readonly remaining?: ReadonlySet<number>;
  readonly afterMs?: number;
}

/**
 * Calls the exporter once. Resolves when it resolved, be it after its time; rejects with what it
 * threw, or with GaveUp as soon as `deadline` aborts. After `timeoutMs` its signal aborts; an
 * exporter that does not heed it is waited for, so that it never has two calls at once, and `late`
 * is told.
 */
export function attempt(
  exporter: Exporter,
  batch: ExportBatch,
  timeoutMs: number,
  deadline: AbortSignal,
  late: () => void,
): Promise<void> {
  const call = new AbortController();
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      call.abort(new Error(`Export timed out: no answer within ${timeoutMs} ms`));
      late();
    }, Math.min(timeoutMs, TIMER_MS_MAX));
    const giveUp = () => {
      clearTimeout(timer);
      call.abort(new GaveUp("Export given up: the agent stops"));
      reject(call.signal.reason);
    };
    const settle = () => {
      clearTimeout(timer);
      deadline.removeEventListener("abort", giveUp);
    };
    if (deadline.aborted) return giveUp();
    deadline.addEventListener("abort", giveUp, { once: true });
    // Inside a promise, so that an exporter that throws at once is like one that rejects.
    Promise.resolve().then(() => exporter.export(batch, call.signal)).then(() => {
      settle();
      resolve();
    }, (error: unknown) => {
      settle();
      reject(error);
    });
  });
}

/**
 * Reads an exporter's error. PermanentError and RetryableError are known by name, since an external
 * plugin may bring its own copy of the SDK. Sequences that are not in the batch are not heeded, and
 * an error that names none of it is a failure of the whole, to be tried again: rather twice than
 * never.
 */
export function readFailure(error: unknown, batch: ExportBatch): Failure {
  const fields = (typeof error === "object" && error !== null ? error : {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly failed?: unknown;
    readonly remaining?: unknown;
    readonly afterMs?: unknown;
  };
  const code = typeof fields.code === "string" ? fields.code : "CAIRN_UNKNOWN";
  const failure: Failure = { message: messageOf(error), code };
  if (fields.name === "PermanentError") {
    if (fields.failed === undefined) return { ...failure, dead: "all" };
    const dead = named(fields.failed, batch);
    return dead === undefined ? failure : { ...failure, dead };
  }
  if (fields.name !== "RetryableError") return failure;
  const remaining = named(fields.remaining, batch);
  return {
    ...failure,
    ...(typeof fields.afterMs === "number" ? { afterMs: fields.afterMs } : {}),
    ...(remaining === undefined ? {} : { remaining }),
  };
}

function named(sequences: unknown, batch: ExportBatch): ReadonlySet<number> | undefined {
  if (!Array.isArray(sequences)) return undefined;
  const wanted = new Set<unknown>(sequences);
  const found = batch.records.map((record) => record.sequence).filter((n) => wanted.has(n));
  return found.length > 0 ? new Set(found) : undefined;
}
