// A tar archive (POSIX ustar) of a few small files, as support bundles are. Every tar reads it.

import { Buffer } from "node:buffer";

const BLOCK = 512;

/** One file: its path in the archive, of ASCII and at most 100 characters, and what it holds. */
export interface TarFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** The archive; all files carry the same time, in milliseconds since the epoch. */
export function tar(files: readonly TarFile[], timeMs: number): Uint8Array {
  const blocks = files.flatMap(({ path, content }) => [
    header(path, content.length, timeMs),
    content,
    Buffer.alloc((BLOCK - content.length % BLOCK) % BLOCK),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function header(path: string, bytes: number, timeMs: number): Uint8Array {
  if (path.length > 100) throw new Error(`Cannot put "${path}" into an archive: name too long`);
  const block = Buffer.alloc(BLOCK);
  const text = (at: number, value: string) => void block.write(value, at, "latin1");
  const octal = (at: number, length: number, value: number) =>
    text(at, value.toString(8).padStart(length - 1, "0"));
  text(0, path);
  // Readable by its owner alone.
  octal(100, 8, 0o600);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, bytes);
  octal(136, 12, Math.floor(timeMs / 1000));
  text(148, "        ");
  text(156, "0");
  text(257, "ustar\x0000");
  octal(148, 7, block.reduce((sum, byte) => sum + byte, 0));
  return block;
}
