// The errors of the agent, by who can act on them, and the one for unreadable input.

/** One thing wrong with a configuration. */
export interface ConfigProblem {
  /** Where in the document: `receivers.auditd.start_at`. */
  readonly path: string;
  /** What is wrong, starting with a capital, without a full stop. */
  readonly problem: string;
  /** What to write instead. */
  readonly fix?: string;
}

/** The operator can mend it: a path, a reason, a fix. Thrown before a component runs. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CAIRN_CONFIG";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(
      problems.map((p) => `${p.path}: ${p.problem}${p.fix ? ` (${p.fix})` : ""}`).join("\n"),
      options,
    );
    this.problems = problems;
  }
}

/** This batch will never be taken. `failed` names the sequences meant; without it, all of them. */
export class PermanentError extends Error {
  override readonly name = "PermanentError";
  readonly code: string;
  readonly failed: readonly number[] | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { code?: string; failed?: readonly number[] } = {},
  ) {
    super(message, options);
    this.code = options.code ?? "CAIRN_PERMANENT";
    this.failed = options.failed;
  }
}

/** Later may work. Anything that is neither this nor a PermanentError is treated the same way. */
export class RetryableError extends Error {
  override readonly name = "RetryableError";
  readonly code: string;
  /** The receiving side's wish, as Retry-After says it. */
  readonly afterMs: number | undefined;
  /** Sequences still to be delivered; without it, the whole batch. */
  readonly remaining: readonly number[] | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { code?: string; afterMs?: number; remaining?: readonly number[] } = {},
  ) {
    super(message, options);
    this.code = options.code ?? "CAIRN_RETRYABLE";
    this.afterMs = options.afterMs;
    this.remaining = options.remaining;
  }
}

/** Thrown by a format: these bytes cannot be read. The receiver passes them to `Intake.reject`. */
export class RejectedInput extends Error {
  override readonly name = "RejectedInput";
  readonly code = "CAIRN_REJECTED_INPUT";

  /** Known by its code: an external plugin may bring its own copy of the SDK. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && (value as { code?: unknown }).code === "CAIRN_REJECTED_INPUT";
  }
}
