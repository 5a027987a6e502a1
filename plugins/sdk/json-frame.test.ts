// What every format of JSON documents relies on: whole frames or a reason, members, times, ids.

import t from "tap";
import {
  frameId,
  listIn,
  membersExcept,
  membersOf,
  objectIn,
  originOf,
  parseJsonFrame,
  parseJsonFrames,
  textIn,
  timeAt,
} from "./json-frame.ts";

const encode = (text: string) => new TextEncoder().encode(text);

t.test("parseJsonFrame() reads an object, or says why not", async (t) => {
  t.same(parseJsonFrame(encode('{"id":12345678901234567890}')), { id: "12345678901234567890" });
  const cases: [Uint8Array, string][] = [
    [encode(" "), "Is blank"],
    [encode("[{}]"), "Is JSON, but no object"],
    [encode('{"a":1'), "Is not JSON"],
    [encode('{"user":"alice","user":"mallory"}'), "Names a member twice"],
    [encode(`{"a":${"[".repeat(32)}${"]".repeat(32)}}`), "Is nested 33 deep: the limit is 32"],
    [Uint8Array.of(0x7b, 0xff, 0x7d), "Is not UTF-8"],
  ];
  for (const [frame, message] of cases) {
    t.throws(() => parseJsonFrame(frame), { name: "RejectedInput", message });
  }
  const limits = { bytesMax: 4, depthMax: 1 };
  t.throws(() => parseJsonFrame(encode('{"a":1}'), limits), {
    message: "Is 7 bytes long: the limit is 4",
  });
});

t.test("parseJsonFrames() reads an object, a list, or an object a line", async (t) => {
  const read = (text: string) => parseJsonFrames(encode(text));
  t.same(read('{\n "a": 1\n}\n'), [{ a: 1 }]);
  t.same(read('[{"a":1},{"a":2}]'), [{ a: 1 }, { a: 2 }]);
  t.same(read('{"a":1}\r\n\n{"a":2}\n'), [{ a: 1 }, { a: 2 }]);
  t.same(read("[]"), []);
  t.throws(() => read('[{"a":1},2]'), { message: "Is JSON, but no object and no list of objects" });
  t.throws(() => read('{"a":1}\n{"a":'), { message: "Is not JSON" });
  t.throws(() => read(""), { message: "Is blank" });
});

t.test("textIn(), objectIn() and listIn() find own members of their kind only", async (t) => {
  const from = JSON.parse('{"s":"x","e":"","n":7,"b":true,"o":{"a":1},"l":[1]}');
  t.same(["s", "e", "n", "b", "o", "constructor"].map((name) => textIn(from, name)), [
    "x",
    undefined,
    "7",
    undefined,
    undefined,
    undefined,
  ]);
  t.same(objectIn(from, "o"), { a: 1 });
  t.equal(objectIn(from, "l"), undefined);
  t.same(listIn(from, "l"), [1]);
  t.equal(listIn(undefined, "l"), undefined);
  t.equal(objectIn(from, "__proto__"), undefined);
});

t.test("timeAt() takes the first that is a time, else when the frame came", async (t) => {
  const at = { source: "s", offset: 3, receivedAt: 9 };
  t.equal(timeAt(at, undefined, "x", "2024-02-29T19:39:25.744431903Z"), 1_709_235_565_744);
  t.equal(timeAt(at, "2022-12-11 22:40:20.268"), 1_670_798_420_268);
  t.equal(timeAt(at, 1_621_305_118_553, "2022-12-11 22:40:20.268"), 1_621_305_118_553);
  t.equal(timeAt(at, "0001-01-01T00:00:00Z"), 9);
  t.throws(() => timeAt({ source: "s", offset: 3 }, ""), {
    name: "RejectedInput",
    message: "Has no time, and its receiver does not say when it came",
  });
});

t.test("originOf() reads addresses and names, with or without a port", async (t) => {
  t.same(originOf("192.0.2.1:443", "curl/8"), {
    address: "192.0.2.1",
    port: 443,
    userAgent: "curl/8",
  });
  t.same(originOf("[2001:db8::7]:1"), { address: "2001:db8::7", port: 1 });
  t.same(originOf("2001:db8::7"), { address: "2001:db8::7" });
  t.same(originOf("db.example:3389"), { host: "db.example", port: 3389 });
  t.same(originOf("no host at all"), {});
  t.same(originOf(undefined, "curl/8"), { userAgent: "curl/8" });
  t.equal(originOf(undefined), undefined);
});

t.test("membersOf() and membersExcept() divide an object, also a member called __proto__", async (t) => {
  const from = JSON.parse('{"a":1,"b":2,"__proto__":3}');
  const names = new Set(["a"]);
  t.same(membersOf(from, names), { a: 1 });
  t.same(Object.keys(membersExcept(from, names) ?? {}), ["b", "__proto__"]);
  t.equal(membersOf(from, new Set()), undefined);
  t.same(membersExcept(from, names, new Set(["b", "__proto__"]), { z: 0 }), { z: 0 });
});

t.test("frameId() tells the events of one frame apart", async (t) => {
  const at = { source: "file:1", offset: 30 };
  t.same([frameId(at), frameId(at, 0), frameId(at, 1)], ["file:1:30", "file:1:30", "file:1:30:1"]);
});
