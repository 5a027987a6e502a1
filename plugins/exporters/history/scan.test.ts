// The walk over a record's bytes finds what parsing it finds, or leaves it to the parser.

import fc from "fast-check";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { CloudTrailRecord } from "../../sdk/index.ts";
import { emptyPrints, fillPrints, type Prints } from "./prints.ts";
import { RecordScanner } from "./scan.ts";

const scanner = new RecordScanner();

function sorted({ names, types, ...rest }: Prints) {
  return { ...rest, names: [...names].sort(), types: [...types].sort() };
}

/** What both find; undefined where the walk leaves it to the parser. */
function both(text: string): [scanned: unknown, parsed: unknown] {
  const [scanned, parsed] = [emptyPrints(), emptyPrints()];
  fillPrints(JSON.parse(text) as CloudTrailRecord, parsed);
  const isScanned = scanner.scan(new TextEncoder().encode(text), scanned);
  return [isScanned ? sorted(scanned) : undefined, sorted(parsed)];
}

const word = fc.constantFrom("Root", "AssumedRole", "a:b/c", "x:y", "", "é", 'q"', "back\\slash");
const odd = fc.oneof(word, fc.jsonValue({ maxDepth: 2 }));
const identity = fc.dictionary(
  fc.constantFrom("type", "userName", "principalId", "arn", "accessKeyId", "other"),
  odd,
);
const resource = fc.dictionary(fc.constantFrom("ARN", "ARNPrefix", "type", "accountId"), odd);
const member = fc.oneof(
  fc.tuple(fc.constantFrom("eventID", "eventName", "eventSource", "errorCode", "\\u0065x"), odd),
  fc.tuple(fc.constantFrom("readOnly"), fc.oneof(fc.boolean(), odd)),
  fc.tuple(fc.constantFrom("userIdentity"), fc.oneof(identity, odd)),
  fc.tuple(fc.constantFrom("resources"), fc.oneof(fc.array(fc.oneof(resource, odd)), odd)),
  fc.tuple(fc.constantFrom("requestParameters", "insightDetails"), fc.jsonValue()),
);

t.test("scan() finds what parsing finds, in any record with members twice and of any kind", (t) => {
  let scannedCount = 0;
  fc.assert(
    fc.property(fc.array(member, { maxLength: 12 }), fc.nat({ max: 2 }), (members, space) => {
      const gap = " ".repeat(space);
      const inside = members.map(([name, value]) =>
        `"${name}"${gap}:${gap}${JSON.stringify(value, null, space)}`
      );
      const [scanned, parsed] = both(`{${gap}${inside.join(`${gap},${gap}`)}${gap}}`);
      if (scanned === undefined) return;
      scannedCount++;
      if (JSON.stringify(scanned) !== JSON.stringify(parsed)) {
        throw new Error(`${JSON.stringify(scanned)} is not ${JSON.stringify(parsed)}`);
      }
    }),
    { numRuns: process.env.CAIRN_SOAK === undefined ? 2000 : 50_000 },
  );
  t.ok(scannedCount > 100, `${scannedCount} were not left to the parser`);
  t.end();
});

t.test("scan() of text that ends early or is no object leaves it to the parser", (t) => {
  const whole = JSON.stringify({ eventName: "A", resources: [{ ARN: "a:b" }], x: { y: [1] } });
  for (let length = 0; length < whole.length; length++) {
    const bytes = new TextEncoder().encode(whole.slice(0, length));
    t.notOk(scanner.scan(bytes, emptyPrints()), whole.slice(0, length));
  }
  t.notOk(scanner.scan(new TextEncoder().encode("[]"), emptyPrints()));
  t.end();
});

/** The records of every sample that is a log file; undefined without samples. */
function sampleRecords(): unknown[] | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  const folder = process.env.CAIRN_SAMPLES ?? join(root, "..", "shared", "samples");
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(join(folder, "cloudtrail"), { recursive: true }) as string[];
  return names.filter((name) => /\.jsonl?$/.test(name)).flatMap((name) => {
    const text = readFileSync(join(folder, "cloudtrail", name), "utf8");
    try {
      const parsed = JSON.parse(text) as { Records?: unknown };
      return Array.isArray(parsed.Records) ? parsed.Records.slice(0, 200) : [];
    } catch {
      // Samples of damage are among them.
      return [];
    }
  });
}

t.test("scan() takes nearly every record of real log files, and finds what parsing finds", (t) => {
  const records = sampleRecords();
  if (records === undefined) {
    t.notOk(process.env.CI, "the samples are missing");
    t.comment("no samples: skipped");
    return t.end();
  }
  let left = 0;
  for (const record of records) {
    const [scanned, parsed] = both(JSON.stringify(record));
    if (scanned === undefined) left++;
    else if (JSON.stringify(scanned) !== JSON.stringify(parsed)) t.same(scanned, parsed);
  }
  t.ok(records.length > 100, `${records.length} records`);
  t.ok(left <= records.length / 10, `${left} of them were left to the parser`);
  t.end();
});
