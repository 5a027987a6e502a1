// Why an append was not taken.

import { errorCode, errorText } from "./files.ts";

/** A batch was not taken; the caller keeps it and may append it again. */
export class QueueWriteError extends Error {
  override readonly name = "QueueWriteError";
  readonly code: "CAIRN_QUEUE_WRITE" | "CAIRN_QUEUE_FULL" | "CAIRN_QUEUE_CLOSED";
  constructor(
    message: string,
    code: "CAIRN_QUEUE_WRITE" | "CAIRN_QUEUE_FULL" | "CAIRN_QUEUE_CLOSED",
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
  }
}

/** What keeps a segment from being written, in words. */
export function writeProblem(error: unknown): string {
  return errorCode(error) === "ENOENT"
    ? "its folder was deleted or moved away under it; put it back, or end the agent and start it again"
    : errorText(error);
}

/** The queue is closed, or closes. */
export function closedError(): QueueWriteError {
  return new QueueWriteError("Cannot append to queue: closed", "CAIRN_QUEUE_CLOSED");
}

/** The batch will not fit: into a frame where `limit` is given, else into the queue's limits. */
export function tooLarge(bytes: number, limit: number | undefined): QueueWriteError {
  const problem = limit === undefined
    ? "does not fit into max_bytes and min_free_disk, with nothing left to drop"
    : `is larger than a frame's ${limit} bytes; append fewer records at once`;
  return new QueueWriteError(
    `Cannot append to queue: batch of ${bytes} bytes ${problem}`,
    "CAIRN_QUEUE_FULL",
  );
}
