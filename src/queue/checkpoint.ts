// A small value on disk that is replaced atomically: two files written in turn, so that the one with
// the last durable value is never touched. Cursors and the queue's end are kept this way.
//
// A file is one line `cairn-checkpoint <version> <crc-32 of the rest, hex> <length of the JSON>` and
// JSON `{"generation":n,"value":…}`; bytes behind the JSON are left over from a longer value. The
// file with the greater generation counts. Against the usual new file and rename: one fdatasync
// instead of two fsyncs, no rename to be lost, and when one file is damaged the other still holds
// the value before.

import { Buffer } from "node:buffer";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { isMap } from "./codec.ts";
import { errorCode, errorText, insist, makeDurable } from "./files.ts";
import type { Files } from "./files.ts";
import { FORMAT_VERSION, QueueVersionError } from "./segment.ts";

/** The two files' endings. */
const CHECKPOINT_ENDINGS = [".a", ".b"] as const;

interface Found {
  readonly slot: number;
  /** Of the whole file, in bytes. */
  readonly length: number;
  readonly generation: number;
  readonly value: unknown;
}

/** The name a checkpoint's file stands for; undefined where it is none. */
export function checkpointName(file: string): string | undefined {
  const ending = CHECKPOINT_ENDINGS.find((each) => file.endsWith(each));
  return ending === undefined ? undefined : file.slice(0, -ending.length);
}

/** One value. `save` resolves when it is durable; calls must not overlap. */
export class Checkpoint {
  readonly #files: Files;
  readonly #path: string;
  #slot: number;
  #generation: number;
  /** Of the file that counts, as it was found. */
  readonly #length: number;
  /** Which files are there, which names are known to be durable, which contents are unreadable. */
  readonly #exists: [boolean, boolean];
  readonly #named: [boolean, boolean] = [false, false];
  readonly #broken: [boolean, boolean];
  /** The value as last saved or found; undefined where there is none. */
  value: unknown;
  /** What was wrong with the files found, for the operator. */
  readonly problems: readonly string[];

  private constructor(files: Files, path: string, found: readonly Slot[]) {
    this.#files = files;
    this.#path = path;
    const best = newest(found);
    this.#slot = best?.slot ?? 1;
    this.#generation = best?.generation ?? 0;
    this.#length = best?.length ?? 0;
    this.#exists = [found[0]!.exists, found[1]!.exists];
    this.#broken = [found[0]!.problem !== undefined, found[1]!.problem !== undefined];
    this.value = best?.value;
    this.problems = found.flatMap((slot) => slot.problem ?? []);
  }

  /**
   * Reads `<path>.a` and `<path>.b`, changing no byte of them. Throws QueueVersionError, and disk errors
   * where what was read cannot be made durable: a killed process may have left it in memory only.
   */
  static async open(files: Files, path: string): Promise<Checkpoint> {
    const checkpoint = await Checkpoint.peek(files, path);
    if (checkpoint.#generation > 0) {
      const length = checkpoint.#length;
      await makeDurable(files, path + CHECKPOINT_ENDINGS[checkpoint.#slot]!, 0, length);
      await files.syncFolder(dirname(path));
      checkpoint.#named[checkpoint.#slot] = true;
    }
    return checkpoint;
  }

  /** Reads both files without touching them, for whoever only looks. Throws QueueVersionError. */
  static async peek(files: Files, path: string): Promise<Checkpoint> {
    const slots = [];
    for (let i = 0; i < 2; i++) slots.push(await readSlot(files, path + CHECKPOINT_ENDINGS[i]!, i));
    return new Checkpoint(files, path, slots);
  }

  /** Replaces the value. After a rejection the old value stands, here and, most likely, on disk. */
  async save(value: unknown): Promise<void> {
    const slot = 1 - this.#slot;
    const generation = this.#generation + 1;
    const path = this.#path + CHECKPOINT_ENDINGS[slot]!;
    const file = await this.#files.open(path, this.#exists[slot] ? "write" : "create");
    this.#exists[slot] = true;
    try {
      await file.write(encode({ generation, value }), 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (!this.#named[slot]) {
      await this.#files.syncFolder(dirname(path));
      this.#named[slot] = true;
    }
    this.#slot = slot;
    this.#generation = generation;
    this.value = value;
  }

  /** Moves unreadable files out of the way of the next save, so that nothing is overwritten. */
  async setAside(): Promise<void> {
    for (let i = 0; i < 2; i++) {
      const path = this.#path + CHECKPOINT_ENDINGS[i]!;
      if (!this.#broken[i]) continue;
      await this.#files.rename(path, `${path}.broken`);
      this.#exists[i] = false;
      this.#broken[i] = false;
    }
  }

  /** Removes both files. */
  async remove(): Promise<void> {
    for (const ending of CHECKPOINT_ENDINGS) {
      await this.#files.remove(this.#path + ending).catch((error) => {
        if (errorCode(error) !== "ENOENT") throw error;
      });
    }
    await this.#files.syncFolder(dirname(this.#path));
    this.#exists.fill(false);
    this.#named.fill(false);
  }
}

interface Slot {
  readonly exists: boolean;
  readonly found?: Found;
  readonly problem?: string;
}

function newest(slots: readonly Slot[]): Found | undefined {
  return slots.flatMap((slot) => slot.found ?? [])
    .sort((a, b) => b.generation - a.generation)[0];
}

function encode(content: { generation: number; value: unknown }): Buffer {
  const json = Buffer.from(JSON.stringify(content));
  const checksum = crc32(json).toString(16).padStart(8, "0");
  const line = `cairn-checkpoint ${FORMAT_VERSION} ${checksum} ${json.length}\n`;
  return Buffer.concat([Buffer.from(line), json]);
}

async function readSlot(files: Files, path: string, slot: number): Promise<Slot> {
  let bytes: Buffer;
  try {
    const content = await insist(() => files.readFile(path));
    bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { exists: false };
    return { exists: true, problem: `Cannot read "${path}": ${errorText(error)}` };
  }
  // A file that was made and never filled: a save that a crash cut short.
  if (bytes.every((byte) => byte === 0)) return { exists: true };
  const content = decode(bytes, path);
  if (content === undefined) return { exists: true, problem: `Cannot read "${path}": damaged` };
  return { exists: true, found: { slot, length: bytes.length, ...content } };
}

function decode(
  bytes: Buffer,
  path: string,
): { generation: number; value: unknown } | undefined {
  const lineEnd = bytes.indexOf(10);
  const line = bytes.subarray(0, Math.max(0, lineEnd)).toString("latin1");
  const match = /^cairn-checkpoint (\d+) ([0-9a-f]{8}) (\d+)$/.exec(line);
  if (match === null) return undefined;
  const json = bytes.subarray(lineEnd + 1, lineEnd + 1 + Number(match[3]));
  if (json.length !== Number(match[3]) || crc32(json) !== Number.parseInt(match[2]!, 16)) {
    return undefined;
  }
  if (Number(match[1]) > FORMAT_VERSION) throw new QueueVersionError(path, Number(match[1]));
  try {
    const content: unknown = JSON.parse(json.toString());
    if (!isMap(content) || !Number.isSafeInteger(content.generation)) return undefined;
    return { generation: Number(content.generation), value: content.value };
  } catch {
    return undefined;
  }
}
