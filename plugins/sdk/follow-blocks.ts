// BlockPool: the buffers that files are read into, used again once no batch has views of them.

/** Bytes a read asks for. Between 256 KiB and 1 MiB more gains nothing. */
export const BLOCK_BYTES = 512 * 1024;
/** Blocks kept for the next read: one read into, one on its way, one spare. */
const BLOCKS_KEPT = 3;

/** A block buffer, and how many readers and batches still have views of it. */
export interface Block {
  readonly buffer: Uint8Array;
  users: number;
}

/** See the top of the file. */
export class BlockPool {
  readonly #blocks: Block[] = [];

  /** A block of at least so many bytes, with one user: the caller. */
  take(bytes: number): Block {
    const at = this.#blocks.findIndex(({ users, buffer }) => users === 0 && buffer.length >= bytes);
    const block = at >= 0
      ? this.#blocks.splice(at, 1)[0]!
      : { buffer: new Uint8Array(Math.max(bytes, BLOCK_BYTES)), users: 0 };
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_KEPT) this.#blocks.shift();
    block.users = 1;
    return block;
  }
}
