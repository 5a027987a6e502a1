// The options of receiver `docker`.

import { z } from "zod";
import { clientTls } from "../../sdk/client-tls.ts";
import { duration, size } from "../../sdk/index.ts";

/** Where an engine listens. */
export interface EngineEndpoint {
  /** As the operator wrote it, for messages. */
  readonly text: string;
  /** Scheme, host and port of the request. */
  readonly origin: string;
  readonly socketPath?: string;
}

const HOST = /^(tcp|http|https):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):(\d{1,5})\/?$/;

/** Reads `unix:///path`, `tcp://host:port`, `http://…`, `https://…`; undefined for all else. */
export function parseEngine(text: string): EngineEndpoint | undefined {
  if (text.startsWith("unix:///")) {
    const socketPath = text.slice("unix://".length);
    return socketPath.length < 2 || socketPath.includes("\0")
      ? undefined
      : { text, origin: "http://engine", socketPath };
  }
  const match = HOST.exec(text);
  if (match === null || Number(match[3]) > 65_535) return undefined;
  const scheme = match[1] === "tcp" ? "http" : match[1];
  return { text, origin: `${scheme}://${match[2]}:${match[3]}` };
}

/** Its schema. */
export const config = z.strictObject({
  endpoint: z.string().default("unix:///var/run/docker.sock")
    .refine((text) => parseEngine(text) !== undefined, {
      error: "Expected unix:///var/run/docker.sock, tcp://host:2375 or https://host:2376",
    })
    .describe("Where the engine listens: unix:///path, tcp://host:port, http://… or https://…"),
  tls: clientTls.prefault({}).describe("For https://"),
  start_at: z.enum(["end", "beginning"]).optional().describe(
    "Where to begin at the first start: with what happens from now on, or with what the engine " +
      "still knows; under --once the beginning when not set",
  ),
  overlap: duration.prefault("5s").describe(
    "How far back a connection asks again, since engines write events out of order",
  ),
  reconnect_max: duration.prefault("30s").describe("Longest wait between two attempts to connect"),
  max_event_bytes: size.prefault("256KiB").describe(
    "Longest event that is read; a longer one is set aside, cut at this length",
  ),
  max_labels: z.int().min(0).max(1024).default(32).describe(
    "Labels of a container, image, … that are copied; passed to format docker",
  ),
});

/** The checked options. */
export type DockerReceiverConfig = z.output<typeof config>;
