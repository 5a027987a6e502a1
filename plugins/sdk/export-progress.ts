// What became of each record of the batch in hand, for exporters that send a batch in several
// requests: what was taken is not sent again when the rest of the batch is tried again.

import { PermanentError, RetryableError } from "./errors.ts";
import type { ExportBatch, StoredRecord } from "./export-batch.ts";

interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly failed: number[];
}

/** The progress of one exporter: one batch at a time, in memory. */
export class ExportProgress {
  #range: ExportBatch["range"] = { first: 0, last: 0 };
  /** Sequences that were taken, of a batch that is not done. */
  readonly #taken = new Set<number>();
  #refusals = new Map<string, Refusal>();
  #failure: { readonly code: string; readonly reason: string } | undefined;
  #offered: readonly StoredRecord[] = [];

  /** Begins an attempt at a batch: gives the records that no attempt before got through. */
  begin({ range, records }: ExportBatch): readonly StoredRecord[] {
    if (range.first !== this.#range.first || range.last !== this.#range.last) this.#taken.clear();
    this.#range = range;
    this.#refusals = new Map();
    this.#failure = undefined;
    this.#offered = records;
    if (this.#taken.size === 0) return records;
    return records.filter(({ sequence }) => !this.#taken.has(sequence));
  }

  /** The other side has it. */
  taken(record: StoredRecord): void {
    this.#taken.add(record.sequence);
  }

  /** The other side will never take it, for a reason that records of one code share. */
  refused(record: StoredRecord, code: string, reason: string): void {
    const refusal = this.#refusals.get(code) ?? { code, reason, failed: [] };
    refusal.failed.push(record.sequence);
    this.#refusals.set(code, refusal);
  }

  /** Some were not taken this time; the first reason is told. */
  failed(code: string, reason: string): void {
    this.#failure ??= { code, reason };
  }

  /**
   * Ends the attempt. Throws a PermanentError for the records that were refused, those of one code
   * at a time; else a RetryableError where some are left.
   */
  settle(): void {
    const [refusal] = this.#refusals.values();
    if (refusal !== undefined) {
      const { reason, code, failed } = refusal;
      throw new PermanentError(reason, { code, failed });
    }
    const remaining = this.#offered.filter(({ sequence }) => !this.#taken.has(sequence));
    this.#offered = [];
    if (remaining.length === 0) return this.#taken.clear();
    const { code, reason } = this.#failure ?? { code: "CAIRN_RETRYABLE", reason: "Not taken" };
    const message = `${reason} (${remaining.length} records left)`;
    throw new RetryableError(message, {
      code,
      remaining: remaining.map(({ sequence }) => sequence),
    });
  }
}
