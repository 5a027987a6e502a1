// Values as auditd writes them to values as they were: hex to text, bytes to text. Nothing is lost
// where bytes are no UTF-8: those are written as `\xHH`.

import { Buffer } from "node:buffer";

// The fields that the kernel and libaudit write through their "untrusted string" call: quoted where
// harmless, else bare upper-case hex. From libaudit's auparse/typetab.h (escaped types) and
// lsm_audit.c.
const ENCODED: ReadonlySet<string> = new Set([
  "acct",
  "cgroup",
  "cmd",
  "comm",
  "cwd",
  "data",
  "device",
  "dir",
  "exe",
  "file",
  "grp",
  "invalid_context",
  "key",
  "name",
  "new-chardev",
  "new-disk",
  "new-fs",
  "new-rng",
  "new_group",
  "ocomm",
  "old-chardev",
  "old-disk",
  "old-fs",
  "old-rng",
  "path",
  "proctitle",
  "root_dir",
  "sw",
  "vm",
  "watch",
]);

// As many arguments as a call surely takes.
const SHORT_MAX = 512;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** True where a bare value of this field is hex. `type` tells EXECVE's a0 from SYSCALL's. */
export function isEncoded(type: string, key: string): boolean {
  return ENCODED.has(key) || (type === "EXECVE" && /^a\d+$/.test(key));
}

/**
 * Text of a bare value, when it is hex as auditd writes it: upper case, an even number of digits. A
 * number is left alone: no uid, pid or serial has more than ten digits, but an account is told from
 * its uid only by that, so `acct=1000` stays.
 */
export function decodeHex(key: string, value: string): string {
  if (value.length % 2 !== 0 || !isUpperHex(value)) return value;
  if (key === "acct" && value.length <= 10 && /^\d+$/.test(value)) return value;
  return asciiOf(value) ?? bytesToText(Buffer.from(value, "hex"));
}

/** Text of short hex without bytes above 0x7f; half the cost of going through a Buffer. */
function asciiOf(hex: string): string | undefined {
  const length = hex.length / 2;
  if (length > SHORT_MAX) return undefined;
  const codes: number[] = [];
  for (let at = 0; at < length; at++) {
    const code = digit(hex.charCodeAt(2 * at)) * 16 + digit(hex.charCodeAt(2 * at + 1));
    if (code > 0x7f) return undefined;
    codes.push(code);
  }
  return String.fromCharCode.apply(undefined, codes);
}

function digit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x37;
}

/** True for one or more of 0-9 and A-F. */
export function isUpperHex(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const c = value.charCodeAt(at);
    if (c < 0x30 || c > 0x46 || (c > 0x39 && c < 0x41)) return false;
  }
  return value.length > 0;
}

/** Text whose characters each stand for one byte (latin1), read as UTF-8. */
export function rawToText(raw: string): string {
  return isAscii(raw) ? raw : bytesToText(Buffer.from(raw, "latin1"));
}

/** Bytes as UTF-8 text; where they are none, bytes above 0x7f stand as `\xHH`. */
export function bytesToText(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  if (isAscii(text)) return text;
  try {
    return UTF8.decode(bytes);
  } catch {
    return text.replace(
      /[\x80-\xff]/g,
      (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  }
}

function isAscii(text: string): boolean {
  return !/[\x80-\uffff]/.test(text);
}
