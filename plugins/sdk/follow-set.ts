// FollowedSet: which files a follower reads. Each scan compares what the folders hold with what is
// known, and so finds new files, rotations, and files that went.

import { realpath } from "node:fs/promises";
import type { Log } from "./component.ts";
import { findFiles, type FoundFile, rotatedSiblings, siblingsThat } from "./follow-files.ts";
import type { Problem } from "./follow-problem.ts";
import type { FollowOptions } from "./follow.ts";
import {
  endOfLines,
  FileStream,
  newPosition,
  type StreamLimits,
  type StreamPosition,
} from "./follow-stream.ts";
import { afterTruncation, storedStreams, Succession } from "./follow-succession.ts";
import type { Position } from "./intake.ts";

/** A scan can fall between the two renames of a rotation: only a second one says that a file is gone. */
const SCANS_TO_MISS = 2;

/** See the top of the file. */
export class FollowedSet {
  readonly successions = new Map<string, Succession>();
  /** By path. */
  readonly problems = new Map<string, Problem>();
  readonly #options: FollowOptions;
  readonly #limits: StreamLimits;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #byKey = new Map<string, FileStream>();
  readonly #byPath = new Map<string, FileStream>();
  readonly #realPaths = new Map<string, string>();
  #found = new Map<string, FoundFile>();
  /** Files that are there at the very first scan of a receiver without a position start as told. */
  #startAt: "beginning" | "end";
  readonly #stored: Position | undefined;

  constructor(
    options: FollowOptions,
    limits: StreamLimits,
    log: Log,
    clock: () => number,
    position: Position | undefined,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#log = log;
    this.#clock = clock;
    this.#stored = position;
    this.#startAt = position === undefined ? options.startAt : "beginning";
    for (const [path, streams] of storedStreams(position, limits)) {
      for (const stream of streams) this.#push(this.#succession(path), stream);
    }
    this.#siblingsToo = position === undefined && options.siblings;
  }

  #siblingsToo: boolean;

  /** Every stream that is known. */
  get streams(): Iterable<FileStream> {
    return this.#byKey.values();
  }

  /** Whether the last scan found the stream under a path that is followed. */
  isFound(stream: FileStream): boolean {
    return this.#found.has(stream.key);
  }

  /** Something changed at a path in a watched folder. */
  wake(path: string): void {
    const stream = this.#byPath.get(path);
    if (stream !== undefined) stream.ready = true;
  }

  /** Folders in which something may change. */
  *folders(): Generator<string> {
    for (const path of this.#byPath.keys()) yield parent(path);
    for (const path of this.problems.keys()) yield parent(path);
    for (const pattern of this.#options.paths) yield parent(pattern);
  }

  /** Whether all is read that the last scan found, or cannot be read now. */
  isReadToTargets(): boolean {
    for (const stream of this.streams) {
      if (stream.ready && stream.next < stream.target) return false;
    }
    return true;
  }

  /** Looks at all folders; streams with something to read become `ready`. */
  async scan(): Promise<void> {
    this.problems.clear();
    const { paths, exclude } = this.#options;
    const files = await findFiles(paths, exclude, (path, reason, missing) => {
      this.problems.set(path, { reason, missing });
    });
    this.#found = new Map(files.map((file) => [file.key, file]));
    for (const file of files) this.#look(file);
    for (const succession of this.successions.values()) await this.#locate(succession);
    for (const file of files) if (!this.#byKey.has(file.key)) await this.#place(file);
    this.#startAt = "beginning";
    this.#siblingsToo = false;
    await this.#index();
  }

  /** Puts what follows a truncation in the place of a stream. */
  async renew(succession: Succession, stream: FileStream): Promise<void> {
    await stream.close();
    const isKnown = (key: string) => this.#byKey.has(key);
    const streams = await afterTruncation(stream, this.#limits, isKnown);
    succession.replace(stream, streams);
    for (const one of streams) this.#byKey.set(one.key, one);
    const copied = streams.length > 1 ? ", the rest of it was copied before" : "";
    this.#log.info(`Followed file "${stream.location}" was truncated${copied}`);
  }

  /**
   * Whether rotation by copying took bytes away before a stream had read its first: nothing in the
   * file itself shows that. The copies are then put before it. A file that had bytes when it was
   * found is not asked about: its folder may hold thousands like it.
   */
  async findCopies(succession: Succession, stream: FileStream): Promise<boolean> {
    if (!stream.mayMissCopies || stream.location !== succession.path) return false;
    stream.mayMissCopies = false;
    const missed = await siblingsThat(succession.path, async ({ path, key, stats }) => {
      if (this.#byKey.has(key) || Number(stats.mtimeMs) < stream.since) return false;
      // A copy of the very bytes just read belongs to a truncation that is still to come.
      const isOwn = await stream.isBeingCopiedTo(path, key);
      return isOwn === undefined ? undefined : !isOwn;
    });
    const streams = missed.map((file) => this.#stream(succession.path, file, 0));
    for (const one of streams) this.#byKey.set(one.key, one);
    succession.replace(stream, [...streams, stream]);
    return streams.length > 0;
  }

  /** Forgets a stream that is read to its end for good. */
  async remove(succession: Succession, stream: FileStream): Promise<void> {
    await stream.close();
    succession.remove(stream);
    if (this.#byKey.get(stream.key) === stream) this.#byKey.delete(stream.key);
  }

  #look(file: FoundFile): void {
    const stream = this.#byKey.get(file.key);
    if (stream === undefined) return;
    const size = Number(file.stats.size);
    stream.location = file.path;
    // A truncated file is read again, to whatever end it has then.
    stream.target = size < stream.next ? Infinity : size;
    stream.missing = 0;
    if (file.path === stream.path) this.successions.get(file.path)?.makeLast(stream);
    if (size !== stream.next || Number(file.stats.mtimeMs) !== stream.time) stream.ready = true;
  }

  /** Finds closed streams under the name that rotation gave them; open ones need no name. */
  async #locate(succession: Succession): Promise<void> {
    const lost = succession.streams.filter((stream) => !this.#found.has(stream.key));
    for (const stream of lost) stream.ready = true;
    const closed = lost.filter((stream) => !stream.isOpen);
    if (closed.length === 0) return;
    const siblings = await rotatedSiblings(succession.path);
    for (const stream of closed) {
      const file = siblings.find((sibling) => sibling.key === stream.key);
      if (file !== undefined) {
        this.#look(file);
        continue;
      }
      stream.ready = false;
      if (++stream.missing < SCANS_TO_MISS || this.#isUnreadable(succession.path)) continue;
      this.#log.warn(
        `Followed file "${stream.location}" is gone: what was written behind byte ${stream.done} is lost`,
      );
      await this.remove(succession, stream);
    }
  }

  /** A folder that cannot be read says nothing about its files. */
  #isUnreadable(path: string): boolean {
    const problem = this.problems.get(path);
    return problem !== undefined && !problem.missing;
  }

  async #place(file: FoundFile): Promise<void> {
    if (this.#byKey.has(file.key) || await this.#isCopy(file)) return;
    const known = this.successions.get(file.path);
    if (known !== undefined) return await this.#succeed(known, file);
    const succession = this.#succession(file.path);
    if (this.#siblingsToo && this.#startAt === "beginning") {
      for (const sibling of await rotatedSiblings(file.path)) this.#add(succession, sibling, 0);
    }
    const size = Number(file.stats.size);
    const offset = this.#startAt === "end"
      ? await endOfLines(file.path, size).catch(() => size)
      : 0;
    this.#add(succession, file, offset);
  }

  /** Another file is at the path: the known one was rotated, perhaps more than once. */
  async #succeed(succession: Succession, file: FoundFile): Promise<void> {
    const moved = await this.#sameAfterReboot(succession, file);
    if (moved) return;
    for (const missed of await succession.missed()) this.#add(succession, missed, 0);
    this.#add(succession, file, 0);
    this.#log.info(`Followed file "${file.path}" was rotated`);
  }

  /** Device numbers can change with a reboot: the same inode with the same beginning is the file. */
  async #sameAfterReboot(succession: Succession, file: FoundFile): Promise<boolean> {
    const inode = file.key.slice(file.key.indexOf(":"));
    const stream = succession.streams.find((one) => one.missing > 0 && one.key.endsWith(inode));
    if (stream === undefined || !await stream.isCopiedBy(file.path, file.key)) {
      return false;
    }
    const from: StreamPosition = stream.position(stream.done);
    await this.remove(succession, stream);
    this.#push(succession, new FileStream(file.key, file.path, from, this.#limits));
    return true;
  }

  /** Whether rotation by copying has just made this file out of one that is being read. */
  async #isCopy(file: FoundFile): Promise<boolean> {
    for (const stream of this.#byKey.values()) {
      const suffix = file.path.startsWith(stream.location)
        ? file.path.slice(stream.location.length)
        : "";
      if (/^[.-]\d/.test(suffix) && await stream.isCopiedBy(file.path, file.key)) {
        return true;
      }
    }
    return false;
  }

  #succession(path: string): Succession {
    let succession = this.successions.get(path);
    if (succession === undefined) {
      succession = new Succession(path, this.#options.format(), this.#stored);
      this.successions.set(path, succession);
    }
    return succession;
  }

  #add(succession: Succession, file: FoundFile, offset: number): void {
    if (this.#byKey.has(file.key)) return;
    this.#push(succession, this.#stream(succession.path, file, offset));
  }

  #stream(path: string, file: FoundFile, offset: number): FileStream {
    const from = newPosition(path, file.stats, offset);
    const stream = new FileStream(file.key, file.path, from, this.#limits);
    stream.target = Number(file.stats.size);
    stream.mayMissCopies = file.stats.size === 0n;
    return stream;
  }

  #push(succession: Succession, stream: FileStream): void {
    stream.grownAt = this.#clock();
    succession.push(stream);
    this.#byKey.set(stream.key, stream);
  }

  /** Notes under which paths changes will be told: behind a link, that of its target. */
  async #index(): Promise<void> {
    this.#byPath.clear();
    for (const stream of this.#byKey.values()) {
      const { location } = stream;
      let real = this.#realPaths.get(location);
      if (real === undefined) {
        real = await realpath(location).catch(() => location);
        this.#realPaths.set(location, real);
      }
      this.#byPath.set(location, stream);
      this.#byPath.set(real, stream);
    }
    for (const location of this.#realPaths.keys()) {
      if (!this.#byPath.has(location)) this.#realPaths.delete(location);
    }
  }
}

/** The folder of a path, of a pattern the part without a pattern. */
function parent(path: string): string {
  const plain = path.search(/[*?[{]/);
  const end = path.lastIndexOf("/", plain < 0 ? undefined : plain);
  return end > 0 ? path.slice(0, end) : end === 0 ? "/" : ".";
}
