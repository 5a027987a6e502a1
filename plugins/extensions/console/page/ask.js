// Asks the agent. Errors are sentences that can be shown.

/**
 * @template T
 * @param {string} path
 * @param {URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function ask(path, query, signal) {
  const address = query === undefined ? path : `${path}?${query}`;
  const answer = await reach(address, signal);
  if (answer.ok) return await answer.json();
  const text = await answer.text();
  throw new Error(messageOf(text) ?? `The agent answered with ${answer.status}: ${text.trim()}`);
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
async function reach(address, signal) {
  try {
    return await fetch(address, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error("Cannot reach the agent: does it run?", { cause: error });
  }
}

/** @param {string} text */
function messageOf(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}
