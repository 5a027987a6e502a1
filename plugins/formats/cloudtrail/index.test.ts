// Format cloudtrail: which frames hold records, and that their bytes stay as they are.

import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import { RejectedInput } from "../../sdk/index.ts";
import format from "./index.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const A = '{"eventVersion":"1.08","eventID":"a","n":1.50,"big":12345678901234567890,"s":"\\u0041"}';
const B = '{ "eventVersion" : "1.11", "eventID": "b", "requestParameters": {"detail": {"x": 1}} }';

function decode(text: string): string[] {
  const made = format.create({}, testContext());
  const decoded = made.decode(encode(text), { source: "s", offset: 0 });
  if (!("records" in decoded)) return [];
  return decoded.records.map((bytes) => new TextDecoder().decode(bytes));
}

t.test("format cloudtrail keeps the conformance rules", async (t) => {
  const frames = Array.from({ length: 40 }, (_, i) => encode(A.replace('"a"', `"a${i}"`)));
  await conformance(t, format, { minimal: {}, frames });
});

t.test("decode() gives a record's bytes as they are, without the spaces around", async (t) => {
  t.strictSame(decode(A), [A]);
  t.strictSame(decode(`  ${B}\r\n`), [B]);
  t.strictSame(decode("  "), []);
});

t.test("decode() takes log files and lists apart", async (t) => {
  t.strictSame(decode(`{"Records":[${A},${B}]}`), [A, B]);
  t.strictSame(decode(`[${A}]`), [A]);
  t.strictSame(decode(`{"Records":[]}`), []);
});

t.test("decode() takes the record out of an EventBridge event with its bytes", async (t) => {
  const event = `{"detail-type":"AWS API Call via CloudTrail","x":{"detail":{}},"detail":${B} }`;
  t.strictSame(decode(event), [B]);
  t.strictSame(decode(event.replace('"detail":{ ', '"d\\u0065tail":{ ')), [B]);
});

t.test("decode() takes the record out of LookupEvents' answer", async (t) => {
  const item = JSON.stringify({ EventId: "a", CloudTrailEvent: A });
  t.strictSame(decode(item), [A]);
  t.strictSame(decode(`{"Events":[${item}]}`), [A]);
});

t.test("decode() rejects what is no record, and says why", async (t) => {
  const cases: [string, RegExp][] = [
    ["what", /not JSON/],
    ["[1]", /something else/],
    ['"x"', /not a JSON object/],
    [`{"Records":[${A}`, /not JSON/],
    [`${'{"a":'.repeat(200)}1${"}".repeat(200)}`, /deeper than 128 levels/],
  ];
  for (const [text, reason] of cases) {
    t.throws(() => decode(text), { message: reason });
    t.throws(() => decode(text), RejectedInput);
  }
  const made = format.create({}, testContext());
  const invalid = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d);
  t.throws(() => made.decode(invalid, { source: "s", offset: 0 }), { message: /not UTF-8/ });
});
