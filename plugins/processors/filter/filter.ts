// Which rules a record matches. A rule's conditions must all hold; of a list of rules one is enough.

import {
  compileAdvancedEventSelectors,
  compileEventSelectors,
  selectable,
  type Selector,
} from "../../sdk/cloudtrail/selectors.ts";
import type { Batch, CloudTrailRecord } from "../../sdk/index.ts";
import type { FilterConfig, FilterRule } from "./config.ts";
import { compileField } from "./field.ts";

type Matches = (record: CloudTrailRecord) => boolean;

interface CompiledRule {
  readonly matches: Matches;
  readonly reason: string | undefined;
}

/**
 * Makes the filter: it answers the records that stay, the same batch where all do. `dropped` is told
 * the reason of each that does not, where its rule has one.
 */
export function compileFilter(
  config: FilterConfig,
  dropped: (reason: string) => void,
): (batch: Batch) => Batch {
  const keep = config.keep?.map(compileRule);
  const drop = config.drop.map(compileRule);
  const stays = (record: CloudTrailRecord): boolean => {
    if (keep !== undefined && !keep.some((rule) => rule.matches(record))) {
      if (config.keep_reason !== undefined) dropped(config.keep_reason);
      return false;
    }
    const hit = drop.find((rule) => rule.matches(record));
    if (hit?.reason !== undefined) dropped(hit.reason);
    return hit === undefined;
  };
  return (batch) => {
    const kept = batch.filter(stays);
    return kept.length === batch.length ? batch : kept;
  };
}

function compileRule(rule: FilterRule): CompiledRule {
  const conditions = [
    ...selectors(rule),
    ...(rule.event_pattern === undefined ? [] : [rule.event_pattern.matches]),
    ...(rule.fields ?? []).map((field) => compileField(field) as Matches),
  ];
  return { matches: (record) => conditions.every((holds) => holds(record)), reason: rule.reason };
}

function selectors(rule: FilterRule): readonly Matches[] {
  const found: Selector[] = [];
  if (rule.event_selectors !== undefined) found.push(compileEventSelectors(rule.event_selectors));
  if (rule.advanced_event_selectors !== undefined) {
    found.push(compileAdvancedEventSelectors(rule.advanced_event_selectors));
  }
  return found.map((wants) => (record) => wants(selectable(record)));
}
