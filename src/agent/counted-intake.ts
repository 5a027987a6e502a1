// What one receiver passes on: counted call by call, since the pipelines' books tell no receivers
// apart, and switched to other pipelines by a reload while the receiver goes on.

import type { Intake } from "../../plugins/sdk/index.ts";
import { untilAborted } from "./deadline.ts";

/** The counts of one receiver, since it was made. */
export interface IntakeCounts {
  /** Events and records that became durable, repeats included. */
  readonly accepted: number;
  /** Inputs it could not read, set aside. */
  readonly rejected: number;
  /** Not taken: they stay with the receiver or its sender, and may come again. */
  readonly refused: number;
}

/** A receiver's intake, and what the agent does with it. */
export interface CountedIntake {
  readonly intake: Intake;
  readonly counts: () => IntakeCounts;
  /** Where calls went until now. */
  readonly target: () => Intake;
  /** Calls from now on go there; those under way end where they began. */
  readonly switchTo: (target: Intake) => void;
  /** Resolves when no call is under way that began before; at the latest when the signal aborts. */
  readonly settled: (signal: AbortSignal) => Promise<void>;
}

/** The same intake, counted and able to be switched. */
export function countIntake(first: Intake): CountedIntake {
  const counts = { accepted: 0, rejected: 0, refused: 0 };
  const calls = new Set<Promise<void>>();
  let target = first;
  const count = async (call: Promise<void>, as: "accepted" | "rejected", number: number) => {
    calls.add(call);
    try {
      await call;
      counts[as] += number;
    } catch (error) {
      counts.refused += number;
      throw error;
    } finally {
      calls.delete(call);
    }
  };
  return {
    intake: {
      events: (events, options) => count(target.events(events, options), "accepted", events.length),
      records: (texts, options) => count(target.records(texts, options), "accepted", texts.length),
      reject: (raw, reason, options) => count(target.reject(raw, reason, options), "rejected", 1),
      position: () => target.position(),
    },
    counts: () => ({ ...counts }),
    target: () => target,
    switchTo: (other) => void (target = other),
    async settled(signal) {
      await untilAborted(Promise.allSettled(calls), signal).catch(() => undefined);
    },
  };
}
