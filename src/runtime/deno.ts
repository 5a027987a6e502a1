// Deno: its zlib works on the calling thread, so gzip goes to a worker, which gets the bytes handed
// over, not copied. The worker is started when first needed and ends when nothing comes for a while.

import { Worker } from "node:worker_threads";
import { lockFolder } from "./deno-lock.ts";
import type { HostRuntime } from "./runtime.ts";

// A worker keeps about ten MiB resident; starting one takes some twenty milliseconds.
const IDLE_MS = 10_000;

interface Job {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

type Answer =
  | { readonly id: number; readonly bytes: Uint8Array }
  | { readonly id: number; readonly error: string };

/** What Deno does its own way. */
export function createDenoRuntime(options: { readonly idleMs?: number } = {}): HostRuntime {
  const worker = new GzipWorker(options.idleMs ?? IDLE_MS);
  return {
    name: "deno",
    gzip: (chunks, level = 6) => worker.gzip(chunks, level),
    files: { lockFolder },
  };
}

class GzipWorker {
  readonly #idleMs: number;
  readonly #jobs = new Map<number, Job>();
  #worker: Worker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  gzip(chunks: readonly Uint8Array[], level: number): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    const worker = this.#worker ??= this.#start();
    worker.ref();
    const joined = join(chunks);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#jobs.set(id, { resolve, reject });
      worker.postMessage({ id, level, bytes: joined }, [joined.buffer]);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./gzip-worker.ts", import.meta.url));
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("Gzip worker ended")));
    return worker;
  }

  #settle(answer: Answer): void {
    const job = this.#jobs.get(answer.id);
    this.#jobs.delete(answer.id);
    if (this.#jobs.size === 0) this.#rest();
    if ("bytes" in answer) job?.resolve(answer.bytes);
    else job?.reject(new Error(answer.error));
  }

  /** Nothing to do: neither the worker nor the timer keeps the process alive. */
  #rest(): void {
    const worker = this.#worker;
    worker?.unref();
    this.#idle = setTimeout(() => {
      this.#worker = undefined;
      void worker?.terminate();
    }, this.#idleMs);
    this.#idle.unref();
  }

  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.reject(error);
  }
}

/** One array of its own, whose buffer can be handed over. */
function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
