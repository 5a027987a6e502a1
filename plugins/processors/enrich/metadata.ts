// The metadata services of AWS that a host or task reaches over link-local addresses: EC2's (IMDSv2,
// with a session token) and ECS's (task metadata, version 4).

import type { JsonObject } from "../../sdk/index.ts";
import { facts } from "./facts.ts";

const TOKEN_SECONDS = 21_600;
const ANSWER_BYTES_MAX = 256 * 1024;

/** A metadata service did not tell what was asked; the message is for the operator. */
export class MetadataError extends Error {
  override readonly name = "MetadataError";
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Ask {
  readonly method?: "GET" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
}

type Get = (path: string, ask?: Ask) => Promise<Answer>;

/** Loads the HTTP client, which only a host with a service to ask needs. */
export function loadClient(): Promise<typeof import("undici")> {
  return import("undici");
}

/** One connection to a service; closed when `use` has settled. */
async function connected<T>(
  endpoint: string,
  signal: AbortSignal,
  use: (get: Get) => Promise<T>,
): Promise<T> {
  const { Client } = await loadClient();
  const { origin, pathname } = new URL(endpoint);
  const base = pathname.replace(/\/$/, "");
  const client = new Client(origin);
  try {
    return await use(async (path, { method = "GET", headers = {} } = {}) => {
      const { statusCode, body } = await client.request({
        path: base + path,
        method,
        headers,
        signal,
      });
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (length > ANSWER_BYTES_MAX) throw new MetadataError("The answer is too long");
        chunks.push(chunk);
      }
      return { status: statusCode, text: Buffer.concat(chunks).toString("utf8") };
    });
  } catch (error) {
    if (error instanceof MetadataError) throw error;
    throw new MetadataError(tell(error, signal), { cause: error });
  } finally {
    await client.destroy();
  }
}

function tell(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "no answer in time";
  return error instanceof Error ? error.message : String(error);
}

/** The instance: its identity document, and the tags asked for. Rejects with MetadataError. */
export async function askEc2(
  endpoint: string,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  return await connected(endpoint, signal, async (get) => {
    const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": String(TOKEN_SECONDS) };
    const token = await get("/latest/api/token", { method: "PUT", headers: ttl });
    if (token.status === 403) {
      throw new MetadataError("The instance metadata service is turned off for this instance");
    }
    if (token.status !== 200) throw unexpected("asked for a token", token);
    const headers = { "x-aws-ec2-metadata-token": token.text.trim() };
    const document = await get("/latest/dynamic/instance-identity/document", { headers });
    if (document.status !== 200) throw unexpected("asked for the identity document", document);
    const said = parse(document.text);
    return facts({
      provider: "aws",
      accountId: said.accountId,
      region: said.region,
      availabilityZone: said.availabilityZone,
      instanceId: said.instanceId,
      instanceType: said.instanceType,
      imageId: said.imageId,
      privateIp: said.privateIp,
      tags: await askTags(get, headers, tags),
    });
  }).catch((error: MetadataError) => {
    const hint = signal.aborted
      ? "; in a container the instance's hop limit must be 2 (HttpPutResponseHopLimit)"
      : "";
    throw new MetadataError(`Cannot ask "${endpoint}" for the instance: ${error.message}${hint}`);
  });
}

async function askTags(
  get: Get,
  headers: Readonly<Record<string, string>>,
  tags: readonly string[],
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const tag of tags) {
    const path = `/latest/meta-data/tags/instance/${encodeURIComponent(tag)}`;
    const { status, text } = await get(path, { headers });
    // 404: no such tag, or tags are not allowed in instance metadata.
    if (status === 200) found[tag] = text;
    else if (status !== 404) throw unexpected(`asked for tag "${tag}"`, { status, text });
  }
  return found;
}

/** The task and the container the agent runs in. Rejects with MetadataError. */
export async function askEcs(
  endpoint: string,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  return await connected(endpoint, signal, async (get) => {
    const [container, task] = [await get(""), await get("/task")];
    if (container.status !== 200) throw unexpected("asked for the container", container);
    if (task.status !== 200) throw unexpected("asked for the task", task);
    const own = parse(container.text);
    const said = parse(task.text);
    return facts({
      cluster: said.Cluster,
      taskArn: said.TaskARN,
      family: said.Family,
      revision: said.Revision,
      service: said.ServiceName,
      launchType: said.LaunchType,
      availabilityZone: said.AvailabilityZone,
      containerName: own.Name,
      containerId: own.DockerId,
      containerArn: own.ContainerARN,
      image: own.Image,
    });
  }).catch((error: MetadataError) => {
    throw new MetadataError(`Cannot ask "${endpoint}" for the task: ${error.message}`);
  });
}

function unexpected(asked: string, { status }: Answer): MetadataError {
  return new MetadataError(`it answered ${status} when ${asked}`);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, without the text.
  }
  throw new MetadataError("its answer is no JSON object");
}
