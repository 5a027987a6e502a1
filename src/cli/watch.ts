// A text that is shown again and again: drawn over itself on a terminal, block after block elsewhere.

import type { Shell } from "./command.ts";

// Back to the first line; the end of each line and all below it is cleared, so that nothing flickers.
const HOME = "\x1b[H";
const LINE_END = "\x1b[K\n";
const CLEAR_BELOW = "\x1b[J";
const CLEAR = "\x1b[2J";

/**
 * Shows what `draw` answers, at once and then each interval, until a signal comes or nobody reads
 * any more. Rejects where the first text cannot be had; later the reason is shown in its place.
 */
export async function watch(
  draw: () => Promise<string>,
  shell: Shell,
  intervalMs = 1000,
): Promise<void> {
  const stop = new AbortController();
  const close = shell.onSignal(() => stop.abort());
  const stopped = aborted(stop.signal);
  try {
    let text = await draw();
    if (shell.out.isTerminal) shell.out.write(CLEAR);
    while (!stop.signal.aborted) {
      shell.out.write(shell.out.isTerminal ? overLast(text) : text);
      // A reader that is stuck must not outlast the signal.
      const isRead = await Promise.race([shell.out.taken(), stopped]);
      if (!isRead || !await pause(intervalMs, stop.signal)) return;
      text = await draw().catch((error: unknown) => `${messageOf(error)}\n`);
    }
  } finally {
    close();
  }
}

function overLast(text: string): string {
  return `${HOME}${text.replaceAll("\n", LINE_END)}${CLEAR_BELOW}`;
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
}

/** False when the signal came first. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
