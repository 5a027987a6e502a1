// Patterns for paths: what fits, what does not, and folders that cannot be read.

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { expandGlob, isGlob, matchesGlob } from "./glob.ts";

t.test("isGlob() tells patterns from paths", async (t) => {
  for (const path of ["/a/*.log", "/a/?", "/**/x", "/[ab]", "/{a,b}"]) t.ok(isGlob(path), path);
  for (const path of ["/var/log/audit.log", "/a b/c-d_e.1"]) t.notOk(isGlob(path), path);
});

t.test("matchesGlob() knows wildcards, classes, braces and folders", async (t) => {
  const fits: [string, string][] = [
    ["/a/b.log", "/a/*.log"],
    ["/a/b.log", "/a/?.log"],
    ["/a/b.log", "/**/*.log"],
    ["/a/b.log", "/a/**/b.log"],
    ["/a/x/y/b.log", "/a/**/b.log"],
    ["/a/b1.log", "/a/b[0-9].log"],
    ["/a/bx.log", "/a/b[!0-9].log"],
    ["/a/b.json", "/a/*.{log,json}"],
    ["/c/b.log", "/{a,c}/*"],
    ["/a/.hidden", "/a/.*"],
    ["/a/aXbXc", "/a/a*b*c"],
    ["/a/b.log", "/a/**"],
  ];
  for (const [path, pattern] of fits) t.ok(matchesGlob(path, pattern), `${path} ${pattern}`);
  const not: [string, string][] = [
    ["/a/b/c.log", "/a/*.log"],
    ["/a/bb.log", "/a/?.log"],
    ["/a/.hidden", "/a/*"],
    ["/a/bx.log", "/a/b[0-9].log"],
    ["/a/b.txt", "/a/*.{log,json}"],
    ["/a/b.log.1", "/a/*.log"],
    ["/a/b+log", "/a/b.log"],
  ];
  for (const [path, pattern] of not) t.notOk(matchesGlob(path, pattern), `${path} ${pattern}`);
});

t.test("matchesGlob() ends soon on a pattern made to take long", async (t) => {
  t.notOk(matchesGlob(`/${"a".repeat(5000)}`, `/${"*a".repeat(40)}b`));
  t.notOk(matchesGlob("/a", "/{a,b}".repeat(40)));
});

t.test("expandGlob() finds files and links, sorted, and reports folders it cannot read", async (t) => {
  const root = t.testdir({ a: { "1.log": "", "2.txt": "" }, b: { c: { "3.log": "" } } });
  await mkdir(join(root, "d.log"));
  await symlink(join(root, "a"), join(root, "linked"));
  await symlink(join(root, "nowhere"), join(root, "e.log"));
  await writeFile(join(root, ".f.log"), "");
  const find = async (pattern: string) =>
    (await expandGlob(join(root, pattern))).map((path) => path.slice(root.length + 1));
  t.same(await find("**/*.log"), ["a/1.log", "b/c/3.log", "e.log"]);
  t.same(await find("*/*.log"), ["a/1.log", "linked/1.log"]);
  t.same(await find("{a,b/c}/*.log"), ["a/1.log", "b/c/3.log"]);
  t.same(await find("*.log"), ["e.log"]);
  const unreadable: string[] = [];
  await expandGlob(join(root, "none/*.log"), (folder) => unreadable.push(folder));
  t.same(unreadable, [join(root, "none")]);
});
