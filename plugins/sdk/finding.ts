// What a look at the world finds: whether what a configuration names is there and can be used.

import type { ComponentContext } from "./component.ts";

/** One thing that was looked at, for `cairn validate --deep`. */
export interface Finding {
  /** `problem`: the component cannot do its work; `warning`: it may not, now or soon. */
  readonly level: "ok" | "warning" | "problem";
  /** The option it is about, below the component's own map: `tls.cert_file`; empty for the whole. */
  readonly path: string;
  /** What was found, starting with a capital, without a full stop, without secrets. */
  readonly message: string;
  /** What to do. */
  readonly fix?: string;
}

/** What a factory's `check` may use. */
export interface CheckContext extends Pick<ComponentContext, "agent"> {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Aborts when the answer is no longer waited for. */
  readonly signal: AbortSignal;
  /** An agent runs on the same data_dir: what is in use may be in use by it. */
  readonly agentRuns: boolean;
}
