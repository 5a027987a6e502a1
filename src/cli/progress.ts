// The progress line of `cairn run --once`: on a terminal only, rewritten in place.

import type { Agent } from "../agent/agent.ts";
import type { Output } from "./command.ts";

// Fast enough to look alive, slow enough to cost nothing.
const INTERVAL_MS = 250;

/** Shows the line until the returned function is called, which removes it. */
export function showProgress(agent: Agent, output: Output): () => void {
  if (!output.isTerminal) return () => {};
  const timer = setInterval(() => output.write(`\r${line(agent)}\x1b[K`), INTERVAL_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    output.write("\r\x1b[K");
  };
}

function line(agent: Agent): string {
  let received = 0;
  let stored = 0;
  const parts: string[] = [];
  for (const { counts, exporters } of agent.status().pipelines) {
    received += counts.received;
    stored += counts.stored;
    for (const { id, queued, retryInMs, lastError } of exporters) {
      const retry = retryInMs === undefined ? "" : ` (retrying: ${lastError})`;
      parts.push(`${id} ${queued} to go${retry}`);
    }
  }
  return `read ${received}, stored ${stored}; ${parts.join(", ")}`.slice(0, 120);
}
