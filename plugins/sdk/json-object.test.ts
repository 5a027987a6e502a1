// Frames of JSON text: what survives, and what is rejected.

import fc from "fast-check";
import t from "tap";
import { type ParsedObject, parseObject } from "./json-object.ts";

const limits = { bytesMax: 1024, depthMax: 4 };

function parse(text: string): ParsedObject | undefined {
  return parseObject(new TextEncoder().encode(text), limits);
}

t.test("parseObject() reads an object, with or without a byte order mark", async (t) => {
  t.same(parse('{"a":[1,{"b":"ü"}]}'), { root: { a: [1, { b: "ü" }] } });
  t.same(parse('\ufeff{"a":1}'), { root: { a: 1 } });
});

t.test("parseObject() answers nothing for a blank frame", async (t) => {
  t.equal(parse(""), undefined);
  t.equal(parse(" \r"), undefined);
});

t.test("parseObject() keeps every digit of numbers that a double would round", async (t) => {
  const numbers =
    '{"big":12345678901234567890,"huge":1e400,"tiny":1e-400,"pi":3.14159265358979312}';
  t.same(parse(numbers)?.root, {
    big: "12345678901234567890",
    huge: "1e400",
    tiny: "1e-400",
    pi: "3.14159265358979312",
  });
});

t.test("parseObject() keeps them in lists, behind other letters, and next to what is rounded", async (t) => {
  t.same(parse('{"ü€😀":[-12345678901234567890 ,1,1.5,-1e999\n],"n":12345678901234567890}')?.root, {
    "ü€😀": ["-12345678901234567890", 1, 1.5, "-1e999"],
    n: "12345678901234567890",
  });
});

t.test("parseObject() makes no JSON of what is none, such as a long number for a name", async (t) => {
  const long = "12345678901234567890";
  const cases = [
    `{${long}:1}`,
    `{${long} \t\n: 1}`,
    `{"a":1,-${long}:1}`,
    `{"a":0${long}}`,
    `{"a":${long}.}`,
    `{"a":${long}e}`,
    `{"a":${long}-1}`,
    `{"a":1-${long}}`,
    `{"a":.${long}}`,
    `{"a":- ${long}}`,
    `{"a":+${long}}`,
    `{"a":"b"${long}}`,
    `{"a":${long}"b"}`,
    `{"a":${long}b}`,
    `{"a":1e5e5}`,
    `{"a":1 ${long}}`,
  ];
  for (const text of cases) t.throws(() => parse(text), { message: "Is not JSON" }, text);
});

t.test("parseObject() leaves numbers alone that survive, and digits inside strings", async (t) => {
  const text = '{"max":9007199254740991,"e":1.5e3,"s":"12345678901234567890 \\" 1e999","z":0e5}';
  t.same(parse(text)?.root, {
    max: 9007199254740991,
    e: 1500,
    s: '12345678901234567890 " 1e999',
    z: 0,
  });
});

t.test("parseObject() hands out the text of an object that names a member twice", async (t) => {
  const text = '{"user":"alice","a":{"b":1,"b":2},"user":"mallory"}';
  t.same(parse(text), { root: { user: "mallory", a: { b: 2 } }, ambiguous: text });
  t.equal(parse('{"a":{"b":1},"c":{"b":"x:y"}}')?.ambiguous, undefined);
});

t.test("parseObject() keeps members called __proto__ and constructor as members", async (t) => {
  const root = parse('{"__proto__":{"admin":true},"constructor":1}')?.root ?? {};
  t.equal(Object.getPrototypeOf(root), Object.prototype);
  t.same(Object.keys(root), ["__proto__", "constructor"]);
  t.equal(({} as { admin?: boolean }).admin, undefined);
});

t.test("parseObject() rejects what it cannot read, and says why", async (t) => {
  const cases: [string | Uint8Array, string][] = [
    ["[1]", "Is JSON, but no object"],
    ["null", "Is JSON, but no object"],
    ['{"a":', "Is not JSON"],
    ['{"password":hunter2}', "Is not JSON"],
    ['{"a":[[[[1]]]]}', "Is nested 5 deep: the limit is 4"],
    [`{"a":"${"x".repeat(1024)}"}`, "Is 1032 bytes long: the limit is 1024"],
    [Uint8Array.of(0x7b, 0x22, 0xe4, 0x22, 0x3a, 0x31, 0x7d), "Is not UTF-8"],
  ];
  for (const [frame, message] of cases) {
    const bytes = typeof frame === "string" ? new TextEncoder().encode(frame) : frame;
    t.throws(() => parseObject(bytes, limits), { name: "RejectedInput", message });
  }
});

t.test("parseObject() rejects a flood of members before the parser sees it", async (t) => {
  const names = Array.from({ length: 1_000_001 }, (_, i) => `"${i.toString(36)}":1`);
  const bytes = new TextEncoder().encode(`{${names.join()}}`);
  t.throws(() => parseObject(bytes, { bytesMax: 1 << 25, depthMax: 4 }), {
    name: "RejectedInput",
    message: "Has 1000001 members: the limit is 1000000",
  });
});

t.test("parseObject() rejects a flood of empty objects before the parser sees it", async (t) => {
  const bytes = new TextEncoder().encode(`{"items":[${"{},".repeat(3_000_000)}{}]}`);
  t.throws(() => parseObject(bytes, { bytesMax: 1 << 25, depthMax: 4 }), {
    name: "RejectedInput",
    message: "Has 3000003 objects and lists: the limit is 3000000",
  });
});

t.test("parseObject() reads what JSON.parse reads, whatever the object", async (t) => {
  const roomy = { bytesMax: 1_000_000, depthMax: 256 };
  const objects = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }));
  fc.assert(fc.property(objects, (object) => {
    const text = JSON.stringify(object);
    const parsed = parseObject(new TextEncoder().encode(text), roomy);
    // Numbers of more digits than a double holds come as text, so texts are compared without quotes.
    const plain = (json: unknown) => JSON.stringify(json).replaceAll('"', "");
    return parsed?.ambiguous === undefined && plain(parsed?.root) === plain(JSON.parse(text));
  }));
  t.pass("100 objects");
});
