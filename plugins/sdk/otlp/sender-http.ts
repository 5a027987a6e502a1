// OTLP over HTTP, Protocol Buffers or JSON: one POST a request. Sends what logs, metrics and spans
// have serialized.

import { Agent, request } from "undici";
import type { ClientTls } from "../client-tls.ts";
import {
  OtlpFailure,
  type OtlpSender,
  type OtlpTarget,
  revealedHeaders,
  type Signal,
} from "./sender.ts";

// What the specification calls retryable; every other status says the same again.
const PASSING = new Set([429, 502, 503, 504]);

/** Opens a sender; nothing is connected before the first request. */
export function httpSender(
  signal: Signal,
  target: OtlpTarget,
  certificates: ClientTls,
): OtlpSender {
  const connection = new Agent({ connections: 1, connect: { ...certificates } });
  const place = `${target.endpoint.replace(/\/+$/, "")}/v1/${signal}`;
  const type = target.protocol === "http/json" ? "application/json" : "application/x-protobuf";
  return {
    place,
    async send(body, stop) {
      const answer = await request(place, {
        dispatcher: connection,
        method: "POST",
        headers: { ...revealedHeaders(target), "content-type": type },
        body,
        signal: AbortSignal.any([stop, AbortSignal.timeout(target.timeout)]),
      }).catch((error: unknown) => {
        throw new OtlpFailure(reasonOf(error), true);
      });
      await answer.body.dump().catch(() => undefined);
      const { statusCode, headers } = answer;
      if (statusCode < 300) return;
      const after = Number(headers["retry-after"]);
      throw new OtlpFailure(
        `answered ${statusCode}`,
        PASSING.has(statusCode),
        after > 0 ? after * 1000 : undefined,
      );
    },
    close: () => connection.destroy(),
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return error.name === "TimeoutError" ? "no answer in time" : error.message || String(code);
}
