// What `cairn plugin new` writes as index.js, one small working plugin of each kind. TYPE stands for
// the name that was given. Nothing in them is a template literal, so that nothing needs escapes.

import type { ComponentKind } from "../../plugins/sdk/index.ts";

const FORMAT = `// Format TYPE: one line "TIME USER ACTION" is one event.

import { defineFormat, NOTHING, RejectedInput } from "cairn-agent/sdk";
import { z } from "zod";

export default defineFormat({
  type: "TYPE",
  stability: "experimental",
  summary: "Lines of time, user and action",
  config: z.strictObject({
    service: z.string().default("TYPE").describe("Service that the events name"),
  }),
  create: ({ service }) => ({
    decode(frame, at) {
      const [time = "", name, action] = new TextDecoder().decode(frame).split(" ");
      if (!name || !action || Number.isNaN(Date.parse(time))) {
        throw new RejectedInput("Expected time, user and action");
      }
      const event = {
        // Where it was found: the same line has the same id after a restart, and no other has it.
        id: at.source + ":" + at.offset,
        time: Date.parse(time),
        service,
        action,
        actor: { type: "user", name },
        outcome: { success: true },
        readOnly: false,
        category: "Management",
      };
      return { events: [event] };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  }),
});
`;

const RECEIVER = `// Receiver TYPE: follows a file whose lines are "TIME USER ACTION".

import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { defineReceiver } from "cairn-agent/sdk";
import { z } from "zod";

const CHUNK_BYTES = 64 * 1024;
const POLL_MS = 200;

export default defineReceiver({
  type: "TYPE",
  stability: "experimental",
  summary: "Lines of time, user and action in a file",
  config: z.strictObject({
    path: z.string().min(1).describe("File to follow"),
  }),
  create: (config, context, intake) => new Receiver(config, intake),
});

class Receiver {
  #path;
  #intake;
  #stop = new AbortController();
  #running = Promise.resolve();

  constructor({ path }, intake) {
    this.#path = path;
    this.#intake = intake;
  }

  async start(host) {
    this.#stop = new AbortController();
    this.#running = this.#run(host, this.#stop.signal);
  }

  // Ends when the work has, at the latest with the deadline.
  async stop(deadline) {
    this.#stop.abort(new Error("Stopped"));
    const late = deferred();
    deadline.addEventListener("abort", late.resolve, { once: true });
    if (deadline.aborted) late.resolve();
    await Promise.race([this.#running, late.promise]);
    deadline.removeEventListener("abort", late.resolve);
  }

  async #run(host, signal) {
    while (!signal.aborted) {
      let moved = false;
      try {
        moved = await this.#readOnce(signal);
        host.report("running");
      } catch (error) {
        // Nothing is lost: the position is where it was, and the same lines are read again.
        if (!signal.aborted) host.report("waiting", error.message);
      }
      if (!moved) await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
  }

  // One chunk of whole lines, and the position behind it, durable together.
  async #readOnce(signal) {
    const offset = this.#intake.position()?.offset ?? 0;
    const chunk = await readChunk(this.#path, offset);
    const end = chunk.lastIndexOf(10) + 1 || (chunk.length === CHUNK_BYTES ? chunk.length : 0);
    if (end === 0) return false;
    const events = [];
    for (let from = 0; from < end;) {
      const found = chunk.indexOf(10, from);
      const to = found < 0 ? end : found;
      const id = this.#path + ":" + (offset + from);
      const line = chunk.subarray(from, to);
      const event = parse(line.toString(), id);
      if (event !== undefined) events.push(event);
      else if (line.length > 0) {
        await this.#intake.reject(line, "Expected time, user and action", { id, signal });
      }
      from = to + 1;
    }
    await this.#intake.events(events, { position: { offset: offset + end }, signal });
    return true;
  }
}

async function readChunk(path, offset) {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function parse(line, id) {
  const [time = "", name, action] = line.split(" ");
  if (!name || !action || Number.isNaN(Date.parse(time))) return undefined;
  return {
    id,
    time: Date.parse(time),
    service: "TYPE",
    action,
    actor: { type: "user", name },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
  };
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => resolve = done);
  return { promise, resolve };
}
`;

const PROCESSOR = `// Processor TYPE: drops the records of some actions.

import { defineProcessor } from "cairn-agent/sdk";
import { z } from "zod";

export default defineProcessor({
  type: "TYPE",
  stability: "experimental",
  summary: "Drops records by the name of their action",
  config: z.strictObject({
    drop: z.array(z.string()).default([]).describe("Names of actions, such as UserLogin"),
  }),
  create: ({ drop }) => ({
    async start() {},
    async stop() {},
    // Records are never changed in place: answer the same object, or another.
    process: (batch) => batch.filter((record) => !drop.includes(record.eventName)),
  }),
});
`;

const EXPORTER = `// Exporter TYPE: one file of JSON lines for each batch.

import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineExporter, RetryableError } from "cairn-agent/sdk";
import { z } from "zod";

export default defineExporter({
  type: "TYPE",
  stability: "experimental",
  summary: "A file of JSON lines for each batch",
  config: z.strictObject({
    directory: z.string().min(1).describe("Folder of the files"),
  }),
  create: ({ directory }) => ({
    async start() {},
    async stop() {},
    async export(batch, signal) {
      signal.throwIfAborted();
      // Named by its range: a batch that comes again is the same file.
      const path = join(directory, batch.range.first + "-" + batch.range.last + ".jsonl");
      const text = batch.records.map(({ bytes }) => new TextDecoder().decode(bytes) + "\\n").join("");
      try {
        await mkdir(directory, { recursive: true });
        await writeFile(path + ".part", text, { flush: true });
        await rename(path + ".part", path);
      } catch (error) {
        throw new RetryableError('Cannot write "' + path + '": ' + error.message, { cause: error });
      }
    },
  }),
});
`;

const EXTENSION = `// Extension TYPE: says in the log, now and then, that the agent is alive.

import { defineExtension, duration } from "cairn-agent/sdk";
import { z } from "zod";

export default defineExtension({
  type: "TYPE",
  stability: "experimental",
  summary: "A line in the log now and then",
  config: z.strictObject({
    interval: duration.prefault("1m").describe("How often"),
  }),
  create({ interval }, context) {
    let timer;
    return {
      async start(host) {
        timer = setInterval(() => context.log.info("Alive"), interval);
        host.report("running");
      },
      async stop() {
        clearInterval(timer);
      },
    };
  },
});
`;

/** index.js by kind. */
export const PLUGIN_CODE: Readonly<Record<ComponentKind, string>> = {
  receiver: RECEIVER,
  format: FORMAT,
  processor: PROCESSOR,
  exporter: EXPORTER,
  extension: EXTENSION,
};
