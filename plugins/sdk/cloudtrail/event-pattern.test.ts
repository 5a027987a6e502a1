// EventBridge's patterns: what AWS documents of each operator, arrays, null and $or, what it refuses,
// and that no event makes a match slow.

import fc from "fast-check";
import t from "tap";
import { compileEventPattern, eventPattern, EventPatternError } from "./event-pattern.ts";

/** The event that AWS's own pages match against, with a record's kind of members. */
const EVENT = {
  source: "aws.ec2",
  time: "2017-10-02T16:24:49Z",
  resources: ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
  detail: {
    "c-count": 5,
    "d-count": 3,
    "x-limit": 301.8,
    "source-ip": "10.0.0.33",
    "ipv6": "2001:db8::1",
    "state": "running",
    "path": "/var/lib/app*/data.jar",
    "empty": "",
    "nothing": null,
    "flag": true,
    "list": [],
    "mixed": ["a", 1, null, { deep: "x" }],
    "object": { inner: 1 },
  },
};

function matches(pattern: unknown, event: unknown = EVENT): boolean {
  return compileEventPattern(pattern).matches(event);
}

const detail = (field: string, ...values: unknown[]) => ({ detail: { [field]: values } });

t.test("a plain value means itself, of its own type; one of several is enough", async (t) => {
  t.ok(matches({ source: ["aws.s3", "aws.ec2"], detail: { state: ["running"] } }));
  t.notOk(matches({ source: ["AWS.EC2"] }), "case counts");
  t.notOk(matches({ source: ["aws.ec2"], detail: { state: ["stopped"] } }), "all fields");
  t.ok(matches(detail("c-count", 5)));
  t.notOk(matches(detail("c-count", "5")));
  t.ok(matches(detail("flag", true)));
  t.notOk(matches(detail("flag", false)));
  t.ok(matches(detail("empty", "")));
  t.ok(matches(detail("nothing", null)));
  t.notOk(matches(detail("absent", null)), "null is not absence");
  t.notOk(matches(detail("empty", null)));
  t.ok(matches({ detail: { mixed: [null] } }), "in a list");
  t.ok(matches(detail("ipv6", "2001:0db8:0:0:0:0:0:1")), "an address in another spelling");
  t.ok(matches(detail("source-ip", { exactly: "10.0.0.33" })));
});

t.test("operators on texts match texts only", async (t) => {
  t.ok(matches({ time: [{ prefix: "2017-10-02" }] }));
  t.ok(matches({ source: [{ prefix: { "equals-ignore-case": "AWS." } }] }));
  t.ok(matches({ source: [{ suffix: ".ec2" }] }));
  t.ok(matches({ source: [{ suffix: { "equals-ignore-case": "EC2" } }] }));
  t.notOk(matches({ source: [{ suffix: { "equals-ignore-case": "xaws.ec2" } }] }));
  t.ok(matches({ source: [{ "equals-ignore-case": "Aws.EC2" }] }));
  t.notOk(matches({ source: [{ "equals-ignore-case": "aws.ec" }] }));
  for (const operator of ["prefix", "suffix", "equals-ignore-case", "wildcard"]) {
    t.notOk(matches(detail("c-count", { [operator]: "5" })), operator);
    t.notOk(matches(detail("nothing", { [operator]: "null" })), operator);
  }
});

t.test("wildcard: a star is any text, a backslash takes its meaning away", async (t) => {
  const path = (pattern: string) => matches(detail("path", { wildcard: pattern }));
  t.ok(path("/var/*/data.jar"));
  t.ok(path("*.jar"));
  t.ok(path("/var/*"));
  t.ok(path("*"));
  t.ok(path("/var/lib/app\\*/data.jar"));
  t.notOk(path("/var/lib/app\\*"));
  t.notOk(path("/var/lib"), "the whole text");
  t.notOk(path("/var/lib/app*p*/data.jarx"));
  t.notOk(matches({ a: [{ wildcard: "ab*ba" }] }, { a: "aba" }), "pieces do not overlap");
  t.throws(() => compileEventPattern({ a: [{ wildcard: "a**b" }] }), EventPatternError);
  t.throws(() => compileEventPattern({ a: [{ wildcard: "a\\b" }] }), EventPatternError);
});

t.test("wildcard agrees with a regular expression", async () => {
  const letters = fc.array(fc.constantFrom("a", "b", "*", "\\*"), { maxLength: 8 });
  fc.assert(fc.property(letters, fc.stringMatching(/^[ab*]{0,10}$/), (parts, text) => {
    const pattern = parts.filter((part, i) => part !== "*" || parts[i - 1] !== "*");
    const source = pattern.map((part) => part === "*" ? "[^]*" : part).join("");
    const expected = new RegExp(`^${source}$`).test(text);
    return matches({ a: [{ wildcard: pattern.join("") }] }, { a: text }) === expected;
  }));
});

t.test("anything-but matches what is there and is not meant", async (t) => {
  const state = (argument: unknown) => matches(detail("state", { "anything-but": argument }));
  t.ok(state("stopped"));
  t.notOk(state("running"));
  t.notOk(state(["stopped", "running"]));
  t.ok(state(123), "another type is something else");
  t.notOk(matches(detail("c-count", { "anything-but": [5, 6] })));
  t.ok(matches(detail("nothing", { "anything-but": "x" })), "null is something");
  t.notOk(matches(detail("absent", { "anything-but": "x" })), "nothing is not");
  t.notOk(state({ prefix: "run" }));
  t.ok(state({ prefix: ["init", "stop"] }));
  t.notOk(state({ suffix: ["x", "ing"] }));
  t.notOk(state({ "equals-ignore-case": ["RUNNING"] }));
  t.notOk(state({ wildcard: "r*g" }));
  t.ok(state({ wildcard: ["*x", "y*"] }));
  t.ok(matches(detail("mixed", { "anything-but": "a" })), "of a list one item is enough");
});

t.test("numeric and cidr compare numbers and addresses", async (t) => {
  t.ok(matches(detail("c-count", { numeric: [">", 0, "<=", 5] })));
  t.notOk(matches(detail("c-count", { numeric: [">", 5] })));
  t.ok(matches(detail("x-limit", { numeric: ["=", 3.018e2] })));
  t.ok(matches(detail("d-count", { numeric: ["<", 10] })));
  t.notOk(matches(detail("source-ip", { numeric: ["<", 10] })), "texts are no numbers");
  t.ok(matches(detail("source-ip", { cidr: "10.0.0.0/24" })));
  t.ok(matches(detail("source-ip", { cidr: "0.0.0.0/0" })));
  t.notOk(matches(detail("source-ip", { cidr: "10.0.0.0/27" })));
  t.notOk(matches(detail("source-ip", { cidr: "::/0" })), "the other kind of address");
  t.ok(matches(detail("ipv6", { cidr: "2001:db8::/33" })));
  t.notOk(matches(detail("ipv6", { cidr: "2001:db9::/32" })));
  t.notOk(matches(detail("state", { cidr: "10.0.0.0/24" })));
});

t.test("exists looks at plain values: objects and empty lists are none", async (t) => {
  t.ok(matches(detail("c-count", { exists: true })));
  t.notOk(matches(detail("c-count", { exists: false })));
  t.ok(matches(detail("nothing", { exists: true })));
  t.ok(matches(detail("absent", { exists: false })));
  t.ok(matches(detail("object", { exists: false })), "as AWS documents");
  t.notOk(matches(detail("object", { exists: true })));
  t.ok(matches(detail("list", { exists: false })));
  t.ok(matches(detail("mixed", { exists: true })));
  t.ok(matches(detail("absent", "x", { exists: false })), "or absent");
  t.ok(matches({ nobody: { at: { home: [{ exists: false }] } } }));
});

t.test("$or multiplies into alternatives, at any level", async (t) => {
  const either = { $or: [{ source: ["aws.s3"] }, { detail: { state: ["running"] } }] };
  t.ok(matches(either));
  t.notOk(matches({ ...either, time: ["never"] }), "beside other fields");
  t.ok(matches({ detail: { $or: [{ state: ["x"] }, { "c-count": [{ numeric: ["=", 5] }] }] } }));
  t.notOk(matches({ $or: [{ source: ["x"] }, { $or: [{ time: ["y"] }, { source: ["z"] }] }] }));
  const four = { $or: [1, 2, 3, 4].map((n) => ({ [`f${n}`]: ["x"] })) };
  const nested = (depth: number): object =>
    depth === 0 ? four : { $or: [{ a: nested(depth - 1) }, { b: nested(depth - 1) }] };
  t.ok(compileEventPattern({ ...nested(2), c: four }));
  const many = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, four]));
  t.throws(() => compileEventPattern(many), { message: /more than 1000 combinations/ });
});

t.test("a match does not mix elements of the same list", async (t) => {
  const employees = {
    employees: [
      [{ firstName: "John", lastName: "Doe" }, { firstName: "Anna", lastName: "Smith" }],
      [{ firstName: "Peter", lastName: "Jones" }],
    ],
    teams: [{ lead: "Anna" }],
  };
  const people = (members: object) => matches({ employees: members }, employees);
  t.ok(people({ firstName: ["Anna"] }));
  t.ok(people({ firstName: ["Anna"], lastName: ["Smith"] }));
  t.notOk(people({ firstName: ["Anna"], lastName: ["Jones"] }));
  t.notOk(people({ firstName: ["Anna"], lastName: ["Doe"] }));
  t.ok(matches({ employees: { lastName: ["Doe"] }, teams: { lead: ["Anna"] } }, employees));
});

/** Every value below a way with the elements it lies in, as a definition would put it. */
function flatten(value: unknown, keys: string[], place: string): [unknown, Map<string, number>][] {
  if (Array.isArray(value)) {
    return value.flatMap((item, i) =>
      flatten(item, keys, `${place}[${i}]`).map(
        ([found, within]): [unknown, Map<string, number>] => {
          if (typeof item !== "object" || item === null) return [found, within];
          return [found, new Map(within).set(place, i)];
        },
      )
    );
  }
  const [key, ...rest] = keys;
  if (key === undefined) return typeof value === "object" ? [] : [[value, new Map()]];
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return [];
  return flatten((value as Record<string, unknown>)[key], rest, `${place}.${key}`);
}

t.test("fields in lists match as the definition says", async () => {
  const leaf = fc.constantFrom(1, 2, 3);
  const item = fc.record({ b: fc.oneof(leaf, fc.array(leaf, { maxLength: 3 })), c: leaf }, {
    requiredKeys: [],
  });
  const event = fc.record({ a: fc.array(fc.oneof(item, fc.array(item, { maxLength: 2 }), leaf)) });
  fc.assert(
    fc.property(event, leaf, leaf, leaf, (event, b, c, plain) => {
      const pattern = { a: { b: [b], c: [c] }, $or: [{ a: [plain] }, { z: [{ exists: false }] }] };
      const expected = flatten(event, ["a", "b"], "").some(([one, first]) =>
        one === b &&
        flatten(event, ["a", "c"], "").some(([two, second]) =>
          two === c && [...first].every(([list, i]) => (second.get(list) ?? i) === i)
        )
      );
      return matches(pattern, event) === expected;
    }),
    { numRuns: 500 },
  );
});

t.test("compileEventPattern() says what is wrong, and where", async (t) => {
  const cases: [unknown, RegExp, (string | number)[]][] = [
    [{}, /Empty objects/, []],
    [{ a: {} }, /Empty objects/, ["a"]],
    [{ a: [] }, /Empty arrays/, ["a"]],
    [{ a: "x" }, /must be an object or an array/, ["a"]],
    [{ a: [["x"]] }, /must be a text/, ["a", 0]],
    [{ a: ["x", { nonsense: 1 }] }, /Unrecognized match type "nonsense"/, ["a", 1, "nonsense"]],
    [{ a: [{ prefix: "x", suffix: "y" }] }, /Exactly one key/, ["a", 0]],
    [{ a: [{ prefix: 1 }] }, /must be a text/, ["a", 0, "prefix"]],
    [{ a: [{ exists: "yes" }] }, /true or false/, ["a", 0, "exists"]],
    [{ a: [{ numeric: [">", 5, "<", 5] }] }, /less than its top/, ["a", 0, "numeric"]],
    [{ a: [{ numeric: ["<", 5, ">", 1] }] }, /goes from/, ["a", 0, "numeric"]],
    [{ a: [{ numeric: ["!", 5] }] }, /Unrecognized numeric operator/, ["a", 0, "numeric"]],
    [{ a: [{ cidr: "10.0.0.1" }] }, /a range such as/, ["a", 0, "cidr"]],
    [{ a: [{ cidr: "10.0.0.0/33" }] }, /a range such as/, ["a", 0, "cidr"]],
    [{ a: [{ "anything-but": ["x", 1] }] }, /all texts or all numbers/, ["a", 0, "anything-but"]],
    [{ a: [{ "anything-but": { prefix: "" } }] }, /empty prefix/, [
      "a",
      0,
      "anything-but",
      "prefix",
    ]],
    [{ $or: [{ a: ["x"] }] }, /at least two objects/, ["$or"]],
    [{ $or: [{ prefix: ["x"] }, { a: ["y"] }] }, /cannot be the name/, ["$or", 0, "prefix"]],
    [{ a: ["x"], $or: [{ a: ["y"] }, { b: ["z"] }] }, /more than once/, ["$or", 0, "a"]],
    [{ a: ["x".repeat(5000)] }, /at most 4096/, []],
    ["{", /not JSON/, []],
    ["[]", /not an object/, []],
  ];
  for (const [pattern, message, path] of cases) {
    t.throws(() => compileEventPattern(pattern), { message, path }, JSON.stringify(pattern));
  }
  t.match(eventPattern.safeParse({ a: [{ x: 1 }] }).error?.issues[0], { path: ["a", 0, "x"] });
  t.match(eventPattern.safeParse('{"a":[]}').error?.issues[0], { message: /\(at a\)/ });
  t.ok(eventPattern.parse('{"source":["aws.ec2"]}').matches(EVENT), "JSON text");
});

t.test("any pattern compiles or is refused with its place, and any event is answered", async () => {
  const operator = fc.constantFrom(
    "prefix",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
    "wildcard",
  );
  const value = fc.oneof(fc.jsonValue(), fc.dictionary(operator, fc.jsonValue(), { maxKeys: 2 }));
  const pattern = fc.dictionary(fc.constantFrom("a", "b", "$or"), fc.array(value));
  fc.assert(fc.property(fc.oneof(pattern, fc.jsonValue()), fc.jsonValue(), (pattern, event) => {
    try {
      return typeof compileEventPattern(pattern).matches(event) === "boolean";
    } catch (error) {
      return error instanceof EventPatternError;
    }
  }));
});

t.test("no event makes a match slow", async (t) => {
  const items = Array.from({ length: 5000 }, (_, i) => ({ b: "x", c: "y", d: i }));
  const event = { a: items, e: items, f: items, text: "ab".repeat(100_000) };
  const member = (last: number) => ({ b: ["x"], c: ["y"], d: [last] });
  const begin = performance.now();
  t.notOk(matches({ a: member(-1), e: member(-1), f: member(-1) }, event));
  t.notOk(matches({ a: { b: ["x"] }, e: { b: ["x"] }, f: { b: ["x"] }, g: ["x"] }, event));
  t.notOk(matches({ text: [{ wildcard: "*a*b*a*b*a*b*a*b*c" }] }, event));
  // Tried in every combination, it would take years.
  t.ok(performance.now() - begin < 20_000, `${performance.now() - begin} ms`);
});
