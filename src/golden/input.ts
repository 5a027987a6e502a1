// The bytes of a case: what stands in the test file, or in files beside it, stream by stream. The
// only place of golden tests that reads a disk.

import { Buffer } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { expandGlob, isGlob } from "../../plugins/sdk/glob.ts";
import type { TestCase } from "./test-file.ts";

/** Bytes that one instance of a format reads. */
export interface InputStream {
  /** What a position calls it. */
  readonly source: string;
  /** Bytes to be split into lines, or what comes in one piece each. */
  readonly content: { readonly lines: Buffer } | { readonly bodies: readonly Buffer[] };
}

/** The input of a case cannot be had: which part of it, and why. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly code = "CAIRN_TEST_INPUT";
  readonly path: readonly string[];

  constructor(path: readonly string[], message: string) {
    super(message);
    this.path = path;
  }
}

// All of it is held at once; more is no test but a load.
const INPUT_BYTES_MAX = 64 * 1024 * 1024;
const FILES_MAX = 1000;

const SOURCE = "test";

/** The streams of a case; files are found from the test file's folder. Throws InputError. */
export async function readInput(
  input: TestCase["input"],
  testFile: string,
): Promise<readonly InputStream[]> {
  const { lines, body, hex, base64, file, source = SOURCE } = input;
  if (lines !== undefined) return [{ source, content: { lines: Buffer.from(lines) } }];
  if (file !== undefined) return await readFiles(input, file, dirname(testFile));
  const texts = (given: string | readonly string[]) => typeof given === "string" ? [given] : given;
  const bodies = body !== undefined
    ? texts(body).map((text) => Buffer.from(text))
    : hex !== undefined
    ? texts(hex).map(fromHex)
    : texts(base64 ?? []).map(fromBase64);
  return [{ source, content: { bodies } }];
}

function fromHex(text: string): Buffer {
  const digits = text.replace(/\s+/g, "");
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) {
    throw new InputError(["hex"], "Expected pairs of hexadecimal digits");
  }
  return Buffer.from(digits, "hex");
}

function fromBase64(text: string): Buffer {
  const digits = text.replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(digits) || digits.replace(/=+$/, "").length % 4 === 1) {
    throw new InputError(["base64"], "Expected base64");
  }
  return Buffer.from(digits, "base64");
}

async function readFiles(
  { framing, source }: TestCase["input"],
  patterns: string | readonly string[],
  folder: string,
): Promise<readonly InputStream[]> {
  const paths = await findFiles(typeof patterns === "string" ? [patterns] : patterns, folder);
  let room = INPUT_BYTES_MAX;
  return paths.map((path) => {
    const bytes = readWhole(path, room);
    room -= bytes.length;
    const name = source ?? `${SOURCE}:${relative(folder, path)}`;
    return {
      source: name,
      content: framing === "lines" ? { lines: bytes } : { bodies: [bytes] },
    };
  });
}

async function findFiles(patterns: readonly string[], folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const pattern of patterns) {
    const path = isAbsolute(pattern) ? pattern : join(folder, pattern);
    const found = isGlob(pattern) ? await expandGlob(resolve(path)) : [path];
    if (found.length === 0) throw new InputError(["file"], `No file fits "${pattern}"`);
    paths.push(...found);
    if (paths.length > FILES_MAX) throw new InputError(["file"], `More than ${FILES_MAX} files`);
  }
  return paths;
}

function readWhole(path: string, bytesMax: number): Buffer {
  try {
    const found = statSync(path);
    // A pipe could keep us waiting, a device has no end.
    if (!found.isFile()) throw new Error("not a regular file");
    if (found.size > bytesMax) {
      throw new Error(`all input of a case is at most ${INPUT_BYTES_MAX} bytes`);
    }
    return readFileSync(path);
  } catch (error) {
    const { message } = error as Error;
    const reason = /^E[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? message;
    throw new InputError(["file"], `Cannot read "${path}": ${reason}`);
  }
}
