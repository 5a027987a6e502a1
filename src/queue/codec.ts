// What stands inside a frame: plain MessagePack, so that any reader of it can read a queue. The
// writer packs one payload for each commit; cursors unpack it into stored records.

import { Buffer } from "node:buffer";
import { FLOAT32_OPTIONS, Packr, RESERVE_START_SPACE } from "msgpackr";
import type { CloudTrailRecord } from "../../plugins/sdk/cloudtrail/record.ts";
import type { StoredRecord } from "../../plugins/sdk/export-batch.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";
import type { Entry } from "./append.ts";

// Every option that decides about bytes is written out: none may follow a library's default. No
// records extension, no bundled strings, no extension types: maps, arrays, strings, numbers, bins.
const codec = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  bundleStrings: false,
  moreTypes: false,
  structuredClone: false,
  sequential: false,
  useFloat32: FLOAT32_OPTIONS.NEVER,
  useToJSON: false,
  int64AsType: "number",
  encodeUndefinedAsNil: true,
  copyBuffers: false,
});

/** Lifetime totals on the way in: received, filtered, duplicate, rejected. */
export type Totals = readonly [number, number, number, number];

/** A receiver's position delta as JSON text, beside the receiver's id. */
export type PositionText = readonly [receiver: string, json: string];

/** What one frame says, apart from its records. */
export interface FrameNote {
  /** When it was written, ms since the epoch. */
  readonly at: number;
  readonly totals: Totals;
  readonly positions: readonly PositionText[];
}

/** A frame's payload, unpacked. */
export interface FrameContent extends FrameNote {
  readonly records: readonly StoredRecord[];
}

type Route = readonly [accountId: string, region: string, category: string, only?: string];
type PackedEntry = readonly [id: string, time: number, route: number, bytes: Uint8Array];

// Where a frame mixes more routes than this, finding one again costs more than repeating it.
const ROUTES_SEARCHED = 16;

/**
 * Packs payloads behind room for the frame's fixed part. The buffer that `pack` answers is valid
 * until the next call: one frame is on its way to the disk at a time.
 */
export class FramePacker {
  #slab = Buffer.alloc(0);

  pack(note: FrameNote, batches: readonly (readonly Entry[])[], bytesExpected: number): Buffer {
    const routes: Route[] = [];
    const entries: PackedEntry[] = [];
    for (const batch of batches) addEntries(batch, routes, entries);
    // msgpackr keeps its working buffer for the whole process: ours is lent for one call.
    if (this.#slab.length < bytesExpected) this.#slab = Buffer.allocUnsafeSlow(bytesExpected);
    codec.useBuffer(this.#slab);
    try {
      return codec.pack(
        { at: note.at, totals: note.totals, positions: note.positions, routes, entries },
        RESERVE_START_SPACE | FRAME_HEADER_BYTES,
      );
    } finally {
      codec.useBuffer(Buffer.allocUnsafeSlow(WORKING_BYTES));
      if (this.#slab.length > SLAB_BYTES_MAX) this.#slab = Buffer.alloc(0);
    }
  }
}

const WORKING_BYTES = 8192;
// A slab is kept between commits; an unusually large batch does not make it stay large.
const SLAB_BYTES_MAX = 4 * 1024 * 1024;

function addEntries(batch: readonly Entry[], routes: Route[], entries: PackedEntry[]): void {
  let at = -1;
  for (let i = 0; i < batch.length; i++) {
    const entry = batch[i]!;
    if (at < 0 || !sameRoute(routes[at]!, entry)) at = routeOf(routes, entry);
    entries.push([entry.id, entry.time, at, entry.bytes]);
  }
}

function sameRoute(route: Route, entry: Entry): boolean {
  return route[0] === entry.accountId && route[1] === entry.region &&
    route[2] === entry.category && route[3] === entry.only;
}

function routeOf(routes: Route[], entry: Entry): number {
  const first = Math.max(0, routes.length - ROUTES_SEARCHED);
  for (let i = routes.length - 1; i >= first; i--) if (sameRoute(routes[i]!, entry)) return i;
  const { accountId, region, category, only } = entry;
  const route = [accountId, region, category] as const;
  return routes.push(only === undefined ? route : [...route, only]) - 1;
}

/** Packs any plain value (segment headers). The bytes are the caller's. */
export function packValue(value: unknown): Buffer {
  return Buffer.from(codec.pack(value));
}

/** Unpacks one value; throws where the bytes are not one. */
export function unpackValue(bytes: Buffer): unknown {
  return codec.unpack(bytes);
}

/**
 * Unpacks a frame's payload. The records' bytes are views of the given memory. Throws where the
 * payload is not what this format says, also when its checksum was right.
 */
export function unpackFrame(payload: Buffer, sequence: number, count: number): FrameContent {
  const value: unknown = codec.unpack(payload);
  const note = readNote(value);
  if (!isMap(value) || !Array.isArray(value.entries) || !Array.isArray(value.routes)) {
    throw new TypeError("Cannot read frame: no entries");
  }
  const packed = value.entries as readonly PackedEntry[];
  const routes = value.routes as readonly Route[];
  if (packed.length !== count) throw new TypeError("Cannot read frame: wrong number of entries");
  const records = new Array<StoredRecord>(count);
  for (let i = 0; i < count; i++) {
    const entry = packed[i]!;
    const route = routes[entry[2]];
    if (route === undefined || !(entry[3] instanceof Uint8Array)) {
      throw new TypeError("Cannot read frame: malformed entry");
    }
    records[i] = new QueuedRecord(sequence + i, entry, route);
  }
  return { ...note, records };
}

/** Unpacks what a frame says apart from its records. */
export function unpackNote(payload: Buffer): FrameNote {
  return readNote(codec.unpack(payload));
}

function readNote(value: unknown): FrameNote {
  if (!isMap(value) || typeof value.at !== "number") {
    throw new TypeError("Cannot read frame: no map");
  }
  return {
    at: value.at,
    totals: readTotals(value.totals),
    positions: readPositions(value.positions),
  };
}

/** Checks totals read from a file. */
export function readTotals(value: unknown): Totals {
  if (Array.isArray(value) && value.length === 4 && value.every(Number.isSafeInteger)) {
    return [value[0], value[1], value[2], value[3]];
  }
  throw new TypeError("Cannot read totals: four whole numbers expected");
}

/** Checks position texts read from a file. */
export function readPositions(value: unknown): readonly PositionText[] {
  if (!Array.isArray(value)) throw new TypeError("Cannot read positions: an array expected");
  return value.map((pair: unknown) => {
    if (Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string") {
      return [pair[0], pair[1]];
    }
    throw new TypeError("Cannot read positions: pairs of texts expected");
  });
}

/** Whether an unpacked or parsed value is a map. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A record read from the queue; its JSON is parsed when first asked for. */
class QueuedRecord implements StoredRecord {
  readonly sequence: number;
  readonly id: string;
  readonly time: number;
  readonly accountId: string;
  readonly region: string;
  readonly category: string;
  readonly only: string | undefined;
  readonly bytes: Uint8Array;
  #record: CloudTrailRecord | undefined;

  constructor(sequence: number, entry: PackedEntry, route: Route) {
    this.sequence = sequence;
    this.id = entry[0];
    this.time = entry[1];
    this.accountId = route[0];
    this.region = route[1];
    this.category = route[2];
    this.only = route[3];
    this.bytes = entry[3];
  }

  get record(): CloudTrailRecord {
    return this.#record ??= JSON.parse(decodeUtf8(this.bytes));
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
