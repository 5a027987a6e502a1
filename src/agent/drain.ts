// Waiting for the end of all sources that have one, and for all they held to be delivered: `--once`.

import type { Receiver } from "../../plugins/sdk/index.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { untilAborted } from "./deadline.ts";

/** What `drained` could not wait for. */
export interface Drained {
  /** Ids of receivers whose sources have no end. */
  readonly endless: readonly string[];
  /** Receivers that could not read their source to its end, and why. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

/** Resolves when every finite source is read to its end and all of it is delivered. */
export async function drain(
  sources: ReadonlyMap<string, { readonly receiver: Receiver }>,
  pipelines: readonly Pipeline[],
  signal?: AbortSignal,
): Promise<Drained> {
  const endless: string[] = [];
  const failed: { id: string; reason: string }[] = [];
  await Promise.all(Array.from(sources, async ([id, { receiver }]) => {
    if (receiver.drain === undefined) return endless.push(id);
    try {
      await untilAborted(receiver.drain(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      failed.push({ id, reason: error instanceof Error ? error.message : String(error) });
    }
  }));
  await Promise.all(pipelines.map((pipeline) => pipeline.drained(signal)));
  return { endless, failed };
}
