// Format `k8s_audit`: audit events of the Kubernetes API server to AuditEvents, one for each request.
// read.ts finds them in a frame, stages.ts makes the stages of a request one, describe.ts says what
// happened.

import type { AuditEvent } from "../../sdk/event.ts";
import { defineFormat, type FormatContext } from "../../sdk/factory.ts";
import { type Decoded, type Format, type FramePosition, NOTHING } from "../../sdk/format.ts";
import { frameId, textIn } from "../../sdk/json-frame.ts";
import type { JsonObject } from "../../sdk/json.ts";
import type { JsonLimits } from "../../sdk/json-object.ts";
import { receivedOnlyId } from "../../sdk/received-only.ts";
import { config, type K8sConfig } from "./config.ts";
import { describeEvent, type DescribeOptions, timeOf } from "./describe.ts";
import { readEvents } from "./read.ts";
import { Stages, type Waiting } from "./stages.ts";

class K8sAuditFormat implements Format {
  readonly #limits: JsonLimits;
  readonly #options: DescribeOptions;
  readonly #waitMs: number;
  readonly #stages: Stages;
  readonly #ignored: FormatContext["ignored"];

  constructor(options: K8sConfig, context: FormatContext) {
    this.#limits = { bytesMax: options.max_bytes, depthMax: options.max_depth };
    this.#options = { cluster: options.cluster, requestObjects: options.request_objects };
    this.#waitMs = options.wait;
    this.#stages = new Stages(options.max_waiting);
    this.#ignored = context.ignored;
  }

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    const found = readEvents(frame, this.#limits, this.#ignored);
    // First what can fail: a frame that is rejected leaves what waits as it was.
    const times = found.map((event) => timeOf(event, at));
    const events: AuditEvent[] = [];
    for (let index = 0; index < found.length; index++) {
      const key = keyOf(found[index]!, at, index);
      const told = this.#take(found[index]!, key, times[index]!, at);
      if (told !== undefined) events.push(told);
    }
    for (const one of this.#stages.overflow()) events.push(this.#unanswered(one));
    return events.length === 0 ? NOTHING : { events };
  }

  flush(nowMs: number): Decoded {
    const waited = this.#stages.flush(nowMs, this.#waitMs);
    if (waited.length === 0) return NOTHING;
    return { events: waited.map((one) => this.#unanswered(one)) };
  }

  oldestPending(): FramePosition | undefined {
    return this.#stages.oldest();
  }

  #take(
    event: JsonObject,
    key: string,
    time: number,
    at: FramePosition,
  ): AuditEvent | undefined {
    switch (this.#stages.take(key, event, time, at)) {
      case "tell":
        return describeEvent(event, key, time, this.#options);
      case "panic":
        return describeEvent(event, `${key}:Panic`, time, this.#options);
      case "told":
        this.#ignored("told already: another stage of a request");
    }
    return undefined;
  }

  #unanswered({ key, event, time }: Waiting): AuditEvent {
    return describeEvent(event, receivedOnlyId(key), time, this.#options);
  }
}

/**
 * What all stages of a request share. Clients may choose the auditID, so it alone could be another's:
 * the moment the request was received goes with it.
 */
function keyOf(event: JsonObject, at: FramePosition, index: number): string {
  const id = textIn(event, "auditID");
  if (id === undefined) return frameId(at, index);
  const received = textIn(event, "requestReceivedTimestamp") ?? textIn(event, "timestamp");
  return received === undefined ? id : `${id}:${received}`;
}

export default defineFormat({
  type: "k8s_audit",
  stability: "beta",
  summary: "Audit events of the Kubernetes API server, one a frame or lists of them",
  config,
  create: (options, context) => new K8sAuditFormat(options, context),
});
