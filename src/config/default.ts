// What `cairn run` does without --config: the sources of this host into a trail in data_dir.

import type { ConfigSource } from "./load.ts";

/** The embedded configuration, with its trail below that data_dir. */
export function defaultConfig(dataDir: string): ConfigSource {
  // The receiver waits where there is no audit log yet: one that comes later is recorded too.
  const text = `
receivers:
  auditd:
exporters:
  trail:
    directory: ${JSON.stringify(`${dataDir}/trail`).replaceAll("$", "$$$$")}
service:
  pipelines:
    audit: { receivers: [auditd], exporters: [trail] }
`;
  return { name: "embedded default", text };
}
