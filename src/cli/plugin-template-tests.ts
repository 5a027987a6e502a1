// What `cairn plugin new` writes beside index.js for each kind: a test that lets conformance() run,
// and a configuration that uses the plugin. TYPE stands for the name that was given.

import type { ComponentKind } from "../../plugins/sdk/index.ts";

const HEAD = `// Run it with: npm test

import { conformance } from "cairn-agent/sdk/conformance";
import t from "tap";
import plugin from "./index.js";
`;

const LINES = `const line = (n) => new Date(n * 1000).toISOString() + " alice OpenDoor";
`;

const FORMAT = `${HEAD}
${LINES}
const frames = Array.from({ length: 50 }, (_, n) => new TextEncoder().encode(line(n)));

await conformance(t, plugin, { minimal: {}, frames });

t.test("a line is an event", async (t) => {
  const format = plugin.create(plugin.config.parse({}), {});
  const { events: [event] } = format.decode(frames[0], { source: "test", offset: 7 });
  t.equal(event.id, "test:7");
  t.equal(event.action, "OpenDoor");
  t.equal(event.actor.name, "alice");
});
`;

const RECEIVER = `${
  HEAD.replace(
    "// Run it with: npm test\n\n",
    `// Run it with: npm test

import { appendFile, stat } from "node:fs/promises";
import { join } from "node:path";
`,
  )
}
${LINES}
await conformance(t, plugin, {
  minimal: { path: "some.log" },
  async source(t) {
    const path = join(t.testdir({}), "some.log");
    await appendFile(path, "");
    let lines = 0;
    return {
      config: { path },
      async write(count) {
        let { size } = await stat(path);
        const ids = [];
        const texts = [];
        for (let i = 0; i < count; i++) {
          const text = line(lines++) + "\\n";
          ids.push(path + ":" + size);
          size += text.length;
          texts.push(text);
        }
        await appendFile(path, texts.join(""));
        return ids;
      },
      async writeBad(noise) {
        await appendFile(path, noise);
        await appendFile(path, "\\n");
      },
    };
  },
});
`;

const PROCESSOR = `${HEAD.replace("{ conformance }", "{ conformance, testRecord }")}
await conformance(t, plugin, { minimal: {} });

t.test("it drops the actions it was told to, and no other", async (t) => {
  const processor = plugin.create(plugin.config.parse({ drop: ["UserLogin"] }), {});
  const login = testRecord(1);
  const other = { ...testRecord(2), eventName: "CreateUser" };
  t.same(await processor.process([login, other]), [other]);
});
`;

const EXPORTER = `${
  HEAD.replace(
    "// Run it with: npm test\n\n",
    `// Run it with: npm test

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
`,
  )
}
await conformance(t, plugin, {
  minimal: { directory: "out" },
  async target(t) {
    const directory = t.testdir({});
    return {
      config: { directory },
      async delivered() {
        const names = (await readdir(directory)).filter((name) => name.endsWith(".jsonl")).sort();
        return await Promise.all(names.map((name) => readFile(join(directory, name), "utf8")));
      },
    };
  },
  async broken(t) {
    const folder = t.testdir({ file: "no folder" });
    return { config: { directory: join(folder, "file", "below") } };
  },
});
`;

const EXTENSION = `${HEAD}
await conformance(t, plugin, { minimal: {} });
`;

/** index.test.js by kind. */
export const PLUGIN_TEST: Readonly<Record<ComponentKind, string>> = {
  receiver: RECEIVER,
  format: FORMAT,
  processor: PROCESSOR,
  exporter: EXPORTER,
  extension: EXTENSION,
};

const FROM_FILE = `receivers:
  file: { path: ./input.log, format: cloudtrail, start_at: beginning }
`;
const TO_FILE = `exporters:
  debug: {}
`;

/** What a configuration has of components, by kind. */
export const PLUGIN_PARTS: Readonly<Record<ComponentKind, string>> = {
  receiver: `receivers:
  TYPE: { path: ./input.log }
${TO_FILE}`,
  format: `receivers:
  file: { path: ./input.log, format: TYPE, start_at: beginning }
${TO_FILE}`,
  processor: `${FROM_FILE}processors:
  TYPE: {}
${TO_FILE}`,
  exporter: `${FROM_FILE}exporters:
  TYPE: { directory: ./out }
`,
  extension: `${FROM_FILE}extensions:
  TYPE: {}
${TO_FILE}`,
};
