// Which log files a batch becomes. The answer depends on the batch and the trail alone, never on a
// clock or chance: the same range planned again gives the same keys with the same records (P5).

import {
  formatLogFileKey,
  isLogFileOwner,
  LOG_FILE_BYTES_MAX,
  logFileBytes,
  type LogFolder,
  logFolder,
  uniquePart,
} from "../../sdk/cloudtrail/log-file.ts";
import type { ExportBatch, StoredRecord } from "../../sdk/index.ts";

/** Where a trail's log files go and whose they are. */
export interface TrailPlace {
  readonly prefix: string;
  readonly organizationId?: string;
  /** Tells this trail's files from another's in the same folder: agent, component, trail. */
  readonly identity: readonly string[];
}

/** A log file to be written. */
export interface PlannedFile {
  /** Below the trail's folder, parts joined by `/`. */
  readonly key: string;
  readonly accountId: string;
  readonly region: string;
  readonly records: readonly StoredRecord[];
}

/** The files of a batch, in order of their first record, and the records that no file can hold. */
export interface Plan {
  readonly files: readonly PlannedFile[];
  readonly refused: readonly StoredRecord[];
}

interface Group {
  readonly accountId: string;
  readonly region: string;
  readonly folder: LogFolder;
  records: StoredRecord[];
  bytes: number;
  /** How many files of this group are full. */
  full: number;
}

/** Plans the log files of a batch. */
export function planFiles(batch: ExportBatch, place: TrailPlace): Plan {
  const files: PlannedFile[] = [];
  const refused: StoredRecord[] = [];
  const groups = new Map<string, Group>();
  let group: Group | undefined;
  for (const record of batch.records) {
    if (group === undefined || !belongs(record, group)) {
      group = isLogFileOwner(record.accountId, record.region) ? groupOf(record, groups) : undefined;
    }
    if (group === undefined) refused.push(record);
    else add(record, group, (full) => files.push(plannedFile(full, batch, place)));
  }
  for (const left of groups.values()) files.push(plannedFile(left, batch, place));
  return { files, refused };
}

function belongs(record: StoredRecord, group: Group): boolean {
  return record.region === group.region && record.accountId === group.accountId &&
    logFolder(record.category) === group.folder;
}

function groupOf(record: StoredRecord, groups: Map<string, Group>): Group {
  const { accountId, region } = record;
  const folder = logFolder(record.category);
  const name = `${accountId}/${folder}/${region}`;
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = { accountId, region, folder, records: [], bytes: 0, full: 0 };
  groups.set(name, group);
  return group;
}

function add(record: StoredRecord, group: Group, give: (group: Group) => void): void {
  const { length } = record.bytes;
  if (
    group.records.length > 0 &&
    logFileBytes(group.records.length + 1, group.bytes + length) >= LOG_FILE_BYTES_MAX
  ) {
    give(group);
    group.records = [];
    group.bytes = 0;
    group.full++;
  }
  group.records.push(record);
  group.bytes += length;
}

function plannedFile(group: Group, batch: ExportBatch, place: TrailPlace): PlannedFile {
  const { accountId, region, folder, records, full } = group;
  // The ids beside the range: a queue made anew counts from 1 again, and must not write over files.
  const unique = uniquePart([
    ...place.identity,
    batch.range.first,
    batch.range.last,
    batch.plannedAt,
    full,
    records[0]!.id,
    records.at(-1)!.id,
  ]);
  const { prefix, organizationId } = place;
  const owner = organizationId === undefined ? {} : { organizationId };
  const key = { prefix, ...owner, accountId, folder, region, deliveredAt: batch.plannedAt, unique };
  return { key: formatLogFileKey(key), accountId, region, records };
}
