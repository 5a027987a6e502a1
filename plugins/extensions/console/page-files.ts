// The files that the browser is given. They are served as they stand in the source, which the package
// ships beside what is compiled: browsers need no build.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { HttpRequest, HttpResponse } from "../../sdk/http-message.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

// From here, or from where the compiler puts this file.
const FOLDER = new URL(
  import.meta.url.endsWith(".ts") ? "./page/" : "../../../../plugins/extensions/console/page/",
  import.meta.url,
);

interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** The files by path; `/` is the page itself. */
export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /** Reads them. */
  static async read(): Promise<PageFiles> {
    const files = new Map<string, PageFile>();
    for (const name of await readdir(FOLDER)) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const bytes = await readFile(new URL(name, FOLDER));
      const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"`;
      files.set(name === "index.html" ? "/" : `/${name}`, { type, bytes, etag });
    }
    return new PageFiles(files);
  }

  /** Whether there is one at a path. */
  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** The file, or that the browser has it already. */
  answer({ path, headers }: Pick<HttpRequest, "path" | "headers">): HttpResponse {
    const { type, bytes, etag } = this.#files.get(path)!;
    const about = { etag, "cache-control": "no-cache" };
    if (headers["if-none-match"] === etag) return { status: 304, headers: about };
    return { status: 200, headers: { ...about, "content-type": type }, body: bytes };
  }
}
