// OTLP over gRPC: what an Export call is answered. UNAVAILABLE and RESOURCE_EXHAUSTED come with a
// RetryInfo, without which exporters take the latter for final.

import type { Buffer } from "node:buffer";
import type { GrpcCall, GrpcFailure } from "../../sdk/grpc-server.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { CODE, exportResponse, statusBody } from "../../sdk/otlp/answer.ts";
import type { Taker } from "./take.ts";

/** The one method: the service's full name and the method's. */
export const EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

const RETRY_MS = 1000;

/** The answer to a call there is no room for. */
export const BUSY = comeAgain(CODE.resourceExhausted, "Too many requests wait to be taken");

const NOT_STORED = comeAgain(CODE.unavailable, "The logs could not be stored: send them again");

/** Takes a call. `failure` is told why it was not taken. */
export async function answerGrpc(
  taker: Taker,
  { message: bytes, signal }: GrpcCall,
  onOutcome: (failure?: unknown) => void,
): Promise<Buffer | GrpcFailure> {
  try {
    const taken = await taker.take({ bytes, encoding: "protobuf", signal });
    onOutcome();
    return exportResponse("protobuf", taken);
  } catch (error) {
    if (error instanceof RejectedInput) {
      return { code: CODE.invalidArgument, message: error.message };
    }
    onOutcome(error);
    return NOT_STORED;
  }
}

function comeAgain(code: number, message: string): GrpcFailure {
  return { code, message, details: statusBody("protobuf", code, message, RETRY_MS) };
}
