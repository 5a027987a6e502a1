// Tables of processor enrich: CSV and MMDB files as they are found, changed, broken and mended. The
// MMDB files are written here, bit by bit as the format's specification (version 2.0) says.

import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { config } from "./config.ts";
import { Table } from "./table.ts";

type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };

function table(options: object): Table {
  return new Table(config.parse({ tables: [options] }).tables[0]!);
}

/** Control byte and size, for types up to 7 and for extended ones. */
function head(type: number, size: number): Buffer {
  const [five, rest] = size < 29 ? [size, []] : [29, [size - 29]];
  return type <= 7
    ? Buffer.from([type << 5 | five, ...rest])
    : Buffer.from([five, type - 7, ...rest]);
}

function encode(value: Value): Buffer {
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([head(2, text.length), text]);
  }
  if (typeof value === "boolean") return head(14, value ? 1 : 0);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(8);
    if (Number.isInteger(value)) bytes.writeUInt32BE(value);
    else bytes.writeDoubleBE(value);
    return Number.isInteger(value)
      ? Buffer.concat([head(6, 4), bytes.subarray(0, 4)])
      : Buffer.concat([head(3, 8), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([head(11, value.length), ...value.map(encode)]);
  const members = Object.entries(value as Record<string, Value>);
  return Buffer.concat([
    head(7, members.length),
    ...members.flatMap(([name, member]) => [encode(name), encode(member)]),
  ]);
}

/** A network's leading bits; IPv4 lies at ::/96, as in MaxMind's own files. */
function bitsOf(network: string): number[] {
  const [address = "", length = ""] = network.split("/");
  const isV4 = address.includes(".");
  const bytes = isV4
    ? [...new Array<number>(12).fill(0), ...address.split(".").map(Number)]
    : address.replace("::", "").split(":").flatMap((word) => {
      const number = Number.parseInt(word, 16);
      return [number >> 8, number & 255];
    });
  while (bytes.length < 16) bytes.push(0);
  const bits = bytes.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((i) => byte >> i & 1));
  return bits.slice(0, Number(length) + (isV4 ? 96 : 0));
}

/** A database of these networks, with records of 24 bits. */
function writeMmdb(path: string, networks: Record<string, Value>): void {
  type Record = { node: number } | { offset: number } | undefined;
  const nodes: [Record, Record][] = [[undefined, undefined]];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [network, value] of Object.entries(networks)) {
    const bits = bitsOf(network);
    let node = 0;
    for (const bit of bits.slice(0, -1)) {
      const next = nodes[node]![bit]!;
      if (next !== undefined && "node" in next) node = next.node;
      else {
        nodes[node]![bit] = { node: nodes.push([undefined, undefined]) - 1 };
        node = nodes.length - 1;
      }
    }
    nodes[node]![bits.at(-1)!] = { offset };
    const bytes = encode(value);
    data.push(bytes);
    offset += bytes.length;
  }
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.flat().forEach((record, i) => {
    const number = record === undefined
      ? nodes.length
      : "node" in record
      ? record.node
      : nodes.length + 16 + record.offset;
    tree.writeUIntBE(number, i * 3, 3);
  });
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_780_000_000,
    database_type: "Test",
    description: { en: "Made by a test" },
    ip_version: 6,
    languages: ["en"],
    node_count: nodes.length,
    record_size: 24,
  });
  const marker = Buffer.from("abcdef4d61784d696e642e636f6d", "hex");
  writeFileSync(path, Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata]));
}

let touches = 0;
/** A later time of change than any before, whatever the file system's clock can tell apart. */
function touch(path: string): void {
  const time = Date.now() / 1000 + 10 * ++touches;
  utimesSync(path, time, time);
}

t.test("a CSV table leads from its key column to the others", async (t) => {
  const path = join(t.testdir(), "owners.csv");
  writeFileSync(
    path,
    '\ufeffhost,team,"cost center"\r\nweb-01,web,"4711, ""old"""\r\n\r\ndb-01,,12\nweb-01,second,1\n',
  );
  const owners = table({
    path,
    as: "owner",
    field: "additionalEventData.host",
    values: { team: "team", costCenter: "cost center" },
  });
  t.equal(owners.find("web-01"), undefined, "not loaded yet");
  t.equal(await owners.load(), undefined);
  t.same(
    owners.find("web-01"),
    { team: "web", costCenter: '4711, "old"' },
    "the first line counts",
  );
  t.same(owners.find("db-01"), { costCenter: "12" }, "an empty value is none");
  t.equal(owners.find("host"), undefined);
  t.equal(owners.find("__proto__"), undefined);
  const byTeam = table({ path, as: "x", field: "a", key: "team", values: { host: "host" } });
  await byTeam.load();
  t.same(byTeam.find("web"), { host: "web-01" });
});

t.test("a table is read anew when its file changes, and the old one serves meanwhile", async (t) => {
  const path = join(t.testdir(), "t.csv");
  const changing = table({ path, as: "t", field: "a", values: { v: "v" } });
  t.match(await changing.load(), /^Cannot read table ".*t\.csv": ENOENT.*: records go without it$/);
  writeFileSync(path, "k,v\na,1\n");
  t.equal(await changing.load(), undefined);
  t.same(changing.find("a"), { v: "1" });
  writeFileSync(path, "k,v\na,2\nb,3\n");
  t.equal(await changing.load(), undefined);
  t.same(changing.find("a"), { v: "2" });
  for (
    const [broken, reason] of [["k,w\na,1\n", /no column "v", but k, w/], ["", /is empty/]] as const
  ) {
    writeFileSync(path, broken);
    touch(path);
    t.match(await changing.load(), reason);
    t.same(changing.find("a"), { v: "2" }, "the last one serves on");
  }
  writeFileSync(path, 'k,v\n"a,1\n');
  t.match(await changing.load(), /the last one serves on/);
  rmSync(path);
  t.match(await changing.load(), /ENOENT.*the last one serves on/);
  writeFileSync(path, "k,v\na,4\n");
  touch(path);
  t.equal(await changing.load(), undefined);
  t.same(changing.find("a"), { v: "4" });
});

t.test("an MMDB table leads from an address to the values of its network", async (t) => {
  const path = join(t.testdir(), "geo.mmdb");
  const city = {
    country: { iso_code: "DE", names: { en: "Germany" } },
    location: { latitude: 52.52, accuracy_radius: 20 },
    subdivisions: [{ iso_code: "BE" }],
    traits: { anycast: true },
  };
  writeMmdb(path, { "192.0.2.0/24": city, "2001:db8::/32": { country: { iso_code: "FR" } } });
  const geo = table({
    path,
    as: "geo",
    field: "sourceIPAddress",
    values: {
      country: "country.iso_code",
      name: "country.names.en",
      latitude: "location.latitude",
      radius: "location.accuracy_radius",
      state: "subdivisions[0].iso_code",
      anycast: "traits.anycast",
      location: "location",
    },
  });
  t.equal(await geo.load(), undefined);
  t.same(geo.find("192.0.2.77"), {
    country: "DE",
    name: "Germany",
    latitude: 52.52,
    radius: 20,
    state: "BE",
    anycast: true,
    location: { latitude: 52.52, accuracy_radius: 20 },
  });
  t.same(geo.find("2001:db8:1::1"), { country: "FR" });
  for (const other of ["198.51.100.1", "2001:db9::1", "web-01", "", "192.0.2.0/24"]) {
    t.equal(geo.find(other), undefined, other);
  }
  writeMmdb(path, { "192.0.2.0/24": { country: { iso_code: "AT" } } });
  touch(path);
  t.equal(await geo.load(), undefined);
  t.same(geo.find("192.0.2.77"), { country: "AT" });
  writeFileSync(path, "no database");
  touch(path);
  t.match(await geo.load(), /^Cannot read table ".*geo\.mmdb": .*: the last one serves on$/);
  t.same(geo.find("192.0.2.77"), { country: "AT" });
});
