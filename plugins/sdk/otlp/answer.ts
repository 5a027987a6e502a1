// What an OTLP server answers: ExportLogsServiceResponse and google.rpc.Status, in the encoding of
// the request.

import { Buffer } from "node:buffer";

/** How a request is encoded, and its answer too. */
export type Encoding = "protobuf" | "json";

/** How much of a request was not taken, and why; nothing where `rejected` is 0. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly reason: string;
}

/** The codes of google.rpc.Status that are answered; also gRPC's own. */
export const CODE = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";

/** ExportLogsServiceResponse: empty where all was taken. */
export function exportResponse(encoding: Encoding, { rejected, reason }: PartialSuccess): Buffer {
  if (encoding === "json") {
    const partialSuccess = { rejectedLogRecords: String(rejected), errorMessage: reason };
    return Buffer.from(JSON.stringify(rejected === 0 ? {} : { partialSuccess }));
  }
  if (rejected === 0) return Buffer.alloc(0);
  return delimited(1, Buffer.concat([number(1, rejected), delimited(2, Buffer.from(reason))]));
}

/**
 * google.rpc.Status. With `retryMs` it holds a RetryInfo, which asks the sender to come again.
 */
export function statusBody(
  encoding: Encoding,
  code: number,
  message: string,
  retryMs?: number,
): Buffer {
  if (encoding === "json") {
    const details = retryMs === undefined
      ? {}
      : { details: [{ "@type": RETRY_INFO, retryDelay: `${retryMs / 1000}s` }] };
    return Buffer.from(JSON.stringify({ code, message, ...details }));
  }
  const parts = [number(1, code), delimited(2, Buffer.from(message))];
  if (retryMs !== undefined) {
    const delay = Buffer.concat([
      number(1, Math.floor(retryMs / 1000)),
      number(2, (retryMs % 1000) * 1_000_000),
    ]);
    const info = delimited(1, delay);
    parts.push(
      delimited(3, Buffer.concat([delimited(1, Buffer.from(RETRY_INFO)), delimited(2, info)])),
    );
  }
  return Buffer.concat(parts);
}

function delimited(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(field << 3 | 2), varint(bytes.length), bytes]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** Of a number that is not negative and below 2^31. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push(rest & 0x7f | 0x80);
  return Buffer.from([...bytes, rest]);
}
