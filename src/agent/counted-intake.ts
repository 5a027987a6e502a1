// What one receiver passed on, counted call by call: the pipelines' books tell no receivers apart.

import type { Intake } from "../../plugins/sdk/index.ts";

/** The counts of one receiver, since it was made. */
export interface IntakeCounts {
  /** Events and records that became durable, repeats included. */
  readonly accepted: number;
  /** Inputs it could not read, set aside. */
  readonly rejected: number;
  /** Not taken: they stay with the receiver or its sender, and may come again. */
  readonly refused: number;
}

/** The same intake, and what went through it so far. */
export function countIntake(
  intake: Intake,
): { readonly intake: Intake; readonly counts: () => IntakeCounts } {
  const counts = { accepted: 0, rejected: 0, refused: 0 };
  const count = async (call: Promise<void>, as: "accepted" | "rejected", number: number) => {
    try {
      await call;
      counts[as] += number;
    } catch (error) {
      counts.refused += number;
      throw error;
    }
  };
  return {
    intake: {
      events: (events, options) => count(intake.events(events, options), "accepted", events.length),
      records: (texts, options) => count(intake.records(texts, options), "accepted", texts.length),
      reject: (raw, reason, options) => count(intake.reject(raw, reason, options), "rejected", 1),
      position: () => intake.position(),
    },
    counts: () => ({ ...counts }),
  };
}
