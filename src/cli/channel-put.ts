// `cairn channel put`: hands audit events from a file or standard input to a channel of the running
// agent, as PutAuditEvents would.

import { Buffer, isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import process from "node:process";
import type { AuditEventEntry } from "../../plugins/sdk/channel-service.ts";
import { RecordSplitter } from "../../plugins/sdk/cloudtrail/record-splitter.ts";
import type { Span } from "../../plugins/sdk/cloudtrail/span.ts";
import { putEvents } from "../agent/channel-orders.ts";
import type { DataDir } from "../agent/data-dir.ts";
import { type Arguments, type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, DATA_DIR_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { escapeText } from "./printable.ts";

const EVENTS_MAX = 100;
/** Below what the agent's socket takes in one question. */
const BATCH_BYTES_MAX = 900 * 1024;
/** A whole call of 100 events, with everything in them escaped. */
const OBJECT_BYTES_MAX = 16 * 1024 * 1024;
const SHOWN_MAX = 20;
const ID_SHOWN = 128;

/** The command. */
export const channelPut: Command = {
  name: "channel put",
  summary: "Hand audit events to a channel of the running agent",
  words: "FILE",
  description:
    "Reads JSON: events as PutAuditEvents takes them (id and eventData, or a call's auditEvents)\n" +
    "or the events themselves, in a list, one a line or one after another; - is standard input.\n" +
    "What is taken is durable; run again, the same UID is stored once. Ends with 1 where events\n" +
    "were refused.",
  options: {
    channel: {
      type: "string",
      value: "NAME",
      help: "Channel by name, id or ARN; needed for several",
    },
    json: { type: "boolean", help: "Print what became of each event, as JSON, one a line" },
    ...DATA_DIR_OPTIONS,
  },
  async run(args, shell) {
    const [file, ...more] = args.words;
    if (file === undefined || more.length > 0) throw new UsageError("Name one file, or -");
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const sender = new Sender(chosen.dataDir, args, shell);
    try {
      for await (const entry of entriesOf(file, sender)) await sender.add(entry);
      await sender.send();
    } finally {
      sender.summarize();
    }
    return sender.failed === 0 ? EXIT.ok : EXIT.failure;
  },
};

/** Sends batches, and counts what becomes of them. */
class Sender {
  failed = 0;
  #taken = 0;
  #bytes = 0;
  #batch = new Map<string, AuditEventEntry>();
  readonly #dataDir: DataDir;
  readonly #channel: string | undefined;
  readonly #isJson: boolean;
  readonly #shell: Shell;

  constructor(dataDir: DataDir, { values, flags }: Arguments, shell: Shell) {
    this.#dataDir = dataDir;
    this.#channel = values.channel?.[0];
    this.#isJson = flags.has("json");
    this.#shell = shell;
  }

  async add(entry: AuditEventEntry): Promise<void> {
    const bytes = Buffer.byteLength(JSON.stringify(entry));
    if (bytes > BATCH_BYTES_MAX) {
      return this.refuse(entry.id.slice(0, ID_SHOWN), "FieldTooLong", "The event is too long");
    }
    const isFull = this.#batch.size >= EVENTS_MAX || this.#bytes + bytes > BATCH_BYTES_MAX;
    // In one call, no two events have the same id.
    if (isFull || this.#batch.has(entry.id)) await this.send();
    this.#batch.set(entry.id, entry);
    this.#bytes += bytes;
  }

  async send(): Promise<void> {
    if (this.#batch.size === 0) return;
    const batch = [...this.#batch.values()];
    const { successful, failed } = await putEvents(this.#dataDir, this.#channel, batch);
    this.#batch = new Map();
    this.#bytes = 0;
    this.#taken += successful.length;
    if (this.#isJson) { for (const event of successful) this.#print(event); }
    for (const { id, errorCode, errorMessage } of failed) this.refuse(id, errorCode, errorMessage);
  }

  refuse(id: string, errorCode: string, errorMessage: string): void {
    this.failed++;
    if (this.#isJson) return this.#print({ id, errorCode, errorMessage });
    if (this.failed > SHOWN_MAX) return;
    this.#shell.error.write(`Event ${escapeText(id)}: ${errorCode}: ${escapeText(errorMessage)}\n`);
  }

  summarize(): void {
    if (this.failed > SHOWN_MAX && !this.#isJson) {
      this.#shell.error.write(`… and ${this.failed - SHOWN_MAX} more\n`);
    }
    const noun = this.#taken === 1 ? "event" : "events";
    const text = `${this.#taken} ${noun} taken, ${this.failed} refused\n`;
    (this.#isJson ? this.#shell.error : this.#shell.out).write(text);
  }

  #print(value: unknown): void {
    this.#shell.out.write(`${JSON.stringify(value)}\n`);
  }
}

/** The events of a file, in order; what is none is told as refused. */
async function* entriesOf(file: string, sender: Sender): AsyncGenerator<AuditEventEntry> {
  const limits = { recordBytesMax: OBJECT_BYTES_MAX, bytesMax: Infinity };
  const splitter = new RecordSplitter(limits);
  let number = 0;
  const read = function* (spans: readonly Span[]) {
    for (const { bytes, problem } of spans) {
      const wrong = problem ?? (isUtf8(bytes) ? undefined : "Text is no UTF-8");
      if (wrong !== undefined) sender.refuse(String(++number), "InvalidData", wrong);
      else for (const entry of unwrap(Buffer.from(bytes).toString())) yield named(entry, ++number);
    }
  };
  const stream = file === "-" ? process.stdin : createReadStream(file);
  try {
    for await (const block of stream as AsyncIterable<Uint8Array>) {
      yield* read(splitter.push(block));
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    throw new UsageError(`Cannot read "${file}": ${code}`);
  }
  yield* read(splitter.end());
}

type Unnamed = Omit<AuditEventEntry, "id"> & { readonly id?: string };

/** A call's events, an event with its data as text, or the data itself, whose text stays as it is. */
function unwrap(text: string): readonly Unnamed[] {
  const value = parse(text);
  const { auditEvents, eventData } = value;
  if (Array.isArray(auditEvents)) return auditEvents.map((item) => entryOf(item, "null"));
  return [entryOf(value, eventData === undefined ? text : "null")];
}

function entryOf(value: unknown, text: string): Unnamed {
  const { id, eventData, eventDataChecksum } = (value ?? {}) as Record<string, unknown>;
  const data = typeof eventData === "string"
    ? eventData
    : eventData === undefined
    ? text
    : JSON.stringify(eventData);
  return {
    eventData: data,
    ...(typeof id === "string" && eventData !== undefined && { id }),
    ...(typeof eventDataChecksum === "string" && { eventDataChecksum }),
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // The channel says of it what is wrong.
    return {};
  }
}

function named({ id, ...entry }: Unnamed, number: number): AuditEventEntry {
  return { id: id ?? String(number), ...entry };
}
