// Splitting files into records, whole and broken, in blocks of any size.

import t from "tap";
import { compactJson } from "./json-text.ts";
import { RecordSplitter, splitRecords } from "./record-splitter.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Splits a text in blocks of `size` bytes; answers record texts, then `!reason@offset:text`. */
function split(text: string | Uint8Array, size = Infinity, limits = {}): string[] {
  const bytes = typeof text === "string" ? encode(text) : text;
  const splitter = new RecordSplitter(limits);
  const out: string[] = [];
  const take = (spans: ReturnType<typeof splitRecords>) => {
    for (const { bytes, offset, problem } of spans) {
      out.push(problem === undefined ? decode(bytes) : `!${problem}@${offset}:${decode(bytes)}`);
    }
  };
  for (let at = 0; at < bytes.length; at += size) {
    take([...splitter.push(bytes.slice(at, at + size))]);
  }
  take([...splitter.end()]);
  return out;
}

const A = `{"eventName":"A","n":1.50,"s":"} ] \\" \\\\","deep":{"l":[{},[{"x":"["}]]}}`;
const B = `{ "eventName" : "B" }`;

const FORMS: Record<string, string> = {
  "a log file": `{"Records":[${A},${B}]}`,
  "a log file with other keys around, and spaces":
    `\n{ "a": {"Records": [1]}, "b": "Records", "c":["x"], ` +
    `"Records" : [ ${A} ,\n ${B} ] , "d": [{}] }\n`,
  "an answer of LookupEvents": `{"NextToken":"x","Events":[${A},${B}]}`,
  "a list": `[${A},\r\n${B}]`,
  "a list of lists": `[[${A}],[],[[${B}]]]`,
  "records on lines": `${A}\n${B}\n`,
  "records on lines without a last line end, after a mark": `\ufeff${A}\r\n\r\n${B}`,
  "log files on lines": `{"Records":[${A}]}\n{"Records":[]}\n{"Records":[${B}]}`,
};

for (const [form, text] of Object.entries(FORMS)) {
  t.test(`RecordSplitter gives the records of ${form}, in blocks of any size`, async (t) => {
    for (const size of [Infinity, 1, 2, 3, 7, 16, 40]) t.strictSame(split(text, size), [A, B]);
  });
}

t.test("RecordSplitter takes an object without a list of records for one record", async (t) => {
  const text = `{\n  "eventName": "Records",\n  "list":\n[\n{}]\n}`;
  for (const size of [Infinity, 1, 5]) t.strictSame(split(text, size), [text]);
  t.strictSame(split(`{"Records":{"a":[1]}}`), [`{"Records":{"a":[1]}}`]);
});

t.test("RecordSplitter gives nothing for empty files, lists and log files", async (t) => {
  for (const text of ["", " \n", "[]", `{"Records":[]}`, `{"Records": [ ] }`]) {
    t.strictSame(split(text), [], text);
  }
});

t.test("RecordSplitter gives every whole record of a cut log file, and the rest", async (t) => {
  const text = `{"Records":[${A},${B}]}`;
  for (let end = 1; end < encode(text).length; end++) {
    for (const size of [Infinity, 3]) {
      const spans = split(encode(text).slice(0, end), size);
      const whole = end >= 12 + A.length + 1 + B.length ? 2 : end >= 12 + A.length ? 1 : 0;
      t.strictSame(spans.slice(0, -1), [A, B].slice(0, whole));
      t.match(spans.at(-1), /^!Text ends inside a /);
    }
  }
  t.equal(split(`[{"a":1},{"b`)[1], `!Text ends inside a record@9:{"b`);
});

t.test("RecordSplitter marks what was cut, since more of it may come", async (t) => {
  t.equal(splitRecords(encode(`[{"a"`))[0]?.cut, true);
  t.equal(splitRecords(encode(`what`))[0]?.cut, undefined);
});

t.test("RecordSplitter sets broken lines aside and reads the next", async (t) => {
  const cut = `{"eventName":"C","userAgent":"half`;
  const open = `{"eventName":"C","list":[1,2`;
  for (const size of [Infinity, 1, 9]) {
    const broken = `Record breaks off at the end of its line`;
    t.strictSame(split(`${A}\n${cut}\n${B}\n`, size), [
      A,
      `!${broken}@${A.length + 1}:${cut}\n`,
      B,
    ]);
    t.strictSame(split(`${open}\n${B}\n`, size), [`!${broken}@0:${open}\n`, B]);
    t.strictSame(split(`what is\nthis\n${B}`, size), [`!Text is not JSON@0:what is\nthis\n`, B]);
  }
});

t.test("RecordSplitter skips a record that is too long or too deep, and goes on", async (t) => {
  const long = `{"eventName":"${"x".repeat(5000)}"}`;
  const deep = `{"a":${"[".repeat(40)}${"]".repeat(40)}}`;
  const limits = { recordBytesMax: 2000, depthMax: 30 };
  for (const size of [Infinity, 1, 100, 3000]) {
    const spans = split(`{"Records":[${A},${long},${deep},${B}]}`, size, limits);
    t.equal(spans.length, 4);
    t.equal(spans[0], A);
    t.match(spans[1], /^!Record is longer than 2000 bytes@85:\{"eventName":"xxx/);
    t.match(spans[2], /^!Record nests deeper than 30 levels@/);
    t.equal(spans[3], B);
    t.match(split(`${long}\n${B}`, size, limits), [/^!Record is longer/, B]);
  }
});

t.test("RecordSplitter finds the list after other keys longer than a record", async (t) => {
  const text = `{"first":"${"x".repeat(9000)}","Records":[${A}],"last":"${
    "x".repeat(9000)
  }"}\n${B}`;
  for (const size of [Infinity, 1000, 64]) {
    t.strictSame(split(text, size, { recordBytesMax: 2000 }), [A, B]);
  }
});

t.test("RecordSplitter stops at the longest text, and at what is no list of records", async (t) => {
  const spans = split(`[${A},${B}]`, 76, { bytesMax: 80 });
  t.strictSame(spans[0], A);
  t.match(spans[1], /^!Text is longer than 80 bytes@/);
  t.strictSame(split(`[${A},7,${B}]`), [
    A,
    `!List of records holds something else@${A.length + 2}:7,${B}]`,
  ]);
});

t.test("RecordSplitter gives up on binary with few problems and a bounded excerpt", async (t) => {
  const noise = new Uint8Array(2_000_000);
  for (let i = 0, x = 1; i < noise.length; i++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    noise[i] = i % 50 === 0 ? 10 : i % 50 === 1 ? 0x7b : x >> 16;
  }
  for (const size of [noise.length, 65536]) {
    const splitter = new RecordSplitter();
    let problems = 0;
    let longest = 0;
    for (let at = 0; at < noise.length; at += size) {
      for (const span of splitter.push(noise.subarray(at, at + size))) {
        problems += span.problem === undefined ? 0 : 1;
      }
    }
    for (const span of splitter.end()) longest = span.bytes.length;
    t.ok(problems < 1000, `${problems} problems`);
    t.equal(longest, 256 * 1024);
  }
});

t.test("compactJson takes spaces out between parts, and nothing out of strings", async (t) => {
  const text = `{\r\n\t"a b" : " x\\" \\\\" ,\n "n": [ 1.50 , -0, 1e+09 ] }`;
  t.equal(decode(compactJson(encode(text))), `{"a b":" x\\" \\\\","n":[1.50,-0,1e+09]}`);
});

t.test("compactJson gives a text without line breaks back, not a copy", async (t) => {
  const bytes = encode(B);
  t.equal(compactJson(bytes), bytes);
});

t.test("compactJson survives a text that ends in a backslash", async (t) => {
  t.equal(decode(compactJson(encode(`{"\n\\`))), `{"\n\\`);
});
