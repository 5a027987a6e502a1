// One table: CSV (a key column leads to the others) or MMDB (an address leads to a tree of values).
// Loaded lazily, read anew when the file changes; what was read last serves until the new is whole.

import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import type { Json, JsonObject } from "../../sdk/index.ts";
import { parseRecordPath, type RecordPath, someAt } from "../../sdk/record-path.ts";
import type { TableConfig } from "./config.ts";
import { FACT_LENGTH_MAX } from "./facts.ts";

// Tables are held in memory whole; the largest public address databases are half of this.
const CSV_BYTES_MAX = 64 * 1024 * 1024;
const MMDB_BYTES_MAX = 512 * 1024 * 1024;
const CSV_LINE_BYTES_MAX = 64 * 1024;

type Lookup = (key: string) => JsonObject | undefined;

/** A table that may change. */
export class Table {
  readonly as: string;
  readonly field: RecordPath;
  readonly #config: TableConfig;
  #lookup: Lookup | undefined;
  #version: string | undefined;

  constructor(config: TableConfig) {
    this.as = config.as;
    this.field = config.field;
    this.#config = config;
  }

  /** The values for a key; undefined where the table has none or is not loaded. */
  find(key: string): JsonObject | undefined {
    return this.#lookup?.(key);
  }

  /** Reads the file if it is not the one read last; answers what is wrong with it. */
  async load(): Promise<string | undefined> {
    const { path } = this.#config;
    const isCsv = /\.csv$/i.test(path);
    try {
      const { size, mtimeMs, ino } = await stat(path);
      const version = `${ino}/${size}/${mtimeMs}`;
      if (version === this.#version) return undefined;
      const bytesMax = isCsv ? CSV_BYTES_MAX : MMDB_BYTES_MAX;
      if (size > bytesMax) throw new Error(`it has ${size} bytes, at most ${bytesMax} are read`);
      this.#lookup = await (isCsv ? readCsv(this.#config) : readMmdb(this.#config));
      this.#version = version;
      return undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const effect = this.#lookup === undefined
        ? "records go without it"
        : "the last one serves on";
      return `Cannot read table "${path}": ${reason}: ${effect}`;
    }
  }
}

async function readCsv({ path, key, values }: TableConfig): Promise<Lookup> {
  const { parse } = await import("csv-parse");
  const parser = parse({
    bom: true,
    record_delimiter: ["\r\n", "\n"],
    skip_empty_lines: true,
    max_record_size: CSV_LINE_BYTES_MAX,
  });
  const file = createReadStream(path);
  file.on("error", (error) => parser.destroy(error));
  file.pipe(parser);
  const rows = new Map<string, JsonObject>();
  let columns: Columns | undefined;
  try {
    for await (const line of parser as AsyncIterable<string[]>) {
      if (columns === undefined) columns = columnsOf(line, key, values);
      else addRow(rows, line, columns);
    }
  } finally {
    file.destroy();
  }
  if (columns === undefined) {
    throw new Error("it is empty: a first line of column names is missing");
  }
  return (wanted) => rows.get(wanted);
}

interface Columns {
  readonly key: number;
  readonly values: readonly (readonly [name: string, index: number])[];
}

function columnsOf(
  line: readonly string[],
  key: string | undefined,
  values: Readonly<Record<string, string>>,
): Columns {
  const indexOf = (column: string) => {
    const index = line.indexOf(column);
    if (index < 0) throw new Error(`it has no column "${column}", but ${line.join(", ")}`);
    return index;
  };
  return {
    key: key === undefined ? 0 : indexOf(key),
    values: Object.entries(values).map(([name, column]) => [name, indexOf(column)]),
  };
}

function addRow(rows: Map<string, JsonObject>, line: readonly string[], columns: Columns): void {
  const row: Record<string, Json> = {};
  for (const [name, index] of columns.values) {
    const text = line[index];
    if (text) row[name] = text.slice(0, FACT_LENGTH_MAX);
  }
  // Of lines with the same key the first counts, as a person looking for it would find it.
  const key = line[columns.key]!;
  if (!rows.has(key) && Object.keys(row).length > 0) rows.set(key, row);
}

async function readMmdb({ path, values }: TableConfig): Promise<Lookup> {
  const { Reader } = await import("mmdb-lib");
  const reader = new Reader(await readFile(path));
  const paths = Object.entries(values).map(([name, way]) =>
    [name, parseRecordPath(way) as RecordPath] as const
  );
  return (address) => {
    if (isIP(address) === 0) return undefined;
    const found = reader.get(address) as unknown as Json | null;
    const row: Record<string, Json> = {};
    for (const [name, way] of found === null ? [] : paths) {
      someAt(found!, way, (value) => {
        const plain = plainOf(value);
        if (plain !== undefined) row[name] = plain;
        return true;
      });
    }
    return Object.keys(row).length === 0 ? undefined : row;
  };
}

/** A value as a record may hold it: MMDB also knows bytes and large integers. */
function plainOf(value: unknown): Json | undefined {
  if (typeof value === "string") return value.slice(0, FACT_LENGTH_MAX);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "object" || value === null) return value as Json | undefined;
  if (Buffer.isBuffer(value)) return value.toString("base64").slice(0, FACT_LENGTH_MAX);
  if (Array.isArray(value)) return value.map(plainOf).filter((item) => item !== undefined);
  const object: Record<string, Json> = {};
  for (const [name, member] of Object.entries(value)) {
    const plain = plainOf(member);
    if (plain !== undefined) object[name] = plain;
  }
  return object;
}
