// A simulated disk behind `Files`, for histories of crashes. What it promises, and what not:
//
// - A write, truncate or new name is seen by every later call at once (page cache), and is on the
//   disk only when the right sync has returned: fdatasync for a file's content and length, fsync of
//   the folder for its names (made, removed, renamed, also of folders inside it).
// - Power loss keeps what was synced. Of the rest it keeps anything: of each unsynced write each
//   sector or not, in no order; of each unsynced truncate the new length or not; a length without
//   its content (zeros); of each unsynced change of a name the new state or the old. A rename is
//   atomic: it happened or not, never half.
// - A killed process loses nothing that it wrote, but nothing of it is on the disk yet: what the next
//   process reads may still be lost by a later power loss.
// - A failed write may have written any prefix, also all. After a failed fdatasync some of the unsynced
//   sectors are on the disk, and the others never will be, although reads go on showing them until
//   the cache is dropped (here: at the next crash), and although a later fdatasync succeeds.
// - A call that a crash interrupts has happened, has not, or (a write) has in part; it never
//   settles. Files of the process before stay silent for ever.

import { Buffer } from "node:buffer";
import { basename, dirname } from "node:path";
import type { Files, OpenFile } from "../../src/queue/files.ts";
import type { Random } from "./random.ts";

// Small, so that small frames tear in many ways.
const SECTOR_BYTES = 32;

interface FileNode {
  readonly kind: "file";
  /** What reads see. */
  live: Buffer;
  /** What is on the disk. */
  durable: Buffer;
  /** Unsynced changes, in order. */
  pending: Change[];
}

type Change =
  | { readonly at: number; readonly bytes: Buffer }
  | { readonly length: number };

interface FolderNode {
  readonly kind: "folder";
  live: Map<string, Node>;
  durable: Map<string, Node>;
  pending: NameChange[];
}

type Node = FileNode | FolderNode;

interface NameChange {
  readonly remove?: string;
  readonly add?: readonly [string, Node];
}

/** What may go wrong, and when. */
export interface Weather {
  /** After how many calls the crash comes. */
  readonly crashAfter: number;
  /** power: unsynced changes are lost at random. kill: only the process goes. */
  readonly crash: "power" | "kill";
  /** Chance of each call to fail. */
  readonly failure: number;
  /** How many calls may fail. */
  readonly failuresMax: number;
  /** The calls before that do not fail. */
  readonly failuresAfter: number;
}

/** Calm weather: nothing fails, nothing crashes. */
export const CALM: Weather = {
  crashAfter: Number.POSITIVE_INFINITY,
  crash: "kill",
  failure: 0,
  failuresMax: 0,
  failuresAfter: 0,
};

/** The disk, its cache, and the machine's boots. */
export class SimulatedDisk {
  readonly #random: Random;
  readonly #root = folder();
  readonly #names = new Map<string, readonly string[]>();
  #boot = 0;
  #process = 0;
  #weather: Weather = CALM;
  #calls = 0;
  #failures = 0;
  #crash: () => void = () => {};
  /** Bytes that may still be written. */
  free = 1 << 30;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Begins a process; `crashed` resolves when the weather has ended it. */
  start(weather: Weather): { files: Files; crashed: Promise<void> } {
    this.#process++;
    this.#weather = weather;
    this.#calls = 0;
    this.#failures = 0;
    const crashed = new Promise<void>((resolve) => this.#crash = resolve);
    return { files: this.#files(this.#process), crashed };
  }

  /** Ends the process from outside. */
  end(how: "power" | "kill"): void {
    this.#process++;
    this.#drop(this.#root, how === "power");
    if (how === "power") this.#boot++;
    this.#crash();
  }

  /** How many calls the running process has made. */
  get calls(): number {
    return this.#calls;
  }

  /** Changes a file's bytes on the disk, as decay would. */
  edit(path: string, change: (bytes: Buffer) => Buffer): void {
    const node = this.#file(path);
    node.durable = node.live = change(Buffer.from(node.live));
    node.pending = [];
  }

  // One call: perhaps a crash before, within or after it, perhaps a failure.
  async #call<T>(
    process: number,
    act: () => T,
    on: { errors: readonly string[]; partly?: () => void },
  ): Promise<T> {
    for (let turns = this.#random.below(3); turns > 0; turns--) await Promise.resolve();
    if (process !== this.#process) return await never();
    if (++this.#calls > this.#weather.crashAfter) {
      const moment = this.#random.below(3);
      if (moment === 1) on.partly?.();
      else if (moment === 2) this.#attempt(act);
      this.end(this.#weather.crash);
      return await never();
    }
    if (this.#fails()) {
      this.#failures++;
      if (this.#random.chance(0.5)) on.partly?.();
      throw diskError(on.errors[this.#random.below(on.errors.length)]!);
    }
    return act();
  }

  #fails(): boolean {
    const { failure, failuresMax, failuresAfter } = this.#weather;
    return this.#failures < failuresMax && this.#calls > failuresAfter &&
      this.#random.chance(failure);
  }

  #attempt(act: () => unknown): void {
    try {
      act();
    } catch {
      // The crash hides the error.
    }
  }

  #files(process: number): Files {
    const change = { errors: ["EIO", "ENOSPC"] };
    const access = { errors: ["EIO"] };
    return {
      open: (path, mode) =>
        this.#call(
          process,
          () => this.#open(process, path, mode),
          mode === "create" ? change : access,
        ),
      readFile: async (path) =>
        path.startsWith("/proc/")
          ? this.#identity(path)
          : await this.#call(process, () => Buffer.from(this.#file(path).live), access),
      list: (path) => this.#call(process, () => [...this.#folder(path).live.keys()], access),
      makeFolder: (path) => this.#call(process, () => this.#makeFolder(path), change),
      rename: (from, to) => this.#call(process, () => this.#rename(from, to), change),
      remove: (path) => this.#call(process, () => this.#remove(path), access),
      syncFolder: (path) => {
        const node = () => this.#folder(path);
        return this.#call(process, () => syncNames(node()), {
          ...access,
          partly: () => this.#keepNames(node()),
        });
      },
      freeBytes: () => this.#call(process, () => this.free, access),
    };
  }

  #open(process: number, path: string, mode: "read" | "write" | "create"): OpenFile {
    const parent = this.#folder(dirname(path));
    const name = basename(path);
    if (mode === "create") {
      if (parent.live.has(name)) throw diskError("EEXIST");
      const node: FileNode = {
        kind: "file",
        live: Buffer.alloc(0),
        durable: Buffer.alloc(0),
        pending: [],
      };
      rename(parent, { add: [name, node] });
      return this.#handle(process, node);
    }
    return this.#handle(process, this.#file(path));
  }

  #handle(process: number, node: FileNode): OpenFile {
    const write = (bytes: Buffer, at: number) => {
      apply(node, { at, bytes });
      node.pending.push({ at, bytes });
    };
    const access = { errors: ["EIO"] };
    return {
      write: (bytes, at) => {
        const copy = Buffer.from(bytes);
        return this.#call(process, () => write(copy, at), {
          errors: ["EIO", "ENOSPC"],
          partly: () => {
            const length = this.#random.chance(0.3)
              ? copy.length
              : this.#random.below(copy.length + 1);
            write(copy.subarray(0, length), at);
          },
        });
      },
      read: (into, at) =>
        this.#call(process, () => {
          const bytes = node.live.subarray(at, at + into.length);
          into.set(bytes);
          return bytes.length;
        }, access),
      size: () => this.#call(process, () => node.live.length, access),
      hasName: () => this.#call(process, () => holds(this.#root, node), access),
      truncate: (length) =>
        this.#call(process, () => {
          apply(node, { length });
          node.pending.push({ length });
        }, access),
      datasync: () =>
        this.#call(process, () => {
          // Only what was written since the last sync: what a failed one forgot stays forgotten.
          const kept: FileNode = { ...node, live: Buffer.from(node.durable) };
          for (const change of node.pending) apply(kept, change);
          node.durable = kept.live;
          node.pending = [];
        }, {
          errors: ["EIO", "ENOSPC"],
          partly: () => {
            node.durable = this.#keepSome(node);
            node.pending = [];
          },
        }),
      close: () => this.#call(process, () => {}, { errors: ["EIO"] }),
    };
  }

  /** The boot, and a start time that no other process of this boot has. */
  #identity(path: string): Uint8Array {
    if (path.startsWith("/proc/sys")) return Buffer.from(`boot-${this.#boot}\n`);
    const fields = Array.from({ length: 18 }, () => "0").join(" ");
    return Buffer.from(`1 (cairn) R ${fields} ${this.#process} 0`);
  }

  #makeFolder(path: string): void {
    const parent = this.#folder(dirname(path));
    if (parent.live.has(basename(path))) throw diskError("EEXIST");
    rename(parent, { add: [basename(path), folder()] });
  }

  #rename(from: string, to: string): void {
    const parent = this.#folder(dirname(from));
    const node = parent.live.get(basename(from));
    if (node === undefined) throw diskError("ENOENT");
    rename(parent, { remove: basename(from), add: [basename(to), node] });
  }

  #remove(path: string): void {
    const parent = this.#folder(dirname(path));
    if (!parent.live.has(basename(path))) throw diskError("ENOENT");
    rename(parent, { remove: basename(path) });
  }

  #folder(path: string): FolderNode {
    let node: Node = this.#root;
    let names = this.#names.get(path);
    if (names === undefined) {
      this.#names.set(path, names = path.split("/").filter((each) => each !== ""));
    }
    for (const name of names) {
      const next: Node | undefined = node.kind === "folder" ? node.live.get(name) : undefined;
      if (next === undefined) throw diskError("ENOENT");
      node = next;
    }
    if (node.kind !== "folder") throw diskError("ENOTDIR");
    return node;
  }

  #file(path: string): FileNode {
    const node = this.#folder(dirname(path)).live.get(basename(path));
    if (node === undefined) throw diskError("ENOENT");
    if (node.kind !== "file") throw diskError("EISDIR");
    return node;
  }

  /** The cache goes: with power, unsynced changes too; without, only what a failed sync forgot. */
  #drop(node: Node, power: boolean): void {
    if (node.kind === "file") {
      if (power) node.durable = this.#keepSome(node);
      node.live = Buffer.from(node.durable);
      if (power) node.pending = [];
      else for (const change of node.pending) apply(node, change);
      return;
    }
    if (power) {
      this.#keepNames(node);
      node.live = new Map(node.durable);
      node.pending = [];
    }
    for (const child of new Set([...node.live.values(), ...node.durable.values()])) {
      this.#drop(child, power);
    }
  }

  #keepNames(node: FolderNode): void {
    const chance = this.#random.pick([0, 0.5, 1]);
    for (const change of node.pending) {
      if (this.#random.chance(chance)) applyName(node.durable, change);
    }
  }

  /** The durable content with some of the unsynced changes. */
  #keepSome(node: FileNode): Buffer {
    const chance = this.#random.pick([0, 0.5, 0.9, 1]);
    const kept: FileNode = { ...node, live: Buffer.from(node.durable), pending: [] };
    for (const change of node.pending) {
      if ("length" in change) {
        if (this.#random.chance(chance)) apply(kept, change);
        continue;
      }
      const end = change.at + change.bytes.length;
      if (end > kept.live.length && this.#random.chance(chance)) apply(kept, { length: end });
      for (let at = change.at; at < end;) {
        const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
        const bytes = change.bytes.subarray(at - change.at, next - change.at);
        if (this.#random.chance(chance)) apply(kept, { at, bytes });
        at = next;
      }
    }
    return kept.live;
  }
}

/** Whether a file has a name anywhere below a folder. */
function holds(folder: FolderNode, file: FileNode): boolean {
  for (const node of folder.live.values()) {
    if (node === file || (node.kind === "folder" && holds(node, file))) return true;
  }
  return false;
}

function folder(): FolderNode {
  return { kind: "folder", live: new Map(), durable: new Map(), pending: [] };
}

function syncNames(node: FolderNode): void {
  node.durable = new Map(node.live);
  node.pending = [];
}

function rename(node: FolderNode, change: NameChange): void {
  applyName(node.live, change);
  node.pending.push(change);
}

function applyName(names: Map<string, Node>, { remove, add }: NameChange): void {
  if (remove !== undefined) names.delete(remove);
  if (add !== undefined) names.set(add[0], add[1]);
}

function apply(node: FileNode, change: Change): void {
  const length = "length" in change
    ? change.length
    : Math.max(node.live.length, change.at + change.bytes.length);
  if (length !== node.live.length) {
    const resized = Buffer.alloc(length);
    node.live.copy(resized);
    node.live = resized;
  }
  if ("bytes" in change) change.bytes.copy(node.live, change.at);
}

function diskError(code: string): Error {
  // Stack traces of expected errors would be half of all the time the histories take.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return Object.assign(new Error(`${code}: simulated`), { code });
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
