// Looks whether what a configuration was read from has changed since: files and folders by reading
// them, so that links a ConfigMap swaps and every file system are followed alike, web servers by
// their ETag. A few small files every few seconds cost next to nothing.

import type { Environment } from "./expand.ts";
import { fetchSource } from "./fetch-source.ts";
import { digestFile, digestSources, isWebSource, readSources, webSource } from "./sources.ts";

// What is being written is left alone until it looks the same again.
const SETTLE_MS = 250;
// How soon a watch begins that a reload asks for.
const IDLE_MS = 5000;
// A whole fleet may ask the same server.
const FETCH_EVERY_MS = 60_000;

/** What to watch. */
export interface SourceWatchOptions {
  /** Digests of what the configuration was read from, by source as named, as of the last reading. */
  readonly sources: () => ReadonlyMap<string, string>;
  /** The same of files that it refers to, by path. */
  readonly files: () => ReadonlyMap<string, string>;
  readonly environment: Environment;
  /** How often to look; undefined where nobody wants it to, which may change. */
  readonly intervalMs: () => number | undefined;
  /** Called when something has changed and has settled; the watch goes on when it resolves. */
  readonly onChange: () => Promise<void>;
  readonly fetchEveryMs?: number;
}

interface Page {
  readonly etag?: string | undefined;
  readonly digest: string;
  /** What the last reading had found, when this was fetched. */
  readonly known: string;
}

/** Watches until it is stopped. */
export class SourceWatch {
  readonly #options: SourceWatchOptions;
  readonly #pages = new Map<string, Page>();
  #fetchedAt = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settling: string | undefined;
  #stopped = false;

  constructor(options: SourceWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Looks no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    const intervalMs = this.#options.intervalMs() ?? IDLE_MS;
    const delayMs = this.#settling === undefined ? intervalMs : Math.min(SETTLE_MS, intervalMs);
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#schedule()), delayMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#options.intervalMs() === undefined) return;
    const changes = await this.#changes();
    if (this.#stopped) return;
    const now = changes.join("\n");
    if (changes.length === 0 || now !== this.#settling) {
      this.#settling = changes.length === 0 ? undefined : now;
      return;
    }
    this.#settling = undefined;
    await this.#options.onChange();
  }

  /** The digests that are no longer those of the last reading. */
  async #changes(): Promise<readonly string[]> {
    const { sources, files, environment } = this.#options;
    const changes: string[] = [];
    const isDue = performance.now() - this.#fetchedAt >=
      (this.#options.fetchEveryMs ?? FETCH_EVERY_MS);
    if (isDue) this.#fetchedAt = performance.now();
    for (const [source, known] of sources()) {
      const digest = isWebSource(source)
        ? await this.#pageDigest(source, known, isDue)
        : (await readSources([source], environment)).digests.get(source)!;
      if (digest !== known) changes.push(`${source} ${digest}`);
    }
    for (const [path, known] of files()) {
      const digest = digestFile(path, environment);
      if (digest !== known) changes.push(`${path} ${digest}`);
    }
    return changes;
  }

  async #pageDigest(url: string, known: string, isDue: boolean): Promise<string> {
    const page = this.#pages.get(url);
    // Read anew since: that knows better.
    if (!isDue) return page?.known === known ? page.digest : known;
    try {
      const { text, etag } = await fetchSource(url, { etag: page?.etag });
      const digest = text === undefined ? page!.digest : digestSources([webSource(url, text)]);
      this.#pages.set(url, { etag: text === undefined ? page!.etag : etag, digest, known });
      return digest;
    } catch {
      // A server that is away for a while says nothing about the configuration.
      return known;
    }
  }
}
