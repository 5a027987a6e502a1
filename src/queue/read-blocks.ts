// The memory that one cursor reads frames into. Left to the garbage collector, blocks that were
// delivered long ago would pile up to many times what is in use: so they are used again.

import { Buffer } from "node:buffer";

/** Lengths are rounded up to this, so that blocks for frames of similar length fit each other. */
const STEP_BYTES = 64 * 1024;
/** Kept for the next reads: what a batch of usual size was read into. */
const FREE_BYTES_MAX = 5 * 1024 * 1024;

interface Block {
  readonly memory: ArrayBuffer;
  /** The highest sequence of which it holds bytes; 0 for none. */
  last: number;
}

/** See the top of the file. */
export class ReadBlocks {
  /** The newest is last, and may still be read into. */
  #used: Block[] = [];
  #free: ArrayBuffer[] = [];
  #freeBytes = 0;

  /** Memory for the next read; its bytes may be anything. The one before gets no more records. */
  take(bytes: number): Buffer {
    const at = this.#free.findIndex(({ byteLength }) =>
      byteLength >= bytes && byteLength <= 2 * Math.max(bytes, STEP_BYTES)
    );
    const memory = at >= 0
      ? this.#free.splice(at, 1)[0]!
      : Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES).buffer;
    if (at >= 0) this.#freeBytes -= memory.byteLength;
    this.#used.push({ memory, last: 0 });
    return Buffer.from(memory, 0, bytes);
  }

  /** Says that records up to a sequence are views of the memory taken last. */
  hold(last: number): void {
    const block = this.#used.at(-1);
    if (block !== undefined) block.last = Math.max(block.last, last);
  }

  /** Takes back the memory of all records before a sequence: their bytes are gone from then on. */
  release(sequence: number): void {
    const newest = this.#used.at(-1);
    this.#used = this.#used.filter((block) => {
      if (block === newest || block.last >= sequence) return true;
      this.#keep(block.memory);
      return false;
    });
  }

  #keep(memory: ArrayBuffer): void {
    if (this.#freeBytes + memory.byteLength > FREE_BYTES_MAX) return;
    // Handed over to a new name for it: whoever kept a view of it finds that empty, and never
    // another record's bytes in it.
    const own = structuredClone(memory, { transfer: [memory] });
    this.#free.push(own);
    this.#freeBytes += own.byteLength;
  }
}
