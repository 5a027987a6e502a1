// Verifying what was written: what a factory's `verify` is asked, and what it tells. Problems are
// told one by one as they are found, so that a place of any size takes no more memory.

/** What is wrong with something that was written. */
export interface VerifyProblem {
  /**
   * `unproven`: nothing says that it is false, and nothing that it is true; all others say that
   * somebody or something changed what was written.
   */
  readonly kind:
    | "changed"
    | "missing"
    | "moved"
    | "out of order"
    | "unlisted"
    | "unproven";
  /** The object: a path, or `s3://bucket/key`. */
  readonly path: string;
  /** What is wrong with it, a clause that follows its path: `hash value does not match`. */
  readonly problem: string;
}

/** What is verified, and with whose help. */
export interface VerifyOptions {
  /** The agent's data_dir, whose own records are compared with what lies there. */
  readonly dataDir?: string | undefined;
  /** This host's own data_dir, which need not be there, nor be about the place. */
  readonly ownDataDir?: string | undefined;
  /** Files of public keys, PEM or PKCS#1 DER. */
  readonly publicKeyFiles: readonly string[];
  /** An endpoint that answers ListPublicKeys; `aws` for CloudTrail's own. */
  readonly publicKeysFrom?: string | undefined;
  /** What digests call the place, where it is a copy. */
  readonly bucket?: string | undefined;
  /** Inclusive, in milliseconds since the epoch; without them, everything. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Of a bucket. */
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly profile?: string | undefined;
  readonly clock: () => number;
  /** Of the agent, for the user agent. */
  readonly version: string;
  readonly signal: AbortSignal;
  /** Told each problem, once. */
  onProblem(problem: VerifyProblem): void;
}

/** What was looked at. The place is as it was written where no problem was told. */
export interface VerifyReport {
  /** How much of what: `{ "digest files": { checked: 24, invalid: 0 } }`. */
  readonly counts: Readonly<Record<string, { readonly checked: number; readonly invalid: number }>>;
  /** What the answer does not cover, and what would. */
  readonly notes: readonly string[];
}
