// Decoding OTLP: both encodings say the same, every kind of value survives, and bytes that are no
// request are refused within bounds.

import { Buffer } from "node:buffer";
import fc from "fast-check";
import t from "tap";
import { RejectedInput } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { type AnyValue, jsonText, KeyValueList, toJson } from "./any-value.ts";
import { decodeJson } from "./decode-json.ts";
import { decodeProtobuf } from "./decode-protobuf.ts";
import { type LogRecord, rawRecord, type ResourceLogs } from "./log-record.ts";

// An encoder of its own kind, written from the specification: fields by number, and no more.
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function field(number: number, bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes);
  const tag = varint(BigInt(number << 3 | 2));
  return Buffer.concat([Buffer.from([...tag, ...varint(BigInt(content.length))]), content]);
}

function numeric(number: number, value: bigint): Buffer {
  return Buffer.from([...varint(BigInt(number << 3)), ...varint(value)]);
}

function fixed64(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9, number << 3 | 1);
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}

function encodeValue(value: AnyValue): Buffer {
  if (value === null) return Buffer.alloc(0);
  if (typeof value === "string") return field(1, value);
  if (typeof value === "boolean") return numeric(2, value ? 1n : 0n);
  if (typeof value === "bigint") return numeric(3, value);
  if (typeof value === "number") {
    if (Number.isInteger(value)) return numeric(3, BigInt(value));
    const bytes = Buffer.alloc(9, 4 << 3 | 1);
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  if (value instanceof Uint8Array) return field(7, value);
  if (value instanceof KeyValueList) {
    const entries = value.entries.map(({ key, value }) => field(1, keyValue(key, value)));
    return field(6, Buffer.concat(entries));
  }
  return field(5, Buffer.concat(value.map((one) => field(1, encodeValue(one)))));
}

function keyValue(key: string, value: AnyValue): Buffer {
  return Buffer.concat([field(1, key), field(2, encodeValue(value))]);
}

function valueInJson(value: AnyValue): JsonObject {
  if (value === null) return {};
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "bigint") return { intValue: String(value) };
  if (typeof value === "number") {
    if (Number.isInteger(value)) return { intValue: value };
    return { doubleValue: Number.isFinite(value) ? value : String(value) };
  }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString("base64") };
  if (value instanceof KeyValueList) {
    const values = value.entries.map(({ key, value }) => ({ key, value: valueInJson(value) }));
    return { kvlistValue: { values } };
  }
  return { arrayValue: { values: value.map(valueInJson) } };
}

/** A request of one record around these parts of it. */
function request(...parts: readonly Uint8Array[]): Buffer {
  return field(1, field(2, field(2, Buffer.concat(parts))));
}

function oneRecord(logs: readonly ResourceLogs[] | undefined): LogRecord {
  const record = logs?.[0]?.scopes[0]?.records[0];
  if (record === undefined) throw new Error("No log record was decoded");
  return record;
}

const json = (value: Json) => decodeJson(Buffer.from(JSON.stringify(value)), 1e9);
const inJson = (record: JsonObject) =>
  json({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });

const { value: anyValue } = fc.letrec<{ value: AnyValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    fc.constant(null),
    fc.string({ unit: "binary" }),
    fc.boolean(),
    fc.integer(),
    fc.double().filter((number) => !Number.isInteger(number)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.record({ key: fc.string(), value: tie("value") }), { maxLength: 4 })
      .map((entries) => new KeyValueList(entries)),
  ),
}));

t.test("decodeProtobuf() and decodeJson() read the same values, of every kind", async (t) => {
  fc.assert(fc.property(anyValue, (value) => {
    const binary = oneRecord(decodeProtobuf(request(field(5, encodeValue(value)))));
    const text = oneRecord(inJson({ body: valueInJson(value) }));
    const [a, b, wanted] = [binary.body, text.body, value].map((one) => jsonText(one));
    return a === wanted && b === wanted && a === b;
  }));
  t.pass("values that were made up");
});

t.test("decodeProtobuf() reads every field of the messages", async (t) => {
  const bytes = field(
    1,
    Buffer.concat([
      field(1, Buffer.concat([field(1, keyValue("service.name", "shop")), numeric(2, 1n)])),
      field(
        2,
        Buffer.concat([
          field(
            1,
            Buffer.concat([
              field(1, "lib"),
              field(2, "1.0"),
              field(3, keyValue("a", 1)),
              numeric(4, 2n),
            ]),
          ),
          field(
            2,
            Buffer.concat([
              fixed64(1, 1_544_712_660_300_000_001n),
              fixed64(11, 1_544_712_660_400_000_002n),
              numeric(2, 17n),
              field(3, "ERROR"),
              field(5, encodeValue("text")),
              field(6, keyValue("k", true)),
              numeric(7, 3n),
              Buffer.from([8 << 3 | 5, 1, 0, 0, 0]),
              field(9, Buffer.from("5b8efff798038103d269b633813fc60c", "hex")),
              field(10, Buffer.from("eee19b7ec3c1b174", "hex")),
              field(12, "user.login"),
              // Fields of a later version.
              numeric(19, 7n),
              field(500, "new"),
            ]),
          ),
          field(3, "https://schema/scope"),
        ]),
      ),
      field(3, "https://schema/resource"),
    ]),
  );
  const [logs] = decodeProtobuf(bytes);
  const found = oneRecord([logs!]);
  const { found: _, ...record } = found;
  t.strictSame(record, {
    time: 1_544_712_660_300_000_001n,
    observed: 1_544_712_660_400_000_002n,
    severityNumber: 17,
    severityText: "ERROR",
    eventName: "user.login",
    body: "text",
    attributes: [{ key: "k", value: true }],
    droppedAttributes: 3,
    flags: 1,
    traceId: "5b8efff798038103d269b633813fc60c",
    spanId: "eee19b7ec3c1b174",
    tooDeep: false,
  });
  const raw = Buffer.from(rawRecord(found, bytes));
  t.equal(raw[0], 9, "rawRecord() begins with its first field");
  t.ok(bytes.includes(raw) && raw.includes("user.login"), "and is the record's own bytes");
  t.match(logs, {
    attributes: [{ key: "service.name", value: "shop" }],
    schemaUrl: "https://schema/resource",
    scopes: [{
      name: "lib",
      version: "1.0",
      attributes: [{ key: "a", value: 1 }],
      schemaUrl: "https://schema/scope",
    }],
  });
});

t.test("toJson() writes what JSON has no words for as OpenTelemetry does", async (t) => {
  t.equal(toJson(Number.NaN), "NaN");
  t.equal(toJson(-Infinity), "-Infinity");
  t.equal(toJson(9_007_199_254_740_993n), "9007199254740993");
  t.equal(toJson(Buffer.from([1, 2, 255])), "AQL/");
  t.strictSame(
    toJson(new KeyValueList([{ key: "__proto__", value: 1 }, { key: "password", value: "x" }])),
    JSON.parse('{"__proto__":1,"password":"[not copied]"}'),
  );
});

t.test("decodeJson() takes 64-bit integers as text and as numbers, without rounding", async (t) => {
  const text =
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1544712660300000001,' +
    '"body":{"intValue":9007199254740993}}]}]}]}';
  const record = oneRecord(decodeJson(Buffer.from(text), 1e6));
  t.equal(record.time, 1_544_712_660_300_000_001n);
  t.equal(record.body, 9_007_199_254_740_993n);
  t.equal(oneRecord(inJson({ body: { intValue: "-9223372036854775808" } })).body, -(2n ** 63n));
  t.equal(oneRecord(inJson({ traceId: "5B8EFFF7" })).traceId, "5b8efff7");
  t.strictSame(json({}), [], "an empty request is one");
  t.equal(json({ resourceSpans: [] }), undefined, "traces are none");
});

t.test("a value nested deeper than 32 levels spoils its record alone", async (t) => {
  const nested = (levels: number) => {
    let value: AnyValue = "x";
    for (let i = 0; i < levels; i++) {
      value = i % 2 === 0 ? [value] : new KeyValueList([{ key: "k", value }]);
    }
    return value;
  };
  for (const [levels, tooDeep] of [[32, false], [33, true], [60, true]] as const) {
    const value = nested(levels);
    const both = field(
      1,
      field(2, Buffer.concat([field(2, field(5, encodeValue(value))), field(2, "")])),
    );
    const [logs] = decodeProtobuf(both);
    t.same(
      logs?.scopes[0]?.records.map((one) => one.tooDeep),
      [tooDeep, false],
      `${levels} levels`,
    );
    t.equal(oneRecord(inJson({ body: valueInJson(value) })).tooDeep, tooDeep, "in JSON");
  }
  const deep = keyValue("k", nested(33));
  t.throws(() => decodeProtobuf(field(1, field(1, field(1, deep)))), RejectedInput);
});

t.test("decodeProtobuf() refuses what is no request", async (t) => {
  const whole = request(fixed64(1, 1n), field(5, encodeValue(["x", 1.5])), field(12, "login"));
  for (let end = 1; end < whole.length; end++) {
    t.throws(() => decodeProtobuf(whole.subarray(0, end)), RejectedInput, `cut at ${end}`);
  }
  const cases: [string, Uint8Array, RegExp][] = [
    ["a wrong wire type", request(numeric(1, 5n)), /Field 1 has wire type 0/],
    ["text where a message should be", request(field(6, "no message")), /Ends inside|wire type/],
    ["field 0", Buffer.from([2, 0]), /Field 0/],
    ["a group", Buffer.from([0x7b, 0x7c]), /wire type 3/],
    ["a number without end", Buffer.alloc(12, 0xff), /over ten bytes/],
    ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]), /Ends inside/],
    ["a length of 2^63", Buffer.from([0x0a, ...varint(2n ** 63n + 200n)]), /Ends inside/],
    ["traces", field(1, field(2, field(2, field(1, Buffer.alloc(16))))), /Field 1 has wire type 2/],
  ];
  for (const [name, bytes, reason] of cases) {
    t.throws(() => decodeProtobuf(bytes), { name: "RejectedInput", message: reason }, name);
  }
});

t.test("decoding bounds how many records and values a request may hold", async (t) => {
  const scope = (content: Buffer) => field(1, field(2, content));
  const empty = Buffer.alloc(2 * 2_100_000, Buffer.from([0x12, 0x00]));
  t.throws(() => decodeProtobuf(scope(empty)), { message: /more than 2000000 records and values/ });
  const attributes = Buffer.alloc(2 * 2_100_000, Buffer.from([0x32, 0x00]));
  t.throws(() => decodeProtobuf(scope(field(2, attributes))), { message: /more than 2000000/ });
  // Refused before anything is built: a decoder that had begun would stop at the first record.
  const spoilt = Buffer.concat([field(2, Buffer.from([0x0a, 0x00])), empty]);
  t.throws(() => decodeProtobuf(field(1, field(2, spoilt))), { message: /more than 2000000/ });
  const values = field(5, Buffer.alloc(2 * 2_100_000, Buffer.from([0x0a, 0x00])));
  t.throws(() => decodeProtobuf(scope(field(2, field(5, values)))), {
    message: /more than 2000000/,
  });
  const large = request(field(5, encodeValue("x".repeat(5_000_000))));
  t.equal(decodeProtobuf(large)[0]?.scopes[0]?.records.length, 1, "a large one of few is taken");
  const cut = Buffer.concat([large, Buffer.from([0x0a, 0x7f])]);
  t.throws(() => decodeProtobuf(cut), { message: /Ends inside/ });
  const items = `${"{},".repeat(2_000_000)}{}`;
  t.throws(() => decodeJson(Buffer.from(`{"resourceLogs":[${items}]}`), 1e9), {
    message: /more than 2000000/,
  });
  t.throws(() => decodeJson(Buffer.alloc(6_000_001, "["), 1e9), { message: /more than 6000000/ });
});

t.test("any bytes are decoded or refused, nothing else happens", async (t) => {
  const whole = request(fixed64(1, 1n), field(5, encodeValue(["x", 1.5, -1n])), field(12, "login"));
  const text = Buffer.from(JSON.stringify({
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: "x" } }] }] }],
  }));
  const attempt = (decode: () => unknown) => {
    try {
      decode();
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
    }
  };
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(flips, fc.boolean(), (flips, isText) => {
      const bytes = Buffer.from(isText ? text : whole);
      for (const [at, byte] of flips) bytes[at % bytes.length] = byte;
      attempt(() => isText ? decodeJson(bytes, 1e6) : decodeProtobuf(bytes));
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => attempt(() => decodeProtobuf(bytes))));
  const wrong: Json[] = [
    [],
    { resourceLogs: {} },
    { resourceLogs: [1] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: "x" }] }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: "99999999999999999999" }] }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: "x" }] }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { intValue: "1.5" } }] }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { boolValue: 1 } }] }] }] },
    { resourceLogs: [{ scopeLogs: [{ logRecords: [{ severityNumber: -1 }] }] }] },
  ];
  for (const value of wrong) t.throws(() => json(value), RejectedInput, JSON.stringify(value));
  const deep = Buffer.from(`${'{"resourceLogs":['.repeat(5000)}`);
  t.throws(() => decodeJson(deep, 1e6), RejectedInput);
});
