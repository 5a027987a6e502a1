// Readers of the two formats that journalctl writes: the same entries from both, in any cut of the
// bytes, with bytes that are no text, fields without bounds, and damage.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import { seededRandom } from "../../sdk/conformance.ts";
import { auditLineOf } from "./describe.ts";
import { ADDRESS_FIELDS, FIELDS, identityOf, type JournalFields, textOf } from "./entry.ts";
import { ExportReader } from "./parse-export.ts";
import { type EntryReader, JsonReader } from "./parse-json.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const json = readFileSync(join(HERE, "testdata", "entries.jsonl"));
const exported = readFileSync(join(HERE, "testdata", "export.bin"));
const LIMIT = 262_144;

interface Read {
  readonly entries: Record<string, string | undefined>[];
  readonly rejects: { readonly offset: number; readonly reason: string; readonly raw: string }[];
  readonly ends: number[];
}

/** The fields that count, as text. */
function plain(fields: JournalFields): Record<string, string | undefined> {
  const names = [...ADDRESS_FIELDS, ...FIELDS].filter((name) => fields[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, textOf(fields, name)]));
}

function read(reader: EntryReader, bytes: Uint8Array, cut = 65_536): Read {
  const found: Read = { entries: [], rejects: [], ends: [] };
  const taker = {
    entry: (fields: JournalFields, end: number) => {
      found.entries.push(plain(fields));
      found.ends.push(end);
    },
    reject: (raw: Uint8Array, offset: number, reason: string) => {
      found.rejects.push({ offset, reason, raw: Buffer.from(raw).toString("latin1") });
    },
  };
  for (let at = 0; at < bytes.length; at += cut) {
    reader.push(Buffer.from(bytes.subarray(at, at + cut)), taker);
  }
  reader.finish(taker);
  return found;
}

t.test("JsonReader and ExportReader find the same entries, however the bytes are cut", async (t) => {
  const whole = read(new JsonReader(LIMIT), json);
  t.equal(whole.entries.length, json.toString().trimEnd().split("\n").length);
  t.strictSame(whole.rejects, []);
  const binary = whole.entries.find((entry) => entry.SYSLOG_IDENTIFIER === "binary");
  t.equal(binary?.MESSAGE, "caf\\xe9 \\xff\x01\nbin");
  for (const cut of [7, 100, 4096, 1_000_000]) {
    t.strictSame(read(new JsonReader(LIMIT), json, cut), whole, `JSON, ${cut} bytes at a time`);
    const { entries, rejects } = read(new ExportReader(LIMIT), exported, cut);
    t.strictSame({ entries, rejects }, { entries: whole.entries, rejects: [] }, `export, ${cut}`);
  }
});

t.test("both readers go on from where an entry ended", async (t) => {
  for (
    const [bytes, make] of [
      [json, (offset: number) => new JsonReader(LIMIT, offset)],
      [exported, (offset: number) => new ExportReader(LIMIT, offset)],
    ] as const
  ) {
    const whole = read(make(0), bytes);
    for (const index of [0, 17, 100, whole.ends.length - 1]) {
      const offset = whole.ends[index]!;
      const rest = read(make(offset), bytes.subarray(offset));
      t.strictSame(rest.entries, whole.entries.slice(index + 1), `behind entry ${index}`);
    }
  }
});

t.test("JsonReader reads a JSON list, an entry a line", async (t) => {
  const list = `[\n{"__CURSOR":"a"},\n{ "__CURSOR" : "b" }\n]\n`;
  const { entries, rejects } = read(new JsonReader(LIMIT), Buffer.from(list));
  t.strictSame({ entries, rejects }, {
    entries: [{ __CURSOR: "a" }, { __CURSOR: "b" }],
    rejects: [],
  });
});

t.test("JsonReader waits for the rest of a line", async (t) => {
  const reader = new JsonReader(LIMIT);
  t.strictSame(read(reader, Buffer.from('{"__CURSOR":"a"}\n{"__CUR')).entries.length, 1);
  t.equal(reader.done, 17);
  t.strictSame(read(reader, Buffer.from('SOR":"b"}\n')).entries, [{ __CURSOR: "b" }]);
});

t.test("textOf() reads bytes, repeated fields, and fields that were too long", async (t) => {
  const fields: JournalFields = JSON.parse(
    '{"a":"x","b":[104,105],"c":["one","two"],"d":[[195,164],"x"],"e":null,"f":[255],"g":[]}',
  );
  t.strictSame("abcdefg".split("").map((name) => textOf(fields, name)), [
    "x",
    "hi",
    "one",
    "ä",
    undefined,
    "\\xff",
    undefined,
  ]);
});

t.test("identityOf() is what a copy of an entry keeps of its cursor", async (t) => {
  t.equal(identityOf("s=1;i=2;b=3;m=4;t=5;x=6"), "b=3;m=4;t=5;x=6");
  for (const text of ["", "b=3", "s=1;i=2;b=3", `s=1;b=${"3".repeat(600)};x=1`]) {
    t.equal(identityOf(text), undefined, text.slice(0, 20));
  }
});

function binaryField(name: string, value: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeUInt32LE(value.length);
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from("\n")]);
}

t.test("ExportReader steps over fields that no event is made of, and keeps none too long", async (t) => {
  const bytes = Buffer.concat([
    Buffer.from("__CURSOR=a\n"),
    binaryField("COREDUMP", Buffer.alloc(3_000_000, "\n\n__CURSOR=forged\n\n")),
    binaryField("MESSAGE", Buffer.alloc(2000, "x")),
    Buffer.from(`_EXE=${"y".repeat(2000)}\n_PID=7\n\n__CURSOR=b\n\n`),
  ]);
  for (const cut of [1000, 65_536, 10_000_000]) {
    const { entries, rejects } = read(new ExportReader(1024), bytes, cut);
    t.strictSame(rejects, []);
    t.strictSame(
      entries,
      [
        { __CURSOR: "a", MESSAGE: undefined, _EXE: undefined, _PID: "7" },
        { __CURSOR: "b" },
      ].map((entry) =>
        entry.__CURSOR === "a" && cut > 2000 ? { ...entry, _EXE: "y".repeat(2000) } : entry
      ),
    );
  }
});

t.test("ExportReader sets a damaged entry aside, and reads the next", async (t) => {
  const damaged = [
    "no field\nMESSAGE=x\n",
    "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx\n",
    "MESSAGE\n\x02\0\0\0\0\0\0\0abc\n",
    "=x\n",
  ];
  for (const text of damaged) {
    const bytes = Buffer.from(`__CURSOR=a\n\n${text}\n__CURSOR=b\n\n`, "latin1");
    const { entries, rejects } = read(new ExportReader(LIMIT), bytes);
    t.strictSame(entries.map((entry) => entry.__CURSOR), ["a", "b"], JSON.stringify(text));
    t.equal(rejects.length, 1);
    t.equal(rejects[0]?.offset, 12);
    t.ok(rejects[0]?.raw.startsWith(text.slice(0, 5)), "with its bytes");
  }
});

t.test("no damage to real bytes makes a reader throw, or lose the entries before it", async (t) => {
  const random = seededRandom(42);
  for (let round = 0; round < 60; round++) {
    for (const [name, bytes] of [["json", json], ["export", exported]] as const) {
      const at = Math.floor(random() * bytes.length);
      const length = Math.floor(random() * 40);
      const noise = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
      const skipped = random() < 0.5 ? length : 0;
      const mutated = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at + skipped)]);
      const make = () => name === "json" ? new JsonReader(LIMIT) : new ExportReader(LIMIT);
      const before = read(make(), bytes).ends.filter((end) => end <= at).length;
      const found = read(make(), mutated, 1 + Math.floor(random() * 70_000));
      if (found.entries.length < before) t.fail(`${name}: ${at}, ${noise.toString("hex")}`);
    }
  }
});

t.test("auditLineOf() writes an audit record as the audit log has it", async (t) => {
  const fields = {
    _TRANSPORT: "audit",
    _AUDIT_TYPE_NAME: "AUDIT1334",
    _AUDIT_ID: "99",
    _SOURCE_REALTIME_TIMESTAMP: "1700000000004000",
    _HOSTNAME: "db-01",
    MESSAGE: "AUDIT1334 prog-id=7 op=LOAD",
  };
  const line = "type=UNKNOWN[1334] msg=audit(1700000000.004:99): prog-id=7 op=LOAD";
  t.equal(auditLineOf(fields, undefined), line);
  t.equal(auditLineOf(fields, "db-01"), line);
  t.equal(auditLineOf(fields, "web-01"), `node=db-01 ${line}`);
  t.equal(auditLineOf({ ...fields, _TRANSPORT: "syslog" }, undefined), undefined);
  t.equal(auditLineOf({ ...fields, _AUDIT_ID: null }, undefined), undefined);
});

// Other people's journals, read where they are; see their README for what they are.
function samplesFolder(): string | undefined {
  let root = HERE;
  while (!existsSync(join(root, "package.json")) || /\bdist\b/.test(root)) root = dirname(root);
  const folder = join(process.env.CAIRN_SAMPLES ?? resolve(root, "../shared/samples"), "journald");
  if (existsSync(folder)) return folder;
  if (process.env.CI) throw new Error(`Cannot find the samples: no folder "${folder}"`);
  return undefined;
}

const samples = samplesFolder();
const skip = samples === undefined ? "no samples here; set CAIRN_SAMPLES" : false;

t.test("both readers find the same entries in a published journal", { skip }, async (t) => {
  const file = (name: string) => readFileSync(join(samples!, "systemd-journal-gem", name));
  const lines = read(new JsonReader(LIMIT), file("test.jsonl"));
  const list = read(new JsonReader(LIMIT), file("test.json"));
  const exports = read(new ExportReader(LIMIT), file("test.export"));
  t.equal(lines.entries.length, 461);
  t.strictSame(exports.entries, lines.entries);
  const cursors = ({ entries }: Read) => entries.map((entry) => entry.__CURSOR);
  t.strictSame(
    cursors(list),
    cursors(lines),
    "the list has the same, as journalctl of 2013 wrote it",
  );
  t.strictSame([...lines.rejects, ...list.rejects, ...exports.rejects], []);
  const short = read(
    new JsonReader(LIMIT),
    readFileSync(join(samples!, "lnav", "logfile_journald.json")),
  );
  t.equal(short.entries.length, 2);
});
