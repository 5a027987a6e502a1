// The secret texts of a configuration, for whoever must keep them out of what the agent shows.

import { Secret } from "../../plugins/sdk/secret.ts";
import type { ResolvedConfig } from "../config/resolved.ts";

// Options are shallow; a plugin's own object may lead anywhere.
const DEPTH_MAX = 8;

/** Every text that an option marked as a secret holds, longest first. */
export function secretsOf(config: ResolvedConfig): readonly string[] {
  const found = new Set<string>();
  const { receivers, processors, exporters, extensions, metrics, traces, logs } = config;
  for (const components of [receivers, processors, exporters, extensions]) {
    for (const component of components.values()) collect(component.config, 0, found);
  }
  for (const telemetry of [metrics, traces, logs]) collect(telemetry, 0, found);
  return [...found].sort((one, other) => other.length - one.length);
}

function collect(value: unknown, depth: number, found: Set<string>): void {
  if (value instanceof Secret) found.add(value.reveal());
  else if (typeof value === "object" && value !== null && depth < DEPTH_MAX) {
    for (const member of Object.values(value)) collect(member, depth + 1, found);
  }
}
