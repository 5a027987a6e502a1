// What the two kinds of sources (a followed journal, an exported file) have in common.

import type { ComponentContext, Intake } from "../../sdk/index.ts";
import type { z } from "zod";
import type { config } from "./config.ts";

/** Reads entries until its signal aborts. */
export interface Source {
  /** Stores where it begins, so that nothing written afterwards is missed. */
  start(): Promise<void>;
  /** Ends when the signal has aborted; never rejects. */
  run(): Promise<void>;
  /** Resolves when all that was there when it was called is durable. */
  drain(): Promise<void>;
}

/** What a source is made with. */
export interface SourceOptions {
  readonly config: z.output<typeof config>;
  readonly context: ComponentContext;
  readonly intake: Intake;
  readonly signal: AbortSignal;
  /** Says what is wrong with this source, or that nothing is any more. */
  readonly report: (problem: string | undefined) => void;
}

/** Those who wait until what is there is durable. */
export class Waiters {
  #waiting: { resolve(): void; reject(reason: unknown): void }[] = [];
  #onAdd: () => void = () => {};

  /** Whether anybody waits. */
  get some(): boolean {
    return this.#waiting.length > 0;
  }

  /** Resolves or rejects when those who wait now are settled. */
  add(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#onAdd();
    });
  }

  /** Resolves when somebody waits, or the signal has aborted. */
  async added(signal: AbortSignal): Promise<void> {
    while (!this.some && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onAdd = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Takes those who wait now; the function resolves them, or rejects them with an error. */
  take(): (error?: unknown) => void {
    const taken = this.#waiting.splice(0);
    return (error) => {
      for (const { resolve, reject } of taken) {
        if (error === undefined) resolve();
        else reject(error);
      }
    };
  }
}
