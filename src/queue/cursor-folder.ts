// The folder of cursors: finds them at start, makes and removes them, and tells those that wait when
// the queue has grown.

import { join } from "node:path";
import { Checkpoint, checkpointName } from "./checkpoint.ts";
import { firstState, QueueCursor, readState } from "./cursor.ts";
import type { Cursor, CursorState } from "./cursor.ts";
import type { Files } from "./files.ts";
import type { Source } from "./record-reader.ts";

/** A cursor found on disk. */
export interface FoundCursor {
  readonly checkpoint: Checkpoint;
  /** Undefined where neither of its files can be read. */
  readonly state: CursorState | undefined;
}

/** The cursors found on disk, by name, and what an operator should know. */
export interface FoundCursors {
  readonly cursors: ReadonlyMap<string, FoundCursor>;
  readonly messages: readonly string[];
  /** A sequence that is certain to have been acknowledged: some cursor or plan is there. */
  readonly acknowledged: number;
}

/** Where a queue's cursors are kept. */
export function cursorFolder(directory: string): string {
  return join(directory, "cursors");
}

/**
 * Reads all cursors, by default so that what was read is durable. Throws QueueVersionError; damage
 * is told in the messages.
 */
export async function findCursors(
  files: Files,
  directory: string,
  open: typeof Checkpoint.open = Checkpoint.open,
): Promise<FoundCursors> {
  const folder = cursorFolder(directory);
  const cursors = new Map<string, FoundCursor>();
  const messages: string[] = [];
  let acknowledged = 1;
  for (const file of await files.list(folder)) {
    const stem = checkpointName(file);
    const name = stem === undefined ? undefined : decodeName(stem);
    if (name === undefined) {
      if (!file.endsWith(".broken")) {
        messages.push(`Cannot use "${join(folder, file)}": not a cursor's file`);
      }
      continue;
    }
    if (cursors.has(name)) continue;
    const checkpoint = await open(files, join(folder, stem!));
    const state = readState(checkpoint.value);
    cursors.set(name, { checkpoint, state });
    messages.push(...checkpoint.problems.map((problem) => `${problem}; ${outcome(name, state)}`));
    if (state === undefined) continue;
    acknowledged = Math.max(acknowledged, state.position, (state.plan?.last ?? 0) + 1);
  }
  return { cursors, messages, acknowledged };
}

function outcome(name: string, state: CursorState | undefined): string {
  return state === undefined
    ? `cursor "${name}" begins at the oldest record again`
    : `cursor "${name}" goes on from its other file, at ${state.position}`;
}

function decodeName(stem: string): string | undefined {
  try {
    return decodeURIComponent(stem);
  } catch {
    return undefined;
  }
}

/** The cursors of an open queue. */
export class CursorFolder {
  readonly source: Source;
  readonly #found: Map<string, FoundCursor>;
  readonly #open = new Map<string, Promise<QueueCursor>>();
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>();
  readonly #folder: string;
  readonly #onMove: () => void;

  constructor(source: Source, directory: string, found: FoundCursors, onMove: () => void) {
    this.source = source;
    this.#folder = cursorFolder(directory);
    this.#found = new Map(found.cursors);
    this.#onMove = onMove;
    for (const [name, { state }] of this.#found) {
      // One that lost its place holds everything until it is used again or removed.
      source.retention.positions.set(name, state?.position ?? 1);
    }
  }

  /** See Queue.cursor. */
  cursor(name: string): Promise<Cursor> {
    let cursor = this.#open.get(name);
    if (cursor === undefined) {
      cursor = this.#openCursor(name);
      this.#open.set(name, cursor);
      cursor.catch(() => this.#open.delete(name));
    }
    return cursor;
  }

  /** Names of all cursors. */
  names(): readonly string[] {
    return [...new Set([...this.#found.keys(), ...this.#open.keys()])];
  }

  /** Closes a cursor, which keeps its place; what it has read is nobody else's from now on. */
  async release(name: string): Promise<void> {
    const open = await this.#open.get(name);
    const found = this.#found.get(name);
    if (open === undefined || found === undefined) return;
    await open.close();
    this.#found.set(name, { ...found, state: open.state() });
    this.#open.delete(name);
  }

  /** Removes a cursor, its files included. */
  async remove(name: string): Promise<void> {
    const open = await this.#open.get(name);
    const found = this.#found.get(name);
    if (open !== undefined) await open.remove();
    else await found?.checkpoint.remove();
    this.#open.delete(name);
    this.#found.delete(name);
    this.source.retention.positions.delete(name);
    await this.source.retention.reap();
    this.#onMove();
  }

  /** Tells those that wait for a sequence. */
  grew(): void {
    for (const waiting of this.#waiting) {
      if (waiting.sequence < this.source.state.next) waiting.resolve();
    }
  }

  /** Closes all cursors; those that wait go on waiting for their signal. */
  async close(): Promise<void> {
    for (const cursor of this.#open.values()) await (await cursor).close();
  }

  async #openCursor(name: string): Promise<QueueCursor> {
    const { files, retention, state: log } = this.source;
    const found = this.#found.get(name);
    const checkpoint = found?.checkpoint ??
      await Checkpoint.open(files, join(this.#folder, encodeURIComponent(name)));
    await checkpoint.setAside();
    let state = found?.state;
    if (state === undefined) {
      const first = firstState(retention.segments[0]?.base ?? log.next);
      // Held at once: no segment may go between now and the save.
      retention.positions.set(name, first.position);
      await checkpoint.save(first);
      state = first;
      this.#found.set(name, { checkpoint, state });
    }
    return new QueueCursor(name, checkpoint, state, {
      ...this.source,
      moved: async (moved, position) => {
        retention.positions.set(moved, position);
        await retention.reap();
        this.#onMove();
      },
      wait: (sequence, signal) => this.#wait(sequence, signal),
    });
  }

  #wait(sequence: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (sequence < this.source.state.next) return resolve();
      const abort = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const waiting = {
        sequence,
        resolve: () => {
          this.#waiting.delete(waiting);
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
