// Writes what came into the expected part of a test file: the cases that failed, and in them only
// what differs, so that comments, conditions that hold and partial records stay as they are.

import { parseDocument } from "yaml";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import { splice } from "./splice.ts";
import { countOf, type Evaluation, type Pair } from "./evaluate.ts";
import { compare, compileExpected, type Expected, isObject } from "./match.ts";
import type { PreparedCase } from "./prepare.ts";
import type { Outcome } from "./run.ts";
import type { CountName, ExpectedReason } from "./test-file.ts";

/** A case that was run, by its place in the file. */
export interface RunCase {
  readonly index: number;
  readonly one: PreparedCase;
  readonly outcome: Outcome;
  readonly evaluation: Evaluation;
}

/**
 * The file's text with what came. Cases whose input could not be read to its end stay as they are.
 * Throws where an alias stands in the way.
 */
export function updateText(text: string, cases: readonly RunCase[]): string {
  const document = parseDocument(text);
  const stale = cases.filter(isStale);
  for (const each of stale) new CaseUpdate(document, each).apply();
  return splice(text, document, stale.map(({ index }) => index));
}

/** Whether a case can be given what came: it failed, and its input was read to its end. */
export function isStale({ evaluation, outcome }: RunCase): boolean {
  return evaluation.failures.length > 0 && outcome.failure === undefined;
}

class CaseUpdate {
  readonly #document: Document;
  readonly #case: RunCase;
  readonly #expect: YAMLMap;

  constructor(document: Document, each: RunCase) {
    this.#document = document;
    this.#case = each;
    const path = ["cases", each.index, "expect"];
    const found = document.getIn(path, true);
    if (isMap(found)) this.#expect = found;
    else {
      this.#expect = new YAMLMap();
      document.setIn(path, this.#expect);
    }
  }

  apply(): void {
    const { one, outcome } = this.#case;
    const { isNew, expect } = one;
    if (isNew || one.records !== undefined) this.#records();
    const rejected = outcome.rejected.map(({ reason }) => reason);
    const ignored = [...outcome.ignored.keys()];
    this.#reasons("rejected", expect.rejected, rejected);
    const isNone = outcome.records.length === 0;
    const given = expect.ignored;
    if (given !== undefined) this.#reasons("ignored", given, ignored);
    else if (isNew || isNone && one.records !== undefined && one.records.length > 0) {
      this.#reasons("ignored", [], ignored);
    }
    for (const name of Object.keys(expect.counts) as CountName[]) {
      this.#count(name);
    }
    // A case without a record says why.
    if (isNone && rejected.length + ignored.length === 0) {
      if (countOf(outcome, "filtered") > 0) this.#count("filtered");
      if (countOf(outcome, "duplicate") > 0) this.#count("duplicate");
    }
  }

  #records(): void {
    const { outcome, evaluation: { pairs }, one } = this.#case;
    const { records } = outcome;
    const list = this.#expect.get("records", true);
    if (records.length === 0) return void this.#expect.set("records", "none");
    const old = isSeq(list) ? list.items : [];
    const inOrder = one.expect.order === "any" ? byExpected(pairs) : pairs;
    const items = one.records === undefined
      ? records.map((record) => this.#node(record))
      : inOrder.flatMap(({ expected, got }) => {
        if (got === undefined) return [];
        const node = expected === undefined ? undefined : old[expected];
        if (node === undefined) return [this.#node(records[got])];
        return [this.#updated(node as Node, one.records![expected!]!, records[got])];
      });
    if (isSeq(list)) list.items = items;
    else {
      const sequence = new YAMLSeq();
      sequence.items = items;
      this.#expect.set("records", sequence);
    }
  }

  /** The node with what differs replaced. */
  #updated(node: Node, expected: Expected, got: unknown): Node {
    const exact = this.#case.one.expect.exact;
    if (compare(expected, got, { exact, limit: 1 }).length === 0) return node;
    if (expected.kind === "map" && isMap(node) && isObject(got)) {
      for (const [key, item] of expected.entries) {
        const value = Object.hasOwn(got, key) ? got[key] : undefined;
        const below = node.get(key, true) as Node | undefined;
        if (below === undefined) continue;
        if (value !== undefined) node.set(key, this.#updated(below, item, value));
        else if (item.kind !== "exists" || item.exists) node.delete(key);
      }
      const more = exact ? Object.keys(got).filter((key) => !expected.entries.has(key)) : [];
      for (const key of more) node.set(key, this.#node(got[key]));
      return node;
    }
    if (
      expected.kind === "list" && isSeq(node) && Array.isArray(got) &&
      got.length === expected.items.length
    ) {
      node.items = node.items.map((item, i) =>
        this.#updated(item as Node, expected.items[i]!, got[i])
      );
      return node;
    }
    if (isAlias(node)) {
      // Its anchor may have been given what came already.
      const value: unknown = node.resolve(this.#document)?.toJS(this.#document);
      const target = compileExpected(value, [], []);
      if (compare(target, got, { exact, limit: 1 }).length === 0) return node;
    }
    const fresh = this.#node(got);
    fresh.comment = node.comment ?? null;
    fresh.commentBefore = node.commentBefore ?? null;
    if (isScalar(node) && isScalar(fresh)) keepQuotes(node, fresh);
    return fresh;
  }

  #reasons(name: string, expected: readonly ExpectedReason[], got: readonly string[]): void {
    const left = [...got];
    const isMet = (reason: ExpectedReason) => {
      const at = left.findIndex((text) =>
        typeof reason === "string" ? text === reason : reason.matches.test(text)
      );
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    };
    const kept = expected.filter(isMet);
    if (kept.length === expected.length && left.length === 0) return;
    if (got.length === 0) return void this.#expect.delete(name);
    const texts = kept.map((reason) =>
      typeof reason === "string" ? reason : { matches: reason.matches.source }
    );
    const all = [...texts, ...left];
    this.#expect.set(name, this.#node(all.length === 1 ? all[0] : all));
  }

  #count(name: CountName): void {
    const { outcome } = this.#case;
    const counts = this.#expect.get("counts", true);
    const value = countOf(outcome, name);
    if (isMap(counts)) counts.set(name, value);
    else this.#expect.set("counts", this.#node({ [name]: value }));
  }

  #node(value: unknown): Node {
    return this.#document.createNode(value) as Node;
  }
}

function byExpected(pairs: readonly Pair[]): readonly Pair[] {
  const place = ({ expected = Infinity }: Pair) => expected;
  return [...pairs].sort((a, b) => place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : 0);
}

function keepQuotes(old: Scalar, fresh: Scalar): void {
  const isText = typeof old.value === "string" && typeof fresh.value === "string";
  if (isText && old.type !== undefined) fresh.type = old.type;
}
