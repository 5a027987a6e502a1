// The options of receiver `syslog`.

import { Buffer } from "node:buffer";
import { z } from "zod";
import { duration, size } from "../../sdk/index.ts";
import { endpoint } from "../../sdk/endpoint.ts";
import { serverTls } from "../../sdk/tls.ts";

/** What sockaddr_un holds; Node would listen on what fits of a longer one. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Its schema. */
export const config = z.strictObject({
  protocol: z.enum(["tcp", "udp", "unix"]).default("tcp").describe(
    "How messages come: tcp (with tls, too), udp, or a unix stream socket",
  ),
  endpoint: endpoint.prefault("127.0.0.1:5514").describe(
    "Where to listen; for protocol unix a path as unix:///run/cairn/syslog.sock",
  ),
  tls: serverTls.optional().describe("Encrypts tcp, and may ask senders for certificates"),
  format: z.string().min(1).default("syslog").describe("Name of the format of the messages"),
  mapping: z.record(z.string(), z.unknown()).optional().describe(
    "Where in a message the facts of an event stand; passed to the format as its mapping",
  ),
  timezone: z.string().optional().describe(
    "Zone of times that say none; passed to the format as its timezone",
  ),
  framing: z.enum(["auto", "octet_counting", "newline"]).default("auto").describe(
    "How streams are cut into messages: by their length, by line ends, or as each one begins",
  ),
  max_frame_bytes: size.prefault("256KiB").describe(
    "Longest message; a longer one is set aside, cut at this length",
  ),
  max_connections: z.int().min(1).max(65_536).default(1024).describe(
    "Connections at once; beyond it the longest idle one ends, or the new one is refused",
  ),
  max_messages_per_second: z.int().min(1).default(100_000).describe(
    "Messages of one sender in a second: streams are read no faster, datagrams beyond it dropped",
  ),
  idle_timeout: duration.prefault("1d").describe("A connection that brings nothing is closed"),
  frame_timeout: duration.prefault("1m").describe(
    "A message that has begun must have come by then, or its connection is closed",
  ),
  handshake_timeout: duration.prefault("10s").describe("A TLS handshake must be done by then"),
}).check((ctx) => {
  const { protocol, endpoint, tls } = ctx.value;
  const problem = (path: string, message: string) =>
    ctx.issues.push({ code: "custom", input: ctx.value, path: [path], message });
  const isPath = "path" in endpoint;
  if (protocol === "unix" && !isPath) {
    problem("endpoint", "Expected a path as unix:///run/cairn/syslog.sock for protocol unix");
  }
  if (protocol !== "unix" && isPath) {
    problem("endpoint", `Expected an address as 127.0.0.1:5514 for protocol ${protocol}`);
  }
  if (isPath && Buffer.byteLength(endpoint.path) > SOCKET_PATH_BYTES_MAX) {
    problem("endpoint", `Path is longer than ${SOCKET_PATH_BYTES_MAX} bytes`);
  }
  if (protocol !== "tcp" && tls !== undefined) problem("tls", "Only protocol tcp can have TLS");
});

/** The checked options. */
export type SyslogConfig = z.output<typeof config>;
