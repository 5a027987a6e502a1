// Errors that our own services answer with under AWS's names; the counterpart of aws-error.ts, which
// reads those of others.

/** Answered to the caller as it is: `code` is AWS's name of the error. */
export class AwsFault extends Error {
  override readonly name = "AwsFault";
  readonly code: string;
  /** Of the HTTP answer; 400 for nearly all of them. */
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Who calls an operation, after the signature was checked. */
export interface AwsCaller {
  /** Of the credentials; the agent's own where none are configured. */
  readonly accountId: string;
  /** Left out where no credentials are configured. */
  readonly userName?: string;
  readonly accessKeyId?: string;
  readonly arn: string;
}
