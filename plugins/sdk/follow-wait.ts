// Waits that end early: a pause with a signal, a promise with a deadline.

/** Resolves after the time or when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Waits for a promise, however it ends, but not longer than the deadline. */
export async function settledOr(promise: Promise<void>, deadline: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      deadline.removeEventListener("abort", done);
      resolve();
    };
    deadline.addEventListener("abort", done);
    promise.then(done, done);
    if (deadline.aborted) done();
  });
}
