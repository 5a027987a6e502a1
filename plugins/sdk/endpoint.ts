// Endpoints as options: where a server listens or a client connects, `host:port` or a unix socket.

import { isIPv6 } from "node:net";
import { z } from "zod";

/** A TCP address, or the path of a unix socket. */
export type Endpoint =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;

/** Reads `127.0.0.1:5514`, `[::1]:514`, `localhost:80`, `unix:///path`; undefined for all else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    return path.length > 1 && path.startsWith("/") && !path.includes("\0") ? { path } : undefined;
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain = ""] = match;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  return HOST.test(plain) ? { host: plain, port } : undefined;
}

/** Spells an endpoint as parseEndpoint reads it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if ("path" in endpoint) return `unix://${endpoint.path}`;
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The option's schema: the text in the YAML, an Endpoint for the component. */
export const endpoint = z.codec(
  z.string().meta({ examples: ["127.0.0.1:8080"] }),
  z.custom<Endpoint>(),
  {
    decode(text, ctx) {
      const parsed = parseEndpoint(text);
      if (parsed !== undefined) return parsed;
      ctx.issues.push({
        code: "custom",
        input: text,
        message: "Expected an endpoint such as 127.0.0.1:8080, [::1]:8080 or unix:///run/x.sock",
      });
      return z.NEVER;
    },
    encode: formatEndpoint,
  },
);
