// Format vault: documents of Vault's audit devices (also OpenBao's). lines.ts joins those that stand
// over several lines, pair.ts joins requests with their responses, describe.ts says what happened.

import { Buffer } from "node:buffer";
import type { AuditEvent } from "../../sdk/event.ts";
import { defineFormat, type FormatContext } from "../../sdk/factory.ts";
import type { Decoded, Format, FramePosition } from "../../sdk/format.ts";
import { NOTHING } from "../../sdk/format.ts";
import { parseJsonFrames, textIn, timeAt } from "../../sdk/json-frame.ts";
import { config, type VaultConfig } from "./config.ts";
import { describeExchange, exchangeId } from "./describe.ts";
import { Lines } from "./lines.ts";
import { type Document, type Exchange, Pairs } from "./pair.ts";

const UNFINISHED = "unfinished document over several lines";
// What Vault's option `prefix` is usually set to.
const CEE = Buffer.from("@cee:");

class VaultFormat implements Format {
  readonly #lines: Lines;
  readonly #pairs: Pairs;
  readonly #ignored: FormatContext["ignored"];

  constructor(options: VaultConfig, ignored: FormatContext["ignored"]) {
    this.#ignored = ignored;
    this.#lines = new Lines(
      options.max_document_bytes,
      () => ignored(UNFINISHED),
    );
    this.#pairs = new Pairs({
      waitMs: options.wait,
      requestsMax: options.max_open_requests,
      bytesMax: options.max_open_bytes,
    });
  }

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    const cut = bytes.subarray(0, CEE.length).equals(CEE) ? bytes.subarray(CEE.length) : bytes;
    const whole = this.#lines.add(cut, at);
    if (whole === undefined) return NOTHING;
    const [text, begin] = whole;
    const documents = this.#documents(text, begin, at);
    const done: Exchange[] = [];
    for (const document of documents) this.#add(document, text.length / documents.length, done);
    return events(done);
  }

  flush(nowMs: number): Decoded {
    if (nowMs === Infinity) this.#lines.end();
    return events(this.#pairs.flush(nowMs));
  }

  oldestPending(): FramePosition | undefined {
    return this.#pairs.oldestPending() ?? this.#lines.pending();
  }

  /** All that can be rejected is, before anything waits: flush() can reject nothing. */
  #documents(text: Uint8Array, begin: FramePosition, at: FramePosition): Document[] {
    const documents: Document[] = [];
    let left = 0;
    try {
      const roots = parseJsonFrames(text);
      const hashed = Buffer.from(text.buffer, text.byteOffset, text.byteLength).includes('"hmac-');
      for (let index = 0; index < roots.length; index++) {
        const root = roots[index]!;
        const type = textIn(root, "type");
        if (type !== "request" && type !== "response") left++;
        else documents.push({ root, type, at: begin, index, hashed, time: timeAt(at, root.time) });
      }
    } catch (error) {
      // The frame at hand is rejected; the lines before it were taken.
      if (begin !== at) this.#ignored(UNFINISHED);
      throw error;
    }
    if (left > 0) this.#ignored("no audit document: neither request nor response", left);
    return documents;
  }

  #add(document: Document, bytes: number, done: Exchange[]): void {
    const id = exchangeId(document.root);
    if (document.type === "response") {
      done.push(id === undefined ? { response: document } : this.#pairs.response(id, document));
    } else if (id === undefined) done.push({ request: document });
    else this.#pairs.request(id, document, bytes, done);
  }
}

function events(exchanges: readonly Exchange[]): Decoded {
  if (exchanges.length === 0) return NOTHING;
  const made: AuditEvent[] = [];
  for (const exchange of exchanges) made.push(describeExchange(exchange));
  return { events: made };
}

export default defineFormat({
  type: "vault",
  stability: "beta",
  summary: "HashiCorp Vault and OpenBao audit devices: one event per request and its response",
  config,
  create: (options, { ignored }) => new VaultFormat(options, ignored),
});
