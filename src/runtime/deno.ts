// Deno: its zlib works on the calling thread, so gzip goes to a worker, which gets the bytes handed
// over, not copied. The worker is started when first needed and ends when nothing comes for a while.
// It is a web worker: node:worker_threads takes twenty times as long to hand the bytes over there.

import { denoDatagrams } from "./deno-datagrams.ts";
import { lockFolder } from "./deno-lock.ts";
import type { GzipJob } from "./gzip-worker.ts";
import type { HostRuntime } from "./runtime.ts";

// A worker keeps about ten MiB resident and the process alive; starting one takes some twenty
// milliseconds.
const IDLE_MS = 1000;

/** What of the web's Worker is used here; Node's types do not know it. */
interface WebWorker {
  onmessage: ((event: { readonly data: Answer }) => void) | null;
  onerror: ((event: { readonly message: string; preventDefault(): void }) => void) | null;
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  terminate(): void;
}

type WebWorkerClass = new (url: URL, options: { readonly type: "module" }) => WebWorker;

interface Job {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

type Answer =
  | { readonly id: number; readonly bytes: Uint8Array; readonly room: ArrayBuffer }
  | { readonly id: number; readonly error: string };

/** What Deno does its own way. */
export function createDenoRuntime(options: { readonly idleMs?: number } = {}): HostRuntime {
  const worker = new GzipWorker(options.idleMs ?? IDLE_MS);
  return {
    name: "deno",
    gzip: (chunks, level = 6) => worker.zip(chunks, "file", level),
    deflate: (piece, level) => worker.zip([piece], "blocks", level),
    datagrams: denoDatagrams,
    files: { lockFolder },
  };
}

class GzipWorker {
  readonly #idleMs: number;
  readonly #jobs = new Map<number, Job>();
  #worker: WebWorker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;
  /** Memory that came back, for the next input. */
  #room = new ArrayBuffer(0);

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  zip(chunks: readonly Uint8Array[], job: GzipJob, level: number): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    const worker = this.#worker ??= this.#start();
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const room = this.#room.byteLength >= length ? this.#room : new ArrayBuffer(length);
    this.#room = new ArrayBuffer(0);
    fill(new Uint8Array(room), chunks);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#jobs.set(id, { resolve, reject });
      worker.postMessage({ id, job, level, room, length }, [room]);
    });
  }

  #start(): WebWorker {
    const { Worker } = globalThis as unknown as { readonly Worker: WebWorkerClass };
    const worker = new Worker(new URL("./gzip-worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => this.#settle(data);
    worker.onerror = (event) => {
      // Without this the error would end the process; the callers hear of it instead.
      event.preventDefault();
      this.#fail(worker, new Error(`Gzip worker failed: ${event.message}`));
    };
    return worker;
  }

  #settle(answer: Answer): void {
    const job = this.#jobs.get(answer.id);
    this.#jobs.delete(answer.id);
    if (this.#jobs.size === 0) this.#rest();
    if ("error" in answer) return job?.reject(new Error(answer.error));
    this.#room = answer.room;
    job?.resolve(answer.bytes);
  }

  #rest(): void {
    this.#idle = setTimeout(() => {
      this.#worker?.terminate();
      this.#worker = undefined;
      this.#room = new ArrayBuffer(0);
    }, this.#idleMs);
  }

  #fail(worker: WebWorker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    worker.terminate();
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.reject(error);
  }
}

function fill(room: Uint8Array, chunks: readonly Uint8Array[]): void {
  let at = 0;
  for (const chunk of chunks) {
    room.set(chunk, at);
    at += chunk.length;
  }
}
