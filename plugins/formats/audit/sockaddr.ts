// The socket address of a SOCKADDR record: struct sockaddr as hex, in the byte order of the machine
// that wrote it; the families that name a peer are decoded.

import { Buffer } from "node:buffer";
import { bytesToText, isUpperHex } from "./text.ts";

/** A decoded socket address. */
export interface SocketAddress {
  /** `ipv4`, `ipv6`, `unix`, `netlink`, else the family's number. */
  readonly family: string;
  readonly address?: string;
  readonly port?: number;
  /** Unix sockets; an abstract one begins with `@`. */
  readonly path?: string;
}

/** Reads `saddr`; undefined where it is no socket address. */
export function decodeSocketAddress(saddr: string | undefined): SocketAddress | undefined {
  if (saddr === undefined || saddr.length < 4 || saddr.length % 2 !== 0) return undefined;
  if (!isUpperHex(saddr)) return undefined;
  const bytes = Buffer.from(saddr, "hex");
  // The family is a short in host order; all that exist are below 256, so one of its bytes is 0.
  const family = bytes[0]! | bytes[1]!;
  if (family === 1) return { family: "unix", path: unixPath(bytes) };
  if (family === 2 && bytes.length >= 8) {
    return {
      family: "ipv4",
      address: bytes.subarray(4, 8).join("."),
      port: bytes.readUInt16BE(2),
    };
  }
  if (family === 10 && bytes.length >= 24) {
    return { family: "ipv6", address: ipv6(bytes), port: bytes.readUInt16BE(2) };
  }
  return { family: family === 16 ? "netlink" : String(family) };
}

function unixPath(bytes: Buffer): string {
  if (bytes.length > 3 && bytes[2] === 0) {
    const end = bytes.indexOf(0, 3);
    return `@${bytesToText(bytes.subarray(3, end < 0 ? bytes.length : end))}`;
  }
  const end = bytes.indexOf(0, 2);
  return bytesToText(bytes.subarray(2, end < 0 ? bytes.length : end));
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as `::`. */
function ipv6(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 8; at < 24; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  let from = -1;
  let length = 1;
  for (let at = 0; at < 8; at++) {
    let run = 0;
    while (groups[at + run] === "0") run++;
    if (run > length) [from, length] = [at, run];
  }
  if (from < 0) return groups.join(":");
  return `${groups.slice(0, from).join(":")}::${groups.slice(from + length).join(":")}`;
}
