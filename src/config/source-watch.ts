// Looks whether the sources of a configuration have changed: files and folders by what the file system
// says of them, links followed, as a ConfigMap swaps them; web servers by their ETag. Asking works on
// every file system, where being told does not; a few calls every few seconds cost next to nothing.

import { hash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fetchSource } from "./fetch-source.ts";
import { isSourceFile, placeOfSource } from "./sources.ts";

// What is being written is left alone until it looks the same again.
const SETTLE_MS = 250;
const FETCH_EVERY_MS = 60_000;

/** What to watch. */
export interface SourceWatchOptions {
  /** As named by --config. */
  readonly sources: readonly string[];
  /** What the configuration read besides: `${file:PATH}`. */
  readonly files: readonly string[];
  readonly intervalMs: number;
  /** Called when something has changed and has settled. */
  readonly onChange: () => void;
  readonly fetchEveryMs?: number;
}

interface Page {
  readonly url: string;
  etag?: string;
  /** Of its text. */
  digest?: string;
}

/** Watches until it is stopped; changes count from when it was made. */
export class SourceWatch {
  readonly #options: SourceWatchOptions;
  readonly #paths: readonly string[];
  readonly #pages: readonly Page[];
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #known: string | undefined;
  #settling: string | undefined;
  #stopped = false;

  constructor(options: SourceWatchOptions) {
    this.#options = options;
    const places = options.sources.map(placeOfSource);
    this.#paths = [...places.flatMap(({ path }) => path ?? []), ...options.files];
    this.#pages = places.flatMap(({ url }) => url === undefined ? [] : [{ url }]);
    void this.#look();
  }

  /** Looks no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const now = await this.#signature();
    if (this.#stopped) return;
    const isNew = this.#known !== undefined && now !== this.#known;
    this.#known ??= now;
    if (isNew && now === this.#settling) {
      this.#known = now;
      this.#settling = undefined;
      this.#options.onChange();
    } else {
      this.#settling = isNew ? now : undefined;
    }
    const { intervalMs } = this.#options;
    const delayMs = this.#settling === undefined ? intervalMs : Math.min(SETTLE_MS, intervalMs);
    this.#timer = setTimeout(() => void this.#look(), delayMs);
    this.#timer.unref();
  }

  async #signature(): Promise<string> {
    const files = await Promise.all(this.#paths.map(signatureOf));
    await this.#fetchAll();
    return [...files, ...this.#pages.map(({ digest }) => digest ?? "")].join("\n");
  }

  async #fetchAll(): Promise<void> {
    const { fetchEveryMs = FETCH_EVERY_MS } = this.#options;
    if (performance.now() - this.#fetchedAt < fetchEveryMs) return;
    this.#fetchedAt = performance.now();
    await Promise.all(this.#pages.map(async (page) => {
      try {
        const { text, etag } = await fetchSource(page.url, { etag: page.etag });
        if (text === undefined) return;
        page.digest = hash("sha256", text);
        if (etag === undefined) delete page.etag;
        else page.etag = etag;
      } catch {
        // A server that is away for a while says nothing about the configuration.
      }
    }));
  }
}

/** Changes whenever the file does, or one of the folder's. */
async function signatureOf(path: string): Promise<string> {
  try {
    const found = await stat(path, { bigint: true });
    const own = `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;
    if (!found.isDirectory()) return own;
    const names = (await readdir(path)).filter(isSourceFile).sort();
    const inside = await Promise.all(names.map(async (name) => {
      return `${name} ${await signatureOf(join(path, name))}`;
    }));
    return inside.join("\n");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
