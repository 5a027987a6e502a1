// Plugins from outside the tree: the project is packed as npm would publish it, unpacked into another
// folder's node_modules, and what README.md and `cairn plugin new` say is done there.

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import { KINDS } from "../../src/agent/registry.ts";
import { callCairn } from "../cli/call.ts";
import { commandOf, root, runtimeName } from "./cairn.ts";

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // Without tap's own variables: a test inside is a process like any other.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("TAP")),
    );
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    }
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, text });
    });
  });
}

/** What a program that failed has said; nothing of one that did not. */
function failure({ code, text }: Ended): string {
  return code === 0 ? "ended well" : text;
}

/** Runs a JavaScript file on the test's own runtime. */
function runFile(file: string, args: readonly string[], cwd: string): Promise<Ended> {
  const [program] = commandOf(runtimeName);
  return run(
    program!,
    runtimeName === "deno" ? ["run", "-A", file, ...args] : [file, ...args],
    cwd,
  );
}

const CAIRN = "node_modules/cairn-agent/dist/src/main.js";

/** A folder in which the packed project and what it depends on are installed. */
async function install(t: Test): Promise<string> {
  const folder = t.testdir({ node_modules: {}, "package.json": '{ "type": "module" }' });
  const packed = await run(
    "npm",
    ["pack", "--ignore-scripts", "--offline", "--silent", "--pack-destination", folder],
    root,
  );
  t.equal(packed.code, 0, failure(packed));
  const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
  const home = join(folder, "node_modules", "cairn-agent");
  mkdirSync(home);
  const unpacked = await run("tar", ["xzf", join(folder, archive), "--strip=1", "-C", home], root);
  t.equal(unpacked.code, 0, failure(unpacked));
  // The dependencies as they are, in place of a download.
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (!name.startsWith(".")) {
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
  }
  return folder;
}

/** The plugin that README.md shows. */
function readmePlugin(): string {
  const page = readFileSync(join(root, "README.md"), "utf8");
  const section = page.slice(page.indexOf("## Writing a plugin"));
  return /```js\n([\s\S]*?)```/.exec(section)![1]!;
}

const README_CONFIG = `agent: { data_dir: ./data, host: gate-01 }
plugins: [./door.js]
receivers:
  file: { path: ./input.log, format: door, start_at: beginning }
exporters:
  file: { path: ./out.jsonl }
service: { pipelines: { main: { receivers: [file], exporters: [file] } } }
`;

t.test("plugins outside the tree", async (t) => {
  const folder = await install(t);

  await t.test("the plugin of README.md is written, listed and runs", async (t) => {
    writeFileSync(join(folder, "door.js"), readmePlugin());
    writeFileSync(join(folder, "cairn.yaml"), README_CONFIG);
    writeFileSync(join(folder, "input.log"), "2026-01-02T03:04:05Z badge-7 north\nnonsense\n");
    const listed = await runFile(CAIRN, ["components", "--config", "cairn.yaml"], folder);
    t.match(listed.text, "format door (beta)");
    const ran = await runFile(CAIRN, ["run", "--once", "--config", "cairn.yaml"], folder);
    t.equal(ran.code, 0, failure(ran));
    const [line, ...more] = readFileSync(join(folder, "out.jsonl"), "utf8").trim().split("\n");
    const record = JSON.parse(line!);
    t.equal(record.eventName, "OpenDoor");
    t.equal(record.eventSource, "door.host.internal");
    t.same(
      more.map((text) => JSON.parse(text).eventName).filter((name) => name === "OpenDoor"),
      [],
    );
    const letters = await runFile(CAIRN, ["dead-letters", "ls", "--config", "cairn.yaml"], folder);
    t.match(letters.text, "Expected time, badge and door", "of its own RejectedInput");
  });

  await t.test("a plugin that ends the process when loaded is told, with its place", async (t) => {
    writeFileSync(join(folder, "exit.js"), "process.exit(0); export default 1;");
    writeFileSync(join(folder, "exit.yaml"), "plugins: [./exit.js]\nservice: {}\n");
    const ended = await runFile(CAIRN, ["validate", "--config", "exit.yaml"], folder);
    t.match(ended, { code: 3, text: "exit.yaml:1:11: plugins[0]: Plugin ends the process" });
  });

  for (const kind of KINDS) {
    await t.test(`plugin new ${kind}: its test passes, its configuration is valid`, async (t) => {
      const made = await runFile(CAIRN, ["plugin", "new", kind, "badge"], folder);
      t.equal(made.code, 0, failure(made));
      const own = join(folder, `cairn-${kind}-badge`);
      // Its test runs on Node, as tap does not start on Deno by itself: once, in the pass of Node.
      if (runtimeName === "node") {
        const tested = await run("node", [join(own, "index.test.js")], own);
        t.equal(tested.code, 0, failure(tested));
        t.match(tested.text, /^# Subtest|^ok 1/m);
      }
      const valid = await runFile(
        CAIRN,
        ["validate", "--config", join(own, "cairn.yaml")],
        folder,
      );
      t.equal(valid.code, 0, failure(valid));
      const again = await callCairn(["plugin", "new", kind, "badge", "--directory", own]);
      t.match(again, { code: 1, stderr: "it is not empty" });
    });
  }

  const once = runtimeName === "deno" && "the compiler runs on Node, in its pass";
  await t.test("the types of the SDK are found from outside", { skip: once }, async (t) => {
    const source = `import { defineFormat, NOTHING, RejectedInput } from "cairn-agent/sdk";
import { conformance } from "cairn-agent/sdk/conformance";
import t from "tap";
import { z } from "zod";
const plugin = defineFormat({
  type: "typed", stability: "beta", summary: "Typed", config: z.strictObject({ n: z.int() }),
  create: ({ n }) => ({
    decode: (frame, at) => {
      const sum: number = n + at.offset + frame.length;
      if (sum < 0) throw new RejectedInput("Less than nothing");
      return NOTHING;
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});
await conformance(t, plugin, { minimal: { n: 1 }, frames: [] });
export default plugin;
`;
    writeFileSync(join(folder, "typed.ts"), source);
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const types = join(root, "node_modules", "@types");
    const args = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
    ];
    const more = ["--skipLibCheck", "--types", "node", "--typeRoots", types, "typed.ts"];
    const checked = await run("node", [tsc, ...args, ...more], folder);
    t.equal(checked.code, 0, failure(checked));
  });
});
