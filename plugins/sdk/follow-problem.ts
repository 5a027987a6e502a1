// What stands in the way of reading, and which of it is told.

/** What stands in the way of reading a path. */
export interface Problem {
  readonly reason: string;
  /** It may well come: nothing is wrong yet. */
  readonly missing: boolean;
}

/** Says how the follower is doing: nothing wrong, or what. */
export type OnState = (problem: string | undefined, missing: boolean) => void;

/** Tells the problem that is most in need of somebody, and how many there are beside it. */
export function tellProblem(problems: ReadonlyMap<string, Problem>, onState: OnState): void {
  const all = [...problems].sort(([, a], [, b]) => Number(a.missing) - Number(b.missing));
  const first = all[0];
  if (first === undefined) return onState(undefined, false);
  const [path, { reason, missing }] = first;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
  onState(`Cannot read "${path}": ${reason}${more}`, missing);
}
