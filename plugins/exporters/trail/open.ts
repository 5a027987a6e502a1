// What a trail works with, made out of its options: where it writes, and whom it tells. What is of
// AWS is loaded only where the options name it.

import type { ComponentContext, Host } from "../../sdk/index.ts";
import type { TrailConfig } from "./config.ts";
import type { DigestChain } from "./digest-chain.ts";
import { openDigests } from "./digest-options.ts";
import { FolderStore } from "./folder-store.ts";
import { Notifier } from "./notify.ts";
import type { TrailStore } from "./store.ts";

/** The parts of a trail that hold files and connections. */
export interface OpenTrail {
  readonly store: TrailStore;
  readonly notifier: Notifier | undefined;
  readonly digests: DigestChain | undefined;
  /** Clears what a crash left, goes on with what was left to do. Rejects with a RetryableError. */
  start(host: Host): Promise<void>;
  /** Lets go of all. Safe twice; `start` may follow. */
  stop(deadline: AbortSignal): Promise<void>;
}

// A start does not wait longer for a store that does not answer.
const OPEN_MS = 10_000;

/**
 * Makes the parts; opens nothing. `arn` is the trail's own; `onDigests` is told of each round of
 * digests what is wrong, undefined for nothing.
 */
export async function openTrail(
  options: TrailConfig,
  arn: string,
  context: ComponentContext,
  onDigests: (problem: string | undefined) => void,
): Promise<OpenTrail> {
  const { store, notifier, closeTopic } = await makeParts(options, arn, context);
  const digests = await openDigests(options, store, context, onDigests);
  return {
    store,
    notifier,
    digests: digests?.chain,
    start: async () => {
      notifier?.start();
      try {
        await store.open(AbortSignal.timeout(OPEN_MS));
      } finally {
        digests?.chain.start();
      }
    },
    stop: async (deadline) => {
      await digests?.stop(deadline);
      await notifier?.stop();
      await closeTopic();
      await store.close();
    },
  };
}

interface Parts extends Pick<OpenTrail, "store" | "notifier"> {
  closeTopic(): Promise<void>;
}

async function makeParts(
  options: TrailConfig,
  arn: string,
  context: ComponentContext,
): Promise<Parts> {
  const { name, directory, bucket, sns_topic_arn: topicArn } = options;
  if (bucket === undefined) {
    const store = new FolderStore(directory!, name);
    return { store, notifier: undefined, closeTopic: async () => {} };
  }
  const { bucketStore, snsTopic } = await import("./bucket.ts");
  const store = bucketStore(bucket, arn, options, context);
  if (topicArn === undefined) return { store, notifier: undefined, closeTopic: async () => {} };
  const topic = snsTopic(topicArn, options, context);
  const { state, log, clock } = context;
  const publish = (text: string, signal: AbortSignal) => topic.publish({ text }, signal);
  const notifier = new Notifier({ bucket, publish, state, log, clock });
  return { store, notifier, closeTopic: () => topic.close() };
}
