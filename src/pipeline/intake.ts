// What a receiver is handed: its way through the door of a pipeline, or of several.

import type {
  AuditEvent,
  Intake,
  IntakeOptions,
  Position,
  RecordOptions,
} from "../../plugins/sdk/index.ts";
import type { AgentIdentity } from "../../plugins/sdk/index.ts";
import type { Queue } from "../queue/queue.ts";
import type { Admission } from "./admission.ts";
import { fromEvents, fromRecords } from "./draft.ts";
import { showEvent, showText } from "./taps.ts";

/** One receiver's intake into one pipeline. */
export function createIntake(
  receiver: string,
  admission: Admission,
  queue: Pick<Queue, "position">,
  agent: AgentIdentity,
): Intake {
  // The type, not the name: renaming a receiver leaves the eventIDs of its source as they are.
  const source = receiver.split("/", 1)[0]!;
  return {
    events: (events: readonly AuditEvent[], options?: IntakeOptions) => {
      admission.show("received", receiver, events, showEvent);
      const draft = (keep: boolean) => fromEvents(events, source, agent, keep);
      return admission.admit({ receiver, draft }, options);
    },
    records: (texts: readonly Uint8Array[], options?: IntakeOptions & RecordOptions) => {
      admission.show("received", receiver, texts, showText);
      const draft = (keep: boolean) => fromRecords(texts, agent, keep, options);
      return admission.admit({ receiver, draft }, options);
    },
    reject: (
      raw: Uint8Array,
      reason: string,
      options?: IntakeOptions & { readonly id?: string },
    ) => {
      const rejected = { raw, reason, code: "CAIRN_REJECTED_INPUT" };
      const id = options?.id;
      const draft = () => ({
        drafts: [],
        rejected: [id === undefined ? rejected : { ...rejected, id }],
      });
      return admission.admit({ receiver, draft }, options);
    },
    position: () => queue.position(receiver),
  };
}

/**
 * One intake over several pipelines, one after another: what the last one holds, all hold. So its
 * position is the position of all; a crash between two is made good by the first ones' windows.
 */
export function fanOut(intakes: readonly Intake[]): Intake {
  return {
    async events(events, options) {
      for (const intake of intakes) await intake.events(events, options);
    },
    async records(texts, options) {
      for (const intake of intakes) await intake.records(texts, options);
    },
    async reject(raw, reason, options) {
      for (const intake of intakes) await intake.reject(raw, reason, options);
    },
    position: (): Position | undefined => intakes.at(-1)?.position(),
  };
}
