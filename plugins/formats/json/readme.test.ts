// The README's examples are configurations: each has to be accepted as it stands there.

import { readFile } from "node:fs/promises";
import t from "tap";
import { parse } from "yaml";
import format from "./index.ts";

interface Example {
  readonly mapping?: unknown;
  readonly receivers?: Readonly<Record<string, { readonly mapping?: unknown }>>;
}

t.test("every example of the README is accepted", async (t) => {
  const page = await readFile(new URL("README.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => parse(yaml!));
  t.equal(examples.length, 1);
  for (const example of examples as Example[]) {
    const mapping = example.mapping ?? Object.values(example.receivers ?? {})[0]?.mapping;
    t.same(format.config.safeParse({ mapping }).error?.issues ?? [], []);
  }
});
