// Objects made of the log's own names: order, odd names, many shapes.

import t from "tap";
import { Members } from "./members.ts";

/** The object of these members, as JSON text. */
function made(members: Members, ...pairs: readonly (readonly [string, string])[]) {
  for (const [name, value] of pairs) members.add(name, value);
  return JSON.stringify(members.take());
}

t.test("Members keeps the order of each object, whatever others looked like", async (t) => {
  const members = new Members();
  for (let round = 0; round < 2; round++) {
    t.equal(made(members, ["uid", "1"], ["gid", "2"]), '{"uid":"1","gid":"2"}');
    t.equal(made(members, ["gid", "3"], ["uid", "4"]), '{"gid":"3","uid":"4"}');
    t.equal(made(members, ["uid", "5"]), '{"uid":"5"}');
  }
  t.equal(members.take(), undefined);
});

t.test("Members sets a member in its place, and only those of the object at hand", async (t) => {
  const members = new Members();
  made(members, ["a", "1"], ["arch", "2"]);
  members.add("arch", "c000003e");
  members.add("a", "1");
  members.set("arch", "x86_64");
  members.set("keys", ["k"]);
  t.equal(JSON.stringify(members.take()), '{"arch":"x86_64","a":"1","keys":["k"]}');
  members.add("a", "1");
  members.set("arch", "2");
  t.equal(JSON.stringify(members.take()), '{"a":"1","arch":"2"}');
});

t.test("Members takes __proto__ for a name like any other", async (t) => {
  const members = new Members();
  for (let round = 0; round < 2; round++) {
    t.equal(made(members, ["a", "1"], ["__proto__", "2"]), '{"a":"1","__proto__":"2"}');
  }
});

t.test("Members makes objects of more shapes than it remembers, and of any size", async (t) => {
  const members = new Members();
  for (let round = 0; round < 2; round++) {
    for (let size = 1; size <= 200; size++) {
      const pairs = Array.from({ length: size }, (_, i) => [`n${i}`, String(size)] as const);
      t.equal(made(members, ...pairs), JSON.stringify(Object.fromEntries(pairs)));
    }
  }
});
