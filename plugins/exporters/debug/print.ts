// The debug exporter's work: text to a stream that may be slow, or gone.

import {
  type ComponentContext,
  type ExportBatch,
  type Exporter,
  type Host,
  RetryableError,
} from "../../sdk/index.ts";
import type { DebugConfig } from "./config.ts";
import { basicLine, detailedText } from "./format.ts";

/** What is needed of stdout or stderr. */
export interface Output {
  readonly isTTY?: boolean;
  /** Of a terminal: false where the user asked for no colour (NO_COLOR). */
  hasColors?(): boolean;
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  listeners(event: "error"): readonly unknown[];
}

// Written at once: small enough that a reader sees lines come, large enough to be quick.
const CHUNK_LENGTH = 65_536;

/** Prints records; resolves when the stream has taken them. */
export class DebugExporter implements Exporter {
  readonly #config: DebugConfig;
  readonly #context: Pick<ComponentContext, "log">;
  readonly #output: Output;
  #host: Host | undefined;
  /** True once nobody reads any more: records then pass unseen. */
  #readerGone = false;

  constructor(config: DebugConfig, context: Pick<ComponentContext, "log">, output: Output) {
    this.#config = config;
    this.#context = context;
    this.#output = output;
  }

  async start(host: Host): Promise<void> {
    this.#host = host;
    this.#readerGone = false;
    // A stream's error that nobody listens for ends the process. It may come after `stop`, so the
    // listener stays; the callback of `write` tells us the same.
    if (!this.#output.listeners("error").includes(ignore)) this.#output.on("error", ignore);
  }

  async stop(): Promise<void> {
    this.#host = undefined;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { verbosity, color } = this.#config;
    const painted = color === "always" || (color === "auto" && wantsColour(this.#output));
    let text = "";
    for (const record of batch.records) {
      if (this.#readerGone) return;
      text += verbosity === "basic" ? basicLine(record, painted) : detailedText(record);
      if (text.length < CHUNK_LENGTH) continue;
      await this.#write(text, signal);
      text = "";
    }
    if (text !== "" && !this.#readerGone) await this.#write(text, signal);
  }

  #write(text: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      this.#output.write(text, (error) => {
        signal.removeEventListener("abort", abort);
        if (!error) return resolve();
        if (this.#isGone(error)) return resolve();
        const message = `Cannot write to ${this.#config.output}: ${error.message}`;
        reject(new RetryableError(message, { cause: error, code: "CAIRN_DEBUG_WRITE" }));
      });
    });
  }

  /** `cairn run | head` must neither end the agent nor fill the queue for a reader who left. */
  #isGone(error: Error): boolean {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPIPE" && code !== "ERR_STREAM_DESTROYED" && code !== "ECONNRESET") return false;
    if (this.#readerGone) return true;
    this.#readerGone = true;
    const message = `Nobody reads ${this.#config.output} any more: records are no longer printed`;
    this.#context.log.warn(message);
    this.#host?.report("degraded", message);
    return true;
  }
}

function wantsColour(output: Output): boolean {
  if (output.isTTY !== true) return false;
  try {
    return output.hasColors?.() ?? true;
  } catch {
    // On Deno it needs permissions to read the environment: nobody can be asked then.
    return true;
  }
}

function ignore(): void {}
