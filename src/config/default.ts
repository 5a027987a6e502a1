// What `cairn run` does without --config: the sources of this host into a trail in data_dir, and into
// the event history.

import { stringify } from "yaml";
import type { ConfigSource } from "./load.ts";

/** A receiver of the embedded configuration: its id and its options. */
export type DefaultReceiver = readonly [id: string, options: Readonly<Record<string, unknown>>];

/** The embedded configuration: these receivers, with the trail below that data_dir, and history. */
export function defaultConfig(
  dataDir: string,
  receivers: readonly DefaultReceiver[],
): ConfigSource {
  const document = {
    receivers: Object.fromEntries(receivers),
    exporters: { trail: { directory: `${dataDir}/trail` }, history: {} },
    service: {
      pipelines: {
        audit: { receivers: receivers.map(([id]) => id), exporters: ["trail", "history"] },
      },
    },
  };
  // A dollar sign in a path is no reference.
  return { name: "embedded default", text: stringify(document).replaceAll("$", "$$$$") };
}
