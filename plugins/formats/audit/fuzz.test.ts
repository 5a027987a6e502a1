// Properties: any bytes, any damage, any order of lines, any place of a restart.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { Buffer } from "node:buffer";
import type { AuditEvent } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import type { Json } from "../../sdk/json.ts";
import { eventsOf, linesOf, newFormat, readLines } from "./read-log.ts";

const LOG = linesOf(readFileSync(new URL("./testdata/raw.log", import.meta.url)));
const RUNS = { numRuns: process.env.CAIRN_SOAK ? 5000 : 50 };

function serial(line: string): string {
  return /audit\(([^)]*)\)/.exec(line)![1]!;
}

/** Events by id, as text: their order is not part of what is promised. */
function byId(events: readonly AuditEvent[]): string[] {
  return events.map((event) => JSON.stringify(event)).sort();
}

const EXPECTED = byId(readLines(LOG).events);
// Without sessions, in which one event tells something about later ones.
const APART = LOG.map((line) => line.replace(/ ses=\d+/, " ses=4294967295"));
const EXPECTED_APART = byId(readLines(APART).events);

t.test("format audit throws nothing but RejectedInput, whatever the bytes", async (t) => {
  const bytes = fc.uint8Array({ maxLength: 400 });
  const pieces = fc.constantFrom(
    "type=SYSCALL msg=audit(1.000:1): ",
    "type=EXECVE msg=audit(1.000:1): ",
    "type=USER_LOGIN msg=audit(1.000:2): ",
    "node=n type=AVC msg=audit(1.000:3): avc: denied { x } for ",
    "arch=c000003e syscall=59 ",
    "a0=",
    "a99999[3]=",
    "msg='",
    "'",
    '"',
    "\x1d",
    "__proto__=",
    "op=",
    "{",
    "saddr=",
    "acct=",
    "name=FF",
    "exit=-13 success=no ",
    "\xed\xa0\x80",
    " ",
  );
  const text = fc.array(fc.oneof(pieces, fc.string({ maxLength: 8, unit: "binary" })))
    .map((parts) => new TextEncoder().encode(parts.join("")));
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, text), { maxLength: 6 }), (frames) => {
      const { events } = readLines(frames.map((frame) => Buffer.from(frame).toString("latin1")));
      for (const event of events) JSON.parse(JSON.stringify(event));
    }),
    { numRuns: RUNS.numRuns * 20 },
  );
  t.pass();
});

t.test("format audit takes a real log with flipped, cut and repeated bytes", async (t) => {
  const change = fc.record({ line: fc.nat(LOG.length - 1), at: fc.nat(400), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.nat(2), (changes, kind) => {
      const lines = [...LOG];
      for (const { line, at, byte } of changes) {
        const text = lines[line]!;
        if (kind === 0) {
          lines[line] = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
        } else if (kind === 1) lines[line] = text.slice(0, at);
        else lines[line] = text.slice(0, at) + text.slice(at >> 1);
      }
      const { events, rejected } = readLines(lines);
      if (events.length + rejected.length < EXPECTED.length / 2) {
        throw new Error("Lines went missing");
      }
    }),
    RUNS,
  );
  t.pass();
});

t.test("format audit makes the same events of any interleaving of their lines", async (t) => {
  // Lines of events within half a second of each other, shuffled among each other.
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 400, maxLength: 400 }),
      (noise) => {
        const at = new Map<string, number>();
        const keyed = APART.map((line, index) => {
          const key = serial(line);
          const own = Number(key.slice(0, key.indexOf(":"))) + noise[index % 400]! / 2;
          // Not before the line of its event that comes before it.
          const time = Math.max(own, (at.get(key) ?? 0) + 1e-6);
          at.set(key, time);
          return { line, time };
        });
        keyed.sort((a, b) => a.time - b.time);
        const { events, rejected } = readLines(keyed.map(({ line }) => line));
        if (rejected.length > 0) throw new Error(rejected[0]!.reason);
        if (JSON.stringify(byId(events)) !== JSON.stringify(EXPECTED_APART)) {
          throw new Error("Events differ");
        }
      },
    ),
    RUNS,
  );
  t.pass();
});

t.test("format audit loses no record in any order: taken, or rejected as late", async (t) => {
  const block = LOG.slice(60, 140);
  const ids = new Set(readLines(block).events.map((event) => event.id));
  fc.assert(
    fc.property(fc.shuffledSubarray(block, { minLength: block.length }), (lines) => {
      const { events, rejected } = readLines(lines, { wait: "1h" });
      if (new Set(events.map((event) => event.id)).size !== ids.size) {
        throw new Error("Events differ");
      }
      for (const { reason } of rejected) {
        if (!reason.startsWith("Late record")) throw new Error(reason);
      }
    }),
    RUNS,
  );
  t.pass();
});

t.test("format audit restarted from oldestPending makes the same set of events", async (t) => {
  const starts: number[] = [];
  let offset = 0;
  for (const line of LOG) {
    starts.push(offset);
    offset += line.length + 1;
  }
  fc.assert(
    fc.property(fc.nat(LOG.length), (stop) => {
      const seen = new Map<string, string>();
      const learned: Record<string, Json | undefined> = {};
      const run = (from: number, to: number): FramePosition | undefined => {
        const format = newFormat();
        format.recall?.({ ...learned });
        const take = (events: readonly AuditEvent[]) => {
          // As the agent does: the first event with an id stays.
          for (const e of events) if (!seen.has(e.id)) seen.set(e.id, JSON.stringify(e));
        };
        for (let n = from; n < to; n++) {
          const frame = Buffer.from(LOG[n]!, "latin1");
          take(eventsOf(format.decode(frame, { source: "log", offset: starts[n]! })));
        }
        const pending = format.oldestPending();
        Object.assign(learned, format.learned?.());
        if (to === LOG.length) take(eventsOf(format.flush(Infinity)));
        return pending;
      };
      const pending = run(0, stop);
      run(pending === undefined ? stop : starts.indexOf(pending.offset), LOG.length);
      if (JSON.stringify([...seen.values()].sort()) !== JSON.stringify(EXPECTED)) {
        throw new Error(`Events differ after a stop before line ${stop + 1}`);
      }
    }),
    RUNS,
  );
  t.pass();
});

t.test("format audit reads a line of a megabyte of fields in linear time", async (t) => {
  const line = `type=USER msg=audit(1.000:1): ${"k=v ".repeat(250_000)}`;
  const { events } = readLines([line], { max_line_bytes: "2MiB" });
  t.equal(Object.keys(events[0]!.additional!).length, 250_001);
});
