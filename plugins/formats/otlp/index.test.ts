// Format otlp: the Collector's files of OTLP's JSON, line by line.

import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { AuditEvent, Format, JsonObject } from "../../sdk/index.ts";
import otlp from "./index.ts";

const CLOUDTRAIL = '{"eventVersion":"1.08","eventSource":"s3","eventName":"GetObject","n":1.50}';
const message = (text: string): JsonObject => ({
  timeUnixNano: "1700000000000000000",
  body: { stringValue: text },
});

function line(...logRecords: readonly JsonObject[]): Buffer {
  return Buffer.from(JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
}

function make(config: unknown = {}): Format {
  return otlp.create(otlp.config.parse(config), testContext());
}

const at = (offset: number) => ({ source: "file:1", offset });

await conformance(t, otlp, {
  minimal: {},
  frames: Array.from({ length: 60 }, (_, i) => line(message(`a${i}`), message(`b${i}`))),
});

t.test("decode() makes an event of each record of a line, by its place", async (t) => {
  const decoded = make().decode(line(message("a"), message("b")), at(7));
  t.match(decoded, {
    events: [{ id: "file:1:7", additional: { body: "a" } }, { id: "file:1:7:1" }],
  });
});

t.test("a line with events and CloudTrail records gives both, one after the other", async (t) => {
  const format = make();
  const mixed = line(message("a"), message(CLOUDTRAIL));
  const kinds: string[] = [];
  const texts: string[] = [];
  const take = (decoded: ReturnType<Format["decode"]>) => {
    if ("events" in decoded) kinds.push(`${decoded.events.length} events`);
    else {
      kinds.push(`${decoded.records.length} records`);
      texts.push(...decoded.records.map((bytes) => Buffer.from(bytes).toString()));
    }
  };
  for (let offset = 0; offset < 3; offset++) take(format.decode(mixed, at(offset)));
  t.same(format.oldestPending(), at(2), "only the last line waits");
  take(format.flush(Infinity));
  t.same(kinds, ["1 events", "2 records", "2 events", "1 records"]);
  t.same(texts, [CLOUDTRAIL, CLOUDTRAIL, CLOUDTRAIL], "as they came");
  t.equal(format.oldestPending(), undefined);
});

t.test("lines of traces and metrics are left out, counted", async (t) => {
  const context = testContext();
  const format = otlp.create({ only_events: true }, context);
  for (const name of ["resourceSpans", "resourceMetrics"]) {
    t.same(format.decode(Buffer.from(`{"${name}":[]}`), at(0)), { events: [] });
  }
  t.same(format.decode(line(message("a")), at(1)), { events: [] });
  t.same(context.ignoredCounts, {
    "no logs: traces, metrics or profiles": 2,
    "no event: log record without event name": 1,
  });
});

t.test("a line with a record that cannot be taken is rejected as a whole", async (t) => {
  let deep: JsonObject = { stringValue: "x" };
  for (let i = 0; i < 40; i++) deep = { arrayValue: { values: [deep] } };
  const format = make();
  const bad = line(message("a"), { ...message("b"), body: deep });
  t.throws(() => format.decode(bad, at(0)), {
    name: "RejectedInput",
    message: "Log record 1: Nests deeper than 32 levels",
  });
  t.throws(() => format.decode(line({ body: { stringValue: "x" } }), at(0)), {
    message: /no time/,
  });
});

t.test("the Collector's file of lnav's tests is read without loss", async (t) => {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  const samples = process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
  const path = join(samples, "otlp/lnav/logfile_otel_collector.jsonl");
  if (!existsSync(path)) {
    if (process.env.CI) t.fail("the sample is missing");
    else t.pass("the sample is not on this machine", { skip: true });
    return;
  }
  const format = make();
  const events: AuditEvent[] = [];
  for (const [offset, text] of readFileSync(path, "utf8").trimEnd().split("\n").entries()) {
    const decoded = format.decode(Buffer.from(text), at(offset));
    if ("events" in decoded) events.push(...decoded.events);
  }
  t.equal(events.length, 11);
  t.equal(new Set(events.map(({ id }) => id)).size, 11);
  t.match(events[3], {
    service: "order-service",
    host: "prod-02",
    outcome: { success: false, code: "Error", message: /database connection timeout/ },
    additional: { traceId: "6c9bb6b3e3d983f9432d048419e7ae03" },
  });
  t.match(events[7], { outcome: { success: false, code: "FatalError" } });
});
