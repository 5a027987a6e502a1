// Log files as CloudTrail delivers them: their keys, their names, and the text inside. Exporter
// `trail` writes them, receiver `cloudtrail` reads them; nothing here touches a disk or a bucket.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** The folder of each kind of log file. Categories not named here share `CloudTrail`. */
const FOLDERS: Readonly<Record<string, LogFolder>> = {
  Insight: "CloudTrail-Insight",
  NetworkActivity: "CloudTrail-NetworkActivity",
  Aggregated: "CloudTrail-Aggregated",
};

/** The folders that log files lie in. */
export type LogFolder =
  | "CloudTrail"
  | "CloudTrail-Insight"
  | "CloudTrail-NetworkActivity"
  | "CloudTrail-Aggregated";

/** Longest text of one log file. CloudTrail says 50 MB, before compression. */
export const LOG_FILE_BYTES_MAX = 50_000_000;

/** What a log file's key says. */
export interface LogFileKey {
  /** What stands before `AWSLogs/`, without a slash at its end; "" for nothing. */
  readonly prefix: string;
  readonly organizationId?: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly folder: LogFolder;
  readonly region: string;
  /** When it was delivered, in milliseconds since the epoch; keys keep the minute, in UTC. */
  readonly deliveredAt: number;
  /** Sixteen letters and digits that tell files of one minute apart. */
  readonly unique: string;
}

const ACCOUNT = /^\d{12}$/;
const REGION = /^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$/;
const UNIQUE = /^[A-Za-z0-9]{16}$/;
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/;
const KEY = new RegExp(
  "^(?:(?<prefix>.+)/)?AWSLogs/(?:(?<organization>o-[a-z0-9]{10,32})/)?(?<account>\\d{12})" +
    "/(?<folder>CloudTrail(?:-Insight|-NetworkActivity|-Aggregated)?)/(?<region>[A-Za-z0-9-]+)" +
    "/\\d{4}/\\d\\d/\\d\\d/\\k<account>_\\k<folder>_\\k<region>" +
    "_(?<minute>\\d{8}T\\d{4})Z_(?<unique>[A-Za-z0-9]{16})\\.json\\.gz$",
);

/** The folder that records of a category are delivered to. */
export function logFolder(category: string): LogFolder {
  return Object.hasOwn(FOLDERS, category) ? FOLDERS[category]! : "CloudTrail";
}

/** True where a log file of this account and region can be named; nothing else enters a path. */
export function isLogFileOwner(accountId: string, region: string): boolean {
  return ACCOUNT.test(accountId) && region.length <= 64 && REGION.test(region);
}

/**
 * The key of a log file: `[prefix/]AWSLogs/[o-…/]<account>/<folder>/<region>/YYYY/MM/DD/<name>`.
 * Throws a TypeError for parts that CloudTrail does not spell so, which also keeps paths inside the
 * trail.
 */
export function formatLogFileKey(key: LogFileKey): string {
  const { prefix, organizationId, accountId, folder, region, unique } = key;
  const known = isLogFileOwner(accountId, region) && UNIQUE.test(unique) &&
    (organizationId === undefined || ORGANIZATION.test(organizationId));
  if (!known) throw new TypeError(`Cannot name log file: ${JSON.stringify(key)}`);
  const iso = new Date(key.deliveredAt).toISOString();
  const [day, minute] = [iso.slice(0, 10), iso.slice(11, 16)];
  const time = `${day.replaceAll("-", "")}T${minute.replace(":", "")}Z`;
  const head = prefix === "" ? "AWSLogs/" : `${prefix}/AWSLogs/`;
  const owner = organizationId === undefined ? accountId : `${organizationId}/${accountId}`;
  const name = `${accountId}_${folder}_${region}_${time}_${unique}.json.gz`;
  return `${head}${owner}/${folder}/${region}/${day.replaceAll("-", "/")}/${name}`;
}

/** Reads a log file's key, as CloudTrail spells it; undefined for any other, digests included. */
export function parseLogFileKey(key: string): LogFileKey | undefined {
  const groups = KEY.exec(key)?.groups;
  if (groups === undefined) return undefined;
  const { prefix = "", organization, account, folder, region, minute, unique } = groups;
  const iso = minute!.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:00Z");
  const deliveredAt = Date.parse(iso);
  if (Number.isNaN(deliveredAt)) return undefined;
  return {
    prefix,
    ...(organization === undefined ? {} : { organizationId: organization }),
    accountId: account!,
    folder: folder as LogFolder,
    region: region!,
    deliveredAt,
    unique: unique!,
  };
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Sixteen letters and digits out of what makes a file the one it is: the same parts give the same
 * characters, on every runtime, so that a repeated delivery writes the same key.
 */
export function uniquePart(parts: readonly (string | number)[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest();
  let text = "";
  let number = BigInt(`0x${hash.toString("hex")}`);
  for (let i = 0; i < 16; i++) {
    text += ALPHABET[Number(number % 62n)];
    number /= 62n;
  }
  return text;
}

const HEAD = Buffer.from('{"Records":[');
const TAIL = Buffer.from("]}");
const COMMA = 0x2c;

/** Bytes that a log file's text takes around and between records of `bytes` bytes in all. */
export function logFileBytes(records: number, bytes: number): number {
  return HEAD.length + TAIL.length + bytes + Math.max(0, records - 1);
}

/**
 * A log file's text piece by piece: `{"Records":[…]}` around the records' own bytes, which are not
 * looked at. Each piece lies in `room`, fills it but for the last, and holds until the next.
 */
export function* logFilePieces(
  records: readonly { readonly bytes: Uint8Array }[],
  room: Uint8Array,
): Generator<Uint8Array> {
  room.set(HEAD);
  let at = HEAD.length;
  for (let i = 0; i < records.length; i++) {
    const { bytes } = records[i]!;
    if (i > 0) {
      if (at === room.length) {
        yield room;
        at = 0;
      }
      room[at++] = COMMA;
    }
    for (let from = 0; from < bytes.length;) {
      if (at === room.length) {
        yield room;
        at = 0;
      }
      const taken = Math.min(bytes.length - from, room.length - at);
      room.set(
        from === 0 && taken === bytes.length ? bytes : bytes.subarray(from, from + taken),
        at,
      );
      at += taken;
      from += taken;
    }
  }
  if (at + TAIL.length > room.length) {
    yield room.subarray(0, at);
    at = 0;
  }
  room.set(TAIL, at);
  yield room.subarray(0, at + TAIL.length);
}
