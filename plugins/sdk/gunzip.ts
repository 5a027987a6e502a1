// Gzip undone in blocks, with everything that comes out before damage or a sudden end. (An iterated
// stream would throw away what it holds when the error arrives.)

import { createGunzip, type Gunzip } from "node:zlib";

/** The gzip data broke. All that could be read was given before. */
export class GunzipError extends Error {
  override readonly name = "GunzipError";
  readonly code = "CAIRN_GUNZIP";
  /** True where the data ended too early: more of it may yet come. */
  readonly cut: boolean;

  constructor(cut: boolean, options?: ErrorOptions) {
    super(cut ? "Gzip data ends too early" : "Gzip data is damaged", options);
    this.cut = cut;
  }
}

// Gzip makes at most 1,032 bytes of one, so that a step never makes more than 16 MiB.
const STEP_BYTES = 16 * 1024;

const OUTPUT_BYTES = 256 * 1024;

/** True for bytes that begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Gives the bytes inside gzip data, in blocks. Throws GunzipError after the last readable one. */
export async function* gunzipBlocks(
  blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
  let output: Uint8Array[] = [];
  let failure: Error | undefined;
  gunzip.on("data", (block: Uint8Array) => output.push(block));
  gunzip.on("error", (error) => failure ??= error);
  try {
    for await (const block of blocks) {
      for (let at = 0; at < block.length && failure === undefined; at += STEP_BYTES) {
        await write(gunzip, block.subarray(at, at + STEP_BYTES));
        const ready = output;
        output = [];
        yield* ready;
      }
    }
    if (failure === undefined) await end(gunzip);
    yield* output;
    if (failure !== undefined) throw gunzipError(failure);
  } finally {
    gunzip.destroy();
  }
}

/** Resolves when the bytes went through, or when that failed: the error event tells. */
function write(gunzip: Gunzip, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once("close", resolve);
    gunzip.write(bytes, () => {
      gunzip.off("close", resolve);
      resolve();
    });
  });
}

function end(gunzip: Gunzip): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once("close", resolve);
    gunzip.once("error", () => resolve());
    gunzip.once("end", resolve);
    gunzip.end();
  });
}

function gunzipError(cause: Error): GunzipError {
  const code = "code" in cause ? cause.code : undefined;
  return new GunzipError(code === "Z_BUF_ERROR", { cause });
}
