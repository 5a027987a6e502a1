// Where OTLP is sent to, as the configuration says it, and a sender for requests that are serialized
// already. Used for the agent's own logs, metrics and spans; read by sender-http.ts and sender-grpc.ts.

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { duration } from "../option.ts";
import { secret } from "../secret.ts";

const path = z.string().min(1);

/** The options of a receiver of OTLP, to be spread into a schema. */
export const otlpTargetOptions = {
  endpoint: z.url({ protocol: /^https?$/, error: "Expected a URL such as http://127.0.0.1:4318" })
    .refine((url) => !url.includes("@"), "Credentials belong into headers")
    .describe("Base address of the receiver; over HTTP the signal's path is added: /v1/logs …")
    .meta({ examples: ["http://127.0.0.1:4318"] }),
  protocol: z.enum(["http/protobuf", "http/json", "grpc"]).default("http/protobuf")
    .describe("How requests are written and carried"),
  headers: z.record(
    z.string().regex(/^[A-Za-z0-9-]{1,100}$/, "Expected the name of a header"),
    secret,
  ).default({}).describe("Headers of each request, such as credentials"),
  tls: z.strictObject({
    ca_file: path.optional().describe("Certificates that the receiver's own may be signed by"),
    cert_file: path.optional().describe("The agent's certificate"),
    key_file: path.optional().describe("Its key"),
  }).prefault({}).describe("Paths of PEM files, for https://"),
  timeout: duration.prefault("10s").describe("Longest time for one request"),
};

/** A receiver of OTLP. */
export type OtlpTarget = z.output<z.ZodObject<typeof otlpTargetOptions>>;

/** What is sent. */
export type Signal = "logs" | "metrics" | "traces";

/** Sends requests that are serialized already, one after another. */
export interface OtlpSender {
  /** Where to, for messages. */
  readonly place: string;
  /** Resolves when the receiver has taken it; rejects with OtlpFailure. */
  send(body: Uint8Array, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A request that was not taken. */
export class OtlpFailure extends Error {
  override readonly name = "OtlpFailure";
  readonly code = "CAIRN_OTLP";
  /** The same request may be taken later. */
  readonly isPassing: boolean;
  /** When the receiver wants it again, in milliseconds from now. */
  readonly afterMs: number | undefined;

  constructor(message: string, isPassing: boolean, afterMs?: number) {
    super(message);
    this.isPassing = isPassing;
    this.afterMs = afterMs;
  }
}

/** Contents of the PEM files. */
export interface ClientCertificates {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Opens a sender. Throws ConfigError, naming the option below `at`. */
export async function openSender(
  signal: Signal,
  target: OtlpTarget,
  at: string,
): Promise<OtlpSender> {
  const certificates = await readCertificates(target.tls, at);
  if (target.protocol === "grpc") {
    const { grpcSender } = await import("./sender-grpc.ts");
    return grpcSender(signal, target, certificates);
  }
  const { httpSender } = await import("./sender-http.ts");
  return httpSender(signal, target, certificates);
}

async function readCertificates(tls: OtlpTarget["tls"], at: string): Promise<ClientCertificates> {
  const read = async (option: keyof OtlpTarget["tls"]) => {
    const file = tls[option];
    if (file === undefined) return undefined;
    try {
      return await readFile(file);
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      const fix = "name a file that the agent may read";
      throw new ConfigError([
        { path: `${at}.tls.${option}`, problem: `Cannot read "${file}": ${code}`, fix },
      ]);
    }
  };
  const [ca, cert, key] = [await read("ca_file"), await read("cert_file"), await read("key_file")];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/** Headers as they are sent. */
export function revealedHeaders({ headers }: OtlpTarget): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}
