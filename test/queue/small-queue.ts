// A small queue on the simulated disk, for tests that damage it in every place.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import type { Files } from "../../src/queue/files.ts";
import { makeFolderDurably } from "../../src/queue/files.ts";
import { FRAME_HEADER_BYTES, readFrameHeader } from "../../src/queue/frame.ts";
import type { FrameHeader } from "../../src/queue/frame.ts";
import type { Entry, QueueOptions } from "../../src/queue/queue.ts";
import { Queue } from "../../src/queue/queue.ts";
import { findHeader } from "../../src/queue/segment.ts";
import { CALM, SimulatedDisk } from "../crash/disk.ts";
import { Random } from "../crash/random.ts";

/** Where the queue lies. */
export const DIRECTORY = "/data/queue/audit";

/** A record to store; its JSON holds its id. */
export function entry(id: string): Entry {
  return {
    id,
    time: 1_760_000_000_123,
    accountId: "111122223333",
    region: "eu-central-1",
    category: "Management",
    bytes: new TextEncoder().encode(JSON.stringify({ eventID: id, name: "Zoë" })),
  };
}

/** Entries named by their numbers, both inclusive. */
export function entries(first: number, last: number): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entry(`r${first + i}`));
}

/** A disk that does nothing unexpected. */
export function calmDisk(): { disk: SimulatedDisk; files: Files } {
  const disk = new SimulatedDisk(new Random(1));
  return { disk, files: disk.start(CALM).files };
}

/** Opens the queue on some files. */
export function openSmall(files: Files, options: Partial<QueueOptions> = {}): Promise<Queue> {
  return Queue.open({
    directory: DIRECTORY,
    clock: () => 1_760_000_000_000,
    files,
    retryMs: 0,
    ...options,
  });
}

/** The newest records, oldest of them first. */
export async function recent(queue: Queue, limit: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  await queue.eachRecent(limit, (record) => records.push(record));
  return records;
}

/** Every file of the queue and its bytes. */
export type Image = ReadonlyMap<string, Uint8Array>;

/** Takes the queue's files off a disk. */
export async function takeImage(files: Files): Promise<Image> {
  const image = new Map<string, Uint8Array>();
  for (const folder of ["", "cursors"]) {
    for (const name of await files.list(join(DIRECTORY, folder))) {
      if (name === "cursors" || name === "quarantine") continue;
      image.set(join(folder, name), await files.readFile(join(DIRECTORY, folder, name)));
    }
  }
  return image;
}

/** A new disk with those files; `replace` changes some, undefined leaves them out. */
export async function putImage(
  image: Image,
  replace: Readonly<Record<string, Uint8Array | undefined>> = {},
): Promise<Files> {
  const { files } = calmDisk();
  await makeFolderDurably(files, join(DIRECTORY, "cursors"));
  for (const [name, original] of image) {
    const bytes = name in replace ? replace[name] : original;
    if (bytes === undefined) continue;
    const file = await files.open(join(DIRECTORY, name), "create");
    await file.write(bytes, 0);
    await file.datasync();
  }
  return files;
}

/** Where a segment's frames lie, found by walking the bytes. */
export function framesOf(segment: Buffer, ordinal: number, start: number) {
  const frames = [];
  for (let offset = start; offset < segment.length;) {
    const fixed = segment.subarray(offset, offset + FRAME_HEADER_BYTES);
    const header = readFrameHeader(fixed, { offset, limit: segment.length, ordinal });
    if (header === undefined) throw new Error(`no frame at ${offset}`);
    frames.push(header);
    offset += header.bytes;
  }
  return frames;
}

/** How many records makeSmall stores. */
export const RECORDS = 9;

/** A small queue's files, and where its frames lie. */
export interface Small {
  readonly image: Image;
  readonly segments: readonly { name: string; bytes: Buffer; frames: readonly FrameHeader[] }[];
}

/** Two segments, five frames, nine records, a cursor at the beginning. */
export async function makeSmall(close: boolean): Promise<Small> {
  const { files } = calmDisk();
  const queue = await openSmall(files, { segmentBytesMax: 1000 });
  await queue.cursor("reader");
  let first = 1;
  for (const count of [2, 1, 3, 1, 2]) {
    await queue.append({
      entries: entries(first, first + count - 1),
      receiver: "auditd",
      position: { offset: first + count },
      counts: { received: count },
    });
    first += count;
  }
  if (close) await queue.close();
  const image = await takeImage(files);
  const segments = [];
  for (const name of [...image.keys()].filter((each) => each.endsWith(".seg")).sort()) {
    const bytes = Buffer.from(image.get(name)!);
    const file = await files.open(join(DIRECTORY, name), "read");
    const { start } = (await findHeader(file, name, bytes.length))!;
    segments.push({ name, bytes, frames: framesOf(bytes, Number.parseInt(name), start) });
  }
  return { image, segments };
}

/** Ids of the records that are left when some frames are lost. */
export function survivors(lost: readonly FrameHeader[]): string[] {
  const ids = [];
  for (let sequence = 1; sequence <= RECORDS; sequence++) {
    const gone = lost.some((f) => sequence >= f.sequence && sequence < f.sequence + f.count);
    if (!gone) ids.push(`r${sequence}`);
  }
  return ids;
}

/** Reads everything that is there, from sequence 1, in small bites. */
export async function readAll(
  queue: Queue,
  name = "reader",
): Promise<{ ids: string[]; lost: number; records: StoredRecord[] }> {
  const cursor = await queue.cursor(name);
  const records: StoredRecord[] = [];
  let lost = 0;
  for (let next = 1; next < queue.nextSequence();) {
    const read = await cursor.read(next, { records: 2, bytes: 1000 });
    records.push(...read.records);
    lost += read.lost;
    if (read.next <= next) throw new Error(`reading stands still at ${next}`);
    next = read.next;
  }
  return { ids: records.map((record) => record.id), lost, records };
}
