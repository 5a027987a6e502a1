// Succession: the files that had one path, one after the other, and the format that reads across
// them. Rotation renames or truncates a file while lines of one event stand on both sides of it.

import { FileStream, type StreamLimits, type StreamPosition } from "./follow-stream.ts";
import { type FoundFile, rotatedSiblings, siblingsThat } from "./follow-files.ts";
import type { Format } from "./format.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Position } from "./intake.ts";

// What a format has learned stands in the position beside the files, by path and its own key.
const LEARNED = "learned ";

/** See the top of the file. */
export class Succession {
  readonly path: string;
  readonly format: Format;
  /** Oldest first; the last one is, or was, at the path. */
  readonly streams: FileStream[] = [];
  /** Keys of streams that are finished and whose place in the position is to be removed. */
  readonly #gone = new Set<string>();
  #lastKey = "";
  #lastTime = 0;

  /** `position` is what an earlier run has stored; the format takes back what it had learned. */
  constructor(path: string, format: Format, position?: Position) {
    this.path = path;
    this.format = format;
    if (format.recall !== undefined) format.recall(storedLearned(position, path));
  }

  /** Adds the stream that follows all others. */
  push(stream: FileStream): void {
    this.streams.push(stream);
    this.#gone.delete(stream.key);
  }

  /** Says which stream is at the path: stored ones come in the order of their last changes. */
  makeLast(stream: FileStream): void {
    if (this.streams.at(-1) === stream || !this.streams.includes(stream)) return;
    this.replace(stream, []);
    this.streams.push(stream);
  }

  /** Puts streams in the place of one. */
  replace(stream: FileStream, by: readonly FileStream[]): void {
    this.streams.splice(this.streams.indexOf(stream), 1, ...by);
  }

  /** Takes a finished stream out; its key leaves the position with the next batch. */
  remove(stream: FileStream): void {
    const last = this.streams.at(-1);
    if (last === stream) [this.#lastKey, this.#lastTime] = [stream.key, stream.time];
    this.replace(stream, []);
    this.#gone.add(stream.key);
  }

  /** The files that came between the last stream and the one at the path now, oldest first. */
  async missed(): Promise<FoundFile[]> {
    const last = this.streams.at(-1);
    const [key, time] = last === undefined
      ? [this.#lastKey, this.#lastTime]
      : [last.key, last.time];
    const siblings = await rotatedSiblings(this.path);
    const at = siblings.findIndex((file) => file.key === key);
    if (at < 0) return siblings.filter((file) => Number(file.stats.mtimeMs) > time);
    if (last !== undefined) last.location = siblings[at]!.path;
    return siblings.slice(at + 1);
  }

  /**
   * What changed since the last call, to be made durable with the events of all lines before it.
   * Frames that wait in the format hold it back: in their own stream to the oldest of them, in the
   * others altogether, for nothing tells which of their frames wait too.
   */
  position(): Position | undefined {
    const pending = this.format.oldestPending();
    let moved: Record<string, Json> | undefined;
    for (const stream of this.streams) {
      if (pending !== undefined && pending.source !== stream.source) continue;
      const offset = pending === undefined ? stream.done : Math.min(stream.done, pending.offset);
      if (offset === stream.saved) continue;
      stream.saved = offset;
      moved ??= {};
      moved[stream.key] = stream.position(offset);
    }
    for (const key of this.#gone) {
      // The system gives a free inode to the next file.
      if (this.streams.some((stream) => stream.key === key)) continue;
      moved ??= {};
      moved[key] = null;
    }
    this.#gone.clear();
    const learned = this.format.learned?.();
    if (learned === undefined) return moved;
    moved ??= {};
    for (const key in learned) moved[`${LEARNED}${this.path} ${key}`] = learned[key] ?? null;
    return moved;
  }
}

/**
 * What comes in the place of a truncated stream, oldest first: the rest of the old bytes where
 * rotation has copied them to before it truncated, and the file anew.
 */
export async function afterTruncation(
  stream: FileStream,
  limits: StreamLimits,
  isKnown: (key: string) => boolean,
): Promise<FileStream[]> {
  const fresh = new FileStream(stream.key, stream.location, stream.renewed(), limits);
  fresh.mayMissCopies = true;
  const copies = await siblingsThat(
    stream.path,
    async ({ path, key }) => !isKnown(key) && await stream.isCopiedBy(path, key),
  );
  const copy = copies.at(-1);
  if (copy === undefined) return [fresh];
  return [new FileStream(copy.key, copy.path, stream.position(stream.done), limits), fresh];
}

/** The streams that an earlier run left in the receiver's position, by path, oldest first. */
export function storedStreams(
  position: Position | undefined,
  limits: StreamLimits,
): Map<string, FileStream[]> {
  const byPath = new Map<string, FileStream[]>();
  const found = Object.entries(position ?? {}).flatMap(([key, value]) =>
    !key.startsWith(LEARNED) && isStreamPosition(value)
      ? [new FileStream(key, value.path, value, limits)]
      : []
  );
  for (const stream of found.sort((a, b) => a.time - b.time)) {
    stream.saved = stream.done;
    stream.mayMissCopies = stream.done === 0;
    byPath.set(stream.path, [...byPath.get(stream.path) ?? [], stream]);
  }
  return byPath;
}

function storedLearned(position: Position | undefined, path: string): JsonObject {
  const prefix = `${LEARNED}${path} `;
  const found: Record<string, Json> = {};
  for (const [key, value] of Object.entries(position ?? {})) {
    if (key.startsWith(prefix) && value != null) found[key.slice(prefix.length)] = value;
  }
  return found;
}

function isStreamPosition(value: Json | undefined): value is StreamPosition {
  return typeof value === "object" && value !== null && "path" in value && "offset" in value &&
    typeof value.path === "string" && typeof value.offset === "number" && value.offset >= 0;
}
