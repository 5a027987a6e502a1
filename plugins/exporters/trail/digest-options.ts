// The option `log_file_validation`, and the digests that it asks for.

import { join } from "node:path";
import { z } from "zod";
import { awsConnection, awsEndpointOption, type ConnectionContext } from "../../sdk/aws/option.ts";
import type { ComponentContext } from "../../sdk/index.ts";
import { duration } from "../../sdk/option.ts";
import type { TrailConfig } from "./config.ts";
import { DigestChain } from "./digest-chain.ts";
import type { TrailStore } from "./store.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const digests = z.strictObject({
  interval: duration.prefault("1h")
    .refine((ms) => ms >= MINUTE_MS && ms <= DAY_MS, "Expected between 1m and 1d")
    .describe("Time that a digest is about; tools expect an hour"),
  key_rotation: duration.prefault("365d")
    .refine((ms) => ms >= DAY_MS, "Expected 1d or more")
    .describe("How long a key of the agent's own signs before a new one is made"),
  key_file: z.string().min(1).optional()
    .describe("RSA private key in PEM that signs, instead of the agent's own"),
  kms_key_id: z.string().min(1).optional()
    .describe("RSA key in AWS KMS that signs, as id, ARN or alias, instead of the agent's own"),
  kms_endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a KMS that is not AWS's own"),
}).refine(
  ({ key_file: file, kms_key_id: kms }) => file === undefined || kms === undefined,
  "Expected one of key_file, kms_key_id",
).refine(
  ({ kms_key_id: kms, kms_endpoint: endpoint }) => endpoint === undefined || kms !== undefined,
  "Expected kms_key_id beside kms_endpoint",
);

/** The option; on by default, as the AWS console has it. */
export const logFileValidation = z.union([z.literal(false), digests]).prefault({})
  .describe("Signed digests of what was delivered, once an hour; false for none");

/** The digests of a trail. */
export interface OpenDigests {
  readonly chain: DigestChain;
  /** Writes the last digests and lets go of all. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Makes the digests that a trail's options ask for; undefined for none. Opens nothing. */
export async function openDigests(
  options: TrailConfig,
  store: TrailStore,
  context: ComponentContext,
  onProblem: (problem: string | undefined) => void,
): Promise<OpenDigests | undefined> {
  const { log_file_validation: digests, name, prefix, organization } = options;
  if (digests === false) return undefined;
  const { agent, clock, log, runtime, directory } = context;
  const { organizationId } = agent;
  const kms = await openKms(options, context);
  const chain = new DigestChain({
    place: {
      bucket: store.bucket,
      prefix,
      ...(organization && organizationId !== undefined ? { organizationId } : {}),
      trail: name,
      homeRegion: agent.region,
    },
    agent,
    intervalMs: digests.interval,
    store,
    directory: join(directory, "digests"),
    keys: { rotationMs: digests.key_rotation, keyFile: digests.key_file, kms },
    gzip: (chunks) => runtime.gzip(chunks),
    clock,
    log,
    onProblem,
  });
  return {
    chain,
    stop: async (deadline) => {
      await chain.stop(deadline);
      await kms?.close();
    },
  };
}

/** The key in KMS that signs, where the options name one. What is of AWS is loaded only then. */
export async function openKms(options: TrailConfig, context: ConnectionContext) {
  const { log_file_validation: digests } = options;
  if (digests === false || digests.kms_key_id === undefined) return undefined;
  const { KmsKey } = await import("../../sdk/aws/kms.ts");
  return new KmsKey({
    keyId: digests.kms_key_id,
    connection: awsConnection(options, context),
    endpoint: digests.kms_endpoint,
  });
}
