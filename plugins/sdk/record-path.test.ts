// Paths into records: what they find, what a change through them copies, and what it leaves alone.

import fc from "fast-check";
import t from "tap";
import type { Json } from "./json.ts";
import { changeAt, parseRecordPath, type RecordPath, someAt } from "./record-path.ts";

function path(text: string): RecordPath {
  const parsed = parseRecordPath(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function found(value: Json, text: string): Json[] {
  const values: Json[] = [];
  someAt(value, path(text), (one) => {
    values.push(one);
    return false;
  });
  return values;
}

const VALUE = {
  a: { b: 1, "c.d": 2 },
  list: [{ b: 3 }, { b: 4, a: { b: 5 } }, "text"],
  nested: [[{ b: 6 }]],
  nothing: null,
};

t.test("someAt() finds what a path leads to", async (t) => {
  t.same(found(VALUE, "a.b"), [1]);
  t.same(found(VALUE, "$.a['c.d']"), [2]);
  t.same(found(VALUE, "list.b"), [3, 4], "in each item");
  t.same(found(VALUE, "nested.b"), [6]);
  t.same(found(VALUE, "list[1].b"), [4]);
  t.same(found(VALUE, "list[-1]"), ["text"]);
  t.same(found(VALUE, "list.*.b"), [3, 4]);
  t.same(found(VALUE, "a.*"), [1, 2]);
  t.same(found(VALUE, "**.b").sort(), [1, 3, 4, 5, 6]);
  t.same(found(VALUE, "**.a.b").sort(), [1, 5]);
  t.same(found(VALUE, "nothing"), [null]);
  t.same(found(VALUE, "toString"), [], "nothing inherited");
});

t.test("changeAt() copies the way to a change and nothing else", async (t) => {
  const changed = changeAt(VALUE, path("list[1].b"), () => "x") as typeof VALUE;
  t.same(changed.list, [{ b: 3 }, { b: "x", a: { b: 5 } }, "text"]);
  t.equal(changed.a, VALUE.a);
  t.equal(changed.list[0], VALUE.list[0]);
  t.equal(changeAt(VALUE, path("no.such"), () => "x"), VALUE, "the same where there is nothing");
  t.equal(changeAt(VALUE, path("a.b"), (value) => value), VALUE, "or nothing changes");
  t.same(changeAt(VALUE, path("list[0]"), () => undefined), {
    ...VALUE,
    list: VALUE.list.slice(1),
  });
  t.same(changeAt(VALUE, path("**.b"), () => undefined), {
    a: { "c.d": 2 },
    list: [{}, { a: {} }, "text"],
    nested: [[{}]],
    nothing: null,
  });
});

t.test("parseRecordPath() refuses what leads nowhere", async (t) => {
  for (
    const text of ["", "a.", "$", ".a", "a b", "a[*].b", "a.**", "**.*", "**[0]", "**.a.**.b"]
  ) {
    t.type(parseRecordPath(text), "string", text);
  }
});

t.test("someAt() sees each value that changeAt() changes", async () => {
  const key = fc.constantFrom("a", "b", "__proto__");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.integer(),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie("value"))).map((members) =>
        JSON.parse(`{${members.map(([k, v]) => `"${k}":${JSON.stringify(v)}`).join()}}`)
      ),
    ),
  }));
  const paths = fc.constantFrom("a", "a.b", "*.a", "**.b", "a[0]", "__proto__.a").map(path);
  fc.assert(fc.property(value, paths, (value, path) => {
    const before = JSON.stringify(value);
    let changes = 0;
    const after = changeAt(value as Json, path, (leaf) => {
      changes++;
      return typeof leaf === "number" ? "changed" : leaf;
    });
    let seen = 0;
    someAt(value as Json, path, () => ++seen < 0);
    let left = false;
    if (after !== undefined) someAt(after, path, (leaf) => left = typeof leaf === "number");
    return JSON.stringify(value) === before && (changes > 0) === (seen > 0) && !left;
  }));
});
