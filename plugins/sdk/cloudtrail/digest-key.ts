// The keys of digest files: where a trail's digests lie, and what their names say.

import { isLogFileOwner } from "./log-file.ts";

/** What a digest's key says. */
export interface DigestFileKey {
  /** What stands before `AWSLogs/`, without a slash at its end; "" for nothing. */
  readonly prefix: string;
  readonly organizationId?: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
  readonly trail: string;
  /** Where the trail was made. */
  readonly homeRegion: string;
  /** When its time ended, in milliseconds since the epoch; keys keep the second, in UTC. */
  readonly endTime: number;
  /** Of a chain of its own, made up later. */
  readonly isBackfill?: boolean;
}

const TRAIL = /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/;
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/;
const KEY = new RegExp(
  "^(?:(?<prefix>.+)/)?AWSLogs/(?:(?<organization>o-[a-z0-9]{10,32})/)?(?<account>\\d{12})" +
    "/CloudTrail-Digest/(?<region>[A-Za-z0-9-]+)/\\d{4}/\\d\\d/\\d\\d" +
    "/\\k<account>_CloudTrail-Digest_\\k<region>_(?<trail>[A-Za-z0-9._-]+)_(?<home>[A-Za-z0-9-]+)" +
    "_(?<time>\\d{8}T\\d{6})Z(?<backfill>_backfill)?\\.json\\.gz$",
);

/**
 * The key of a digest. Throws a TypeError for parts that CloudTrail does not spell so, which also
 * keeps paths inside the trail.
 */
export function formatDigestKey(key: DigestFileKey): string {
  const { prefix, organizationId, accountId, region, trail, homeRegion, isBackfill } = key;
  const known = isLogFileOwner(accountId, region) && isLogFileOwner(accountId, homeRegion) &&
    TRAIL.test(trail) && (organizationId === undefined || ORGANIZATION.test(organizationId));
  if (!known) throw new TypeError(`Cannot name digest: ${JSON.stringify(key)}`);
  const iso = new Date(key.endTime).toISOString();
  const time = iso.slice(0, 19).replaceAll(/[-:]/g, "");
  const head = prefix === "" ? "AWSLogs/" : `${prefix}/AWSLogs/`;
  const owner = organizationId === undefined ? accountId : `${organizationId}/${accountId}`;
  const name = `${accountId}_CloudTrail-Digest_${region}_${trail}_${homeRegion}_${time}Z`;
  const day = iso.slice(0, 10).replaceAll("-", "/");
  const end = isBackfill ? "_backfill.json.gz" : ".json.gz";
  return `${head}${owner}/CloudTrail-Digest/${region}/${day}/${name}${end}`;
}

/** Reads a digest's key, as CloudTrail spells it; undefined for any other. */
export function parseDigestKey(key: string): DigestFileKey | undefined {
  const groups = KEY.exec(key)?.groups;
  if (groups === undefined) return undefined;
  const { prefix = "", organization, account, region, trail, home, time, backfill } = groups;
  const iso = time!.replace(/^(....)(..)(..)T(..)(..)(..)$/, "$1-$2-$3T$4:$5:$6Z");
  const endTime = Date.parse(iso);
  if (Number.isNaN(endTime)) return undefined;
  return {
    prefix,
    ...(organization === undefined ? {} : { organizationId: organization }),
    accountId: account!,
    region: region!,
    trail: trail!,
    homeRegion: home!,
    endTime,
    ...(backfill === undefined ? {} : { isBackfill: true }),
  };
}

/** A time as digests write it: to the second, in UTC. */
export function digestTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
