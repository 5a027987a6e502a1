// Where each component is declared, and with which selectors: what an API says that reads the
// configuration and does not change it.

import type { Json } from "../../plugins/sdk/index.ts";
import type { Declaration, Declarations } from "../../plugins/sdk/declarations.ts";
import { check } from "./check.ts";
import { exporterOptions } from "./document.ts";
import { type ConfigNode, only } from "./node.ts";
import { formatPlace, type Place } from "./problem.ts";
import type { Section } from "./resolve.ts";

const KINDS = {
  receivers: "receiver",
  processors: "processor",
  exporters: "exporter",
  extensions: "extension",
} as const;

const SELECTORS = new Set(["event_selectors", "advanced_event_selectors"]);

/** Reads them out of the tree of a configuration without problems; `root` is its first place. */
export function declared(
  sections: Readonly<Record<keyof typeof KINDS, Section>>,
  root: Place,
): Declarations {
  const all = new Map<string, Declaration>();
  for (const [name, kind] of Object.entries(KINDS)) {
    for (const [id, { at, node }] of sections[name as keyof typeof KINDS].node.entries) {
      const selectors = kind === "exporter" ? selectorsOf(node) : {};
      all.set(`${kind}/${id}`, { place: formatPlace(at), ...selectors });
    }
  }
  return { source: root.source, component: (kind, id) => all.get(`${kind}/${id}`) };
}

function selectorsOf(node: ConfigNode): Omit<Declaration, "place"> {
  if (node.kind !== "map") return {};
  const checked = check(exporterOptions, { node: only(node, SELECTORS), at: node.at, path: [] });
  if (!checked.ok) return {};
  const { event_selectors: basic, advanced_event_selectors: advanced } = checked.value;
  // As they were checked, which is JSON: what is not there stays away.
  const plain = (selectors: unknown) => JSON.parse(JSON.stringify(selectors)) as Json[];
  return {
    ...(basic !== undefined && { eventSelectors: plain(basic) }),
    ...(advanced !== undefined && { advancedEventSelectors: plain(advanced) }),
  };
}
