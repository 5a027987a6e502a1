// What an operator has done with dead letters: replay and purge, asked of the running agent through
// its control socket, or done here where no agent runs. Both sides speak of letters by number.

import { z } from "zod";
import type { AgentIdentity } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { Run } from "../pipeline/removed-letters.ts";
import type { Replayed } from "../pipeline/replay.ts";
import { askControl } from "./ask-control.ts";
import { type ControlRoutes } from "./control.ts";
import type { DataDir } from "./data-dir.ts";
import { replayFormat } from "./replay-format.ts";
import { NotFoundError } from "./stores.ts";

export type { Replayed } from "../pipeline/replay.ts";
export type { Run } from "../pipeline/removed-letters.ts";

/** Most letters named in one order: few enough to be done within moments. */
export const ORDER_LETTERS_MAX = 256;
/** Most runs of letters named in one order. */
export const ORDER_RUNS_MAX = 10_000;
/** How long a replay waits for room in a queue that is full. */
const ROOM_MS = 10_000;
/** How long who asks waits for the answer: longer than the agent for room. */
const ANSWER_MS = 60_000;

const count = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const replayOrder = z.strictObject({
  pipeline: z.string(),
  numbers: z.array(count).max(ORDER_LETTERS_MAX),
  format: z.string().optional(),
});
const purgeOrder = z.strictObject({
  pipeline: z.string(),
  runs: z.array(z.tuple([count, count])).max(ORDER_RUNS_MAX),
});

/** Who does what is ordered. */
export interface DeadLetterDesk {
  /**
   * `format` names the one that reads what receivers set aside; without it, their own does. When
   * `asking` aborts, nobody waits for the answer, and so nothing waits for room in the queue.
   */
  replay(
    pipeline: string,
    numbers: readonly number[],
    format?: string,
    asking?: AbortSignal,
  ): Promise<Replayed>;
  /** Answers how many of them were there. */
  purge(pipeline: string, runs: readonly Run[]): Promise<number>;
}

/** What a desk in the agent itself works with. */
export interface DeskParts {
  readonly config: () => Pick<ResolvedConfig, "receivers" | "formats">;
  readonly agent: AgentIdentity;
  readonly pipelines: () => readonly Pipeline[];
}

/** The desk of the process that has the pipelines open. */
export function openDesk({ config, agent, pipelines }: DeskParts): DeadLetterDesk {
  const find = (name: string) => {
    const pipeline = pipelines().find((each) => each.name === name);
    if (pipeline !== undefined) return pipeline;
    throw new NotFoundError(`The agent has no pipeline "${name}"`);
  };
  return {
    async replay(pipeline, numbers, name, asking) {
      const target = find(pipeline);
      const format = await replayFormat(config(), agent, name);
      const patience = AbortSignal.timeout(ROOM_MS);
      const signal = asking === undefined ? patience : AbortSignal.any([patience, asking]);
      return await target.replay({ numbers, format, named: name !== undefined, signal });
    },
    purge: async (pipeline, runs) => await find(pipeline).purge(runs),
  };
}

/** How the agent takes orders. */
export function deskRoutes(desk: DeadLetterDesk): ControlRoutes {
  return {
    "POST /dead-letters/replay": (value, asking) => {
      const { pipeline, numbers, format } = replayOrder.parse(value);
      return desk.replay(pipeline, numbers, format, asking);
    },
    "POST /dead-letters/purge": (value) => {
      const { pipeline, runs } = purgeOrder.parse(value);
      return desk.purge(pipeline, runs);
    },
  };
}

/** The desk of a running agent, asked through its socket; throws AgentNotRunningError. */
export function remoteDesk({ socket }: DataDir): DeadLetterDesk {
  const ask = (path: string, value: object) =>
    askControl(socket, path, { value, answerMs: ANSWER_MS });
  return {
    replay: async (pipeline, numbers, format) =>
      await ask("/dead-letters/replay", { pipeline, numbers, format }) as Replayed,
    purge: async (pipeline, runs) => await ask("/dead-letters/purge", { pipeline, runs }) as number,
  };
}
