// Judges the outcome of a case: which record was meant by which expectation, and everything that is
// not as expected. Pure.

import { formatPath } from "../config/problem.ts";
import { compare, type Difference, type Expected, show, wording } from "./match.ts";
import type { PreparedCase } from "./prepare.ts";
import type { Outcome } from "./run.ts";
import type { CountName, ExpectedReason } from "./test-file.ts";

/** One thing that is not as expected. */
export interface Failure {
  /** Such as `records[0].userIdentity.userName`. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

/** An expected record and the one that came, by their numbers; one of them may be missing. */
export interface Pair {
  readonly expected: number | undefined;
  readonly got: number | undefined;
}

/** The judgement. */
export interface Evaluation {
  /** None: the case passed. */
  readonly failures: readonly Failure[];
  /** Who was compared with whom, in the order in which the records came. */
  readonly pairs: readonly Pair[];
}

// More differences say only that it is all different.
const FAILURES_MAX = 50;
const WHOLE: { exact: boolean; limit: number } = { exact: false, limit: 1 };

/** Judges an outcome. */
export function evaluate(one: PreparedCase, outcome: Outcome): Evaluation {
  const failures: Failure[] = [];
  if (outcome.failure !== undefined) {
    const expected = "the input read to its end";
    failures.push({ path: "input", expected, got: outcome.failure });
  }
  const pairs = one.records === undefined ? [] : pairUp(one, one.records, outcome.records);
  for (const pair of pairs) judgePair(one, pair, outcome, failures);
  const { expect } = one;
  if (one.isNew) failures.push({ path: "expect", expected: "something", got: "nothing yet" });
  else {
    judgeReasons(
      "rejected",
      expect.rejected,
      outcome.rejected.map(({ reason }) => reason),
      failures,
    );
    if (expect.ignored !== undefined) {
      judgeReasons("ignored", expect.ignored, [...outcome.ignored.keys()], failures);
    }
    for (const [name, expected] of Object.entries(expect.counts)) {
      const got = countOf(outcome, name as CountName);
      if (expected === undefined || got === expected) continue;
      failures.push({ path: `counts.${name}`, expected: String(expected), got: String(got) });
    }
  }
  return { failures: failures.slice(0, FAILURES_MAX), pairs };
}

/** One of an outcome's counts. */
export function countOf({ counts, ignored }: Outcome, name: CountName): number {
  if (name !== "ignored") return counts[name];
  return [...ignored.values()].reduce((sum, count) => sum + count, 0);
}

function judgePair(
  one: PreparedCase,
  { expected, got }: Pair,
  { records }: Outcome,
  failures: Failure[],
): void {
  if (failures.length >= FAILURES_MAX) return;
  if (expected === undefined) {
    const path = formatPath(["records", got!]);
    failures.push({ path, expected: "no further record", got: show(records[got!]) });
    return;
  }
  const path = ["records", expected];
  const wanted = one.records![expected]!;
  if (got === undefined) {
    failures.push({ path: formatPath(path), expected: wording(wanted), got: "no such record" });
    return;
  }
  const limit = FAILURES_MAX - failures.length;
  const exact = one.expect.exact;
  const differences: readonly Difference[] = compare(wanted, records[got], { exact, limit }, path);
  for (const difference of differences) {
    failures.push({ ...difference, path: formatPath(difference.path) });
  }
}

/** One by one where the order counts and the numbers agree; else whoever fits, then who is nearest. */
function pairUp(
  { expect }: PreparedCase,
  wanted: readonly Expected[],
  records: readonly unknown[],
): readonly Pair[] {
  if (expect.order !== "any" && wanted.length === records.length) {
    return records.map((_, i) => ({ expected: i, got: i }));
  }
  const exact = expect.exact;
  const fits = (expected: Expected, got: unknown) =>
    compare(expected, got, { ...WHOLE, exact }).length === 0;
  const takenBy = expect.order === "any"
    ? matchAny(wanted, records, fits)
    : matchInOrder(wanted, records, fits);
  const left = wanted.map((_, i) => i).filter((i) => !takenBy.includes(i));
  const pairs: Pair[] = records.map((record, got) => {
    const expected = takenBy[got] ?? takeNearest(left, wanted, record);
    return { expected, got };
  });
  return [...pairs, ...left.map((expected) => ({ expected, got: undefined }))];
}

type Fits = (expected: Expected, got: unknown) => boolean;

// Beyond this many more than expected, pairing them up explains nothing.
const SURPLUS_MAX = 1000;

/** For each record the first expected one, after those before, that it fits. */
function matchInOrder(
  wanted: readonly Expected[],
  records: readonly unknown[],
  fits: Fits,
): (number | undefined)[] {
  const takenBy: (number | undefined)[] = records.map(() => undefined);
  let from = 0;
  for (let i = 0; i < wanted.length; i++) {
    const end = Math.min(records.length, wanted.length + SURPLUS_MAX);
    for (let got = from; got < end; got++) {
      if (!fits(wanted[i]!, records[got])) continue;
      takenBy[got] = i;
      from = got + 1;
      break;
    }
  }
  return takenBy;
}

/** As many pairs as there can be: who finds all that fit taken asks their owners to move on. */
function matchAny(
  wanted: readonly Expected[],
  records: readonly unknown[],
  fits: Fits,
): (number | undefined)[] {
  const considered = records.slice(0, wanted.length + SURPLUS_MAX);
  const takenBy: (number | undefined)[] = records.map(() => undefined);
  const edges = wanted.map((expected) =>
    considered.flatMap((record, got) => fits(expected, record) ? [got] : [])
  );
  const place = (i: number, asked: Set<number>): boolean => {
    for (const got of edges[i]!) {
      if (asked.has(got)) continue;
      asked.add(got);
      const owner = takenBy[got];
      if (owner !== undefined && !place(owner, asked)) continue;
      takenBy[got] = i;
      return true;
    }
    return false;
  };
  wanted.forEach((_, i) => place(i, new Set()));
  return takenBy;
}

/** Takes the expected record with the fewest differences out of those that are left. */
function takeNearest(
  left: number[],
  wanted: readonly Expected[],
  record: unknown,
): number | undefined {
  let nearest: number | undefined;
  let least = FAILURES_MAX;
  for (const i of left.slice(0, SURPLUS_MAX)) {
    const { length } = compare(wanted[i]!, record, { exact: false, limit: least });
    if (length >= least) continue;
    nearest = i;
    least = length;
  }
  if (nearest !== undefined) left.splice(left.indexOf(nearest), 1);
  return nearest;
}

function judgeReasons(
  path: string,
  expected: readonly ExpectedReason[],
  got: readonly string[],
  failures: Failure[],
): void {
  const left = [...got];
  const missing: [number, ExpectedReason][] = [];
  expected.forEach((reason, i) => {
    const at = left.findIndex((text) =>
      typeof reason === "string" ? text === reason : reason.matches.test(text)
    );
    if (at >= 0) left.splice(at, 1);
    else missing.push([i, reason]);
  });
  for (const [i, reason] of missing) {
    const text = typeof reason === "string"
      ? show(reason)
      : `a match of /${reason.matches.source}/`;
    const other = left.shift();
    failures.push({
      path: formatPath([path, i]),
      expected: text,
      got: other === undefined ? "no such reason" : show(other),
    });
  }
  for (const text of left.slice(0, FAILURES_MAX)) {
    failures.push({ path, expected: "no further reason", got: show(text) });
  }
}
