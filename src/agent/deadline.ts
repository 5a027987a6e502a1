// Waiting with an end: deadlines that keep the process alive until they have passed or are called
// off (the runtime's own timeout signal does not, and a stop would end in the middle), and promises
// that a signal can cut short.

import { setMaxListeners } from "node:events";

/** A signal that aborts after that time, and how to call it off. */
export function startDeadline(ms: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  // Every component listens while it stops; from eleven on, Node would warn of a leak.
  setMaxListeners(0, controller.signal);
  const timer = setTimeout(() => controller.abort(new Error("the time to stop is over")), ms);
  return { signal: controller.signal, cancel: () => clearTimeout(timer) };
}

/** The promise's end, or the signal's reason if that comes first. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const give = () => reject(signal.reason);
    if (signal.aborted) return give();
    signal.addEventListener("abort", give, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}
