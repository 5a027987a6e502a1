// Tells the log that a queue is in trouble, and when that has passed. At once when it gets worse; when
// it gets better only after a calm while, because a queue at its limit blocks and goes on many times
// a second.

import type { Log } from "../../plugins/sdk/index.ts";
import type { QueueState } from "../queue/queue.ts";

const CALM_MS = 10_000;

/** What the log was told of a queue, from fine to worst. */
type Level = "fine" | "problem" | "blocked";
const LEVELS: readonly Level[] = ["fine", "problem", "blocked"];

/** Watches one queue. */
export class QueueWatch {
  readonly #log: Log;
  readonly #about: Readonly<Record<string, string>>;
  readonly #calmMs: number;
  #state: QueueState = { blocked: false, problem: undefined };
  #told: Level = "fine";
  #calm: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `about` says in each message which queue it is. */
  constructor(log: Log, about: Readonly<Record<string, string>>, calmMs = CALM_MS) {
    this.#log = log;
    this.#about = about;
    this.#calmMs = calmMs;
  }

  /** To be called when the queue's state has changed. */
  changed(state: QueueState): void {
    if (this.#stopped) return;
    this.#state = state;
    const level = LEVELS.indexOf(levelOf(state));
    const told = LEVELS.indexOf(this.#told);
    if (level >= told) {
      clearTimeout(this.#calm);
      this.#calm = undefined;
      if (level > told) this.#tell();
    } else if (this.#calm === undefined) {
      this.#calm = setTimeout(() => this.#tell(), this.#calmMs);
      this.#calm.unref();
    }
  }

  /** Says no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#calm);
  }

  #tell(): void {
    this.#calm = undefined;
    this.#told = levelOf(this.#state);
    const reason = this.#state.problem ?? "none given";
    if (this.#told === "fine") this.#log.info("Queue works again", this.#about);
    else if (this.#told === "problem") {
      this.#log.warn("Queue has a problem and goes on", { ...this.#about, reason });
    } else {
      this.#log.error("Queue takes no more, receivers wait", { ...this.#about, reason });
    }
  }
}

function levelOf({ blocked, problem }: QueueState): Level {
  if (blocked) return "blocked";
  return problem === undefined ? "fine" : "problem";
}
