// Times of the mapping language: formats, zones, years that are not said.

import t from "tap";
import { time } from "./mapping-time.ts";

const received = Date.UTC(2026, 0, 5, 12);

function read(source: object | string, found: string | number, receivedAt?: number): string {
  const how = typeof source === "string" ? { path: "$.t", format: source } : source;
  const at = { source: "file:1", offset: 0, ...(receivedAt && { receivedAt }) };
  const scope = { root: { t: found }, match: {} };
  return new Date(time.parse(how).read(scope, at)).toISOString();
}

t.test("auto reads ISO 8601 and tells the unit of a number by its size", async (t) => {
  const same = "2023-11-14T22:13:20.000Z";
  const numbers = [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, "1700000000000000000"];
  for (const number of [...numbers, "1700000000"]) t.equal(read("auto", number), same);
  t.equal(read("auto", 1_700_000_000.123), "2023-11-14T22:13:20.123Z");
  t.equal(read("auto", "2023-11-14T22:13:20Z"), same);
});

t.test("iso8601 reads zones, fractions, commas, blanks and dates alone", async (t) => {
  t.equal(read("iso8601", "2026-01-02T03:04:05.678901+02:00"), "2026-01-02T01:04:05.678Z");
  t.equal(read("iso8601", "2026-01-02 03:04:05,6 -0330"), "2026-01-02T06:34:05.600Z");
  t.equal(read("iso8601", "2026-01-02 03:04"), "2026-01-02T03:04:00.000Z");
  t.equal(read("iso8601", "2026-01-02"), "2026-01-02T00:00:00.000Z");
});

t.test("epoch formats keep milliseconds of any unit", async (t) => {
  t.equal(read("epoch_s", "1700000000.0015"), "2023-11-14T22:13:20.001Z");
  t.equal(read("epoch_ms", 1_700_000_000_001), "2023-11-14T22:13:20.001Z");
  t.equal(read("epoch_us", 1_700_000_000_001_999), "2023-11-14T22:13:20.001Z");
  t.equal(read("epoch_ns", "1700000000001999999"), "2023-11-14T22:13:20.001Z");
});

t.test("clf and letters read what they describe", async (t) => {
  t.equal(read("clf", "17/May/2015:08:05:32 -0100"), "2015-05-17T09:05:32.000Z");
  t.equal(read("%Y/%m/%d %I:%M:%S.%f %p", "2026/1/2 12:03:04.25 am"), "2026-01-02T00:03:04.250Z");
  t.equal(
    read("%A %d. %B %y, %H:%M %Z", "Friday 2. January 26, 15:04 CET"),
    "2026-01-02T15:04:00.000Z",
  );
});

t.test("a time without a year is the latest that is not in the receiver's future", async (t) => {
  t.equal(read("rfc3164", "Jan  4 23:59:59", received), "2026-01-04T23:59:59.000Z");
  t.equal(read("rfc3164", "Dec 31 23:59:59", received), "2025-12-31T23:59:59.000Z");
  t.equal(read("rfc3164", "Jan  6 11:59:59", received), "2026-01-06T11:59:59.000Z", "a day ahead");
  t.equal(read("rfc3164", "Feb 29 10:00:00", received), "2024-02-29T10:00:00.000Z");
});

t.test("a year in the options counts instead, and one of both is needed", async (t) => {
  const how = { path: "$.t", format: "rfc3164", year: 2019 };
  t.equal(read(how, "Dec 31 23:59:59", received), "2019-12-31T23:59:59.000Z");
  t.throws(() => read("rfc3164", "Dec 31 23:59:59"), { message: /^Has no year/ });
});

t.test("timezone says where clocks without a zone stand", async (t) => {
  const zone = (timezone: string, text: string) => read({ path: "$.t", timezone }, text);
  t.equal(zone("+05:30", "2026-01-02T05:30:00"), "2026-01-02T00:00:00.000Z");
  t.equal(zone("Europe/Berlin", "2026-01-02T01:00:00"), "2026-01-02T00:00:00.000Z");
  t.equal(zone("Europe/Berlin", "2026-07-02T02:00:00"), "2026-07-02T00:00:00.000Z");
  t.equal(zone("Europe/Berlin", "2026-01-02T01:00:00Z"), "2026-01-02T01:00:00.000Z");
});

t.test("an hour that clocks run through twice is its first run", async (t) => {
  const how = { path: "$.t", timezone: "Europe/Berlin" };
  t.equal(read(how, "2026-10-25T01:30:00"), "2026-10-24T23:30:00.000Z");
  t.equal(read(how, "2026-10-25T02:30:00"), "2026-10-25T00:30:00.000Z");
  t.equal(read(how, "2026-10-25T03:30:00"), "2026-10-25T02:30:00.000Z");
  t.equal(read(how, "2026-03-29T03:30:00"), "2026-03-29T01:30:00.000Z");
});

t.test("time: received needs no member of the frame", async (t) => {
  const scope = { root: {}, match: {} };
  const at = { source: "s", offset: 0, receivedAt: received };
  t.equal(time.parse("received").read(scope, at), received);
});

t.test("texts that are no time are rejected, never guessed", async (t) => {
  const cases: [string, string | number][] = [
    ["auto", "yesterday"],
    ["auto", 12],
    ["iso8601", "2026-02-30"],
    ["iso8601", "2026-13-01T00:00:00Z"],
    ["iso8601", "Mar 3 2026"],
    ["epoch_s", "-5"],
    ["epoch_s", "99999999999999"],
    ["clf", "32/May/2015:08:05:32 +0000"],
    ["rfc3164", "Foo  4 23:59:59"],
    ["%Y-%m-%d %H:%M", "2026-01-01 24:00"],
  ];
  for (const [format, found] of cases) {
    t.throws(() => read(format, found, received), {
      name: "RejectedInput",
      message: /^Cannot read/,
    });
  }
});
