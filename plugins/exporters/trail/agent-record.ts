// What agents themselves remember of the digests they wrote, out of a data_dir: against it, digests
// that are gone from the end of a chain are seen, and log files that are in none yet.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { diskError } from "../../sdk/disk-error.ts";
import type { TrailPublicKey } from "../../sdk/trail-service.ts";
import { readChains } from "./digest-journal.ts";
import type { Chain } from "./journal-line.ts";
import { readPublicKeys } from "./key-ring.ts";

/** See above. */
export interface AgentRecord {
  readonly chains: readonly Chain[];
  readonly publicKeys: readonly TrailPublicKey[];
}

/** The folder of a component that holds its journal and keys. */
export function digestFolder(component: string): string {
  return join(component, "digests");
}

/**
 * Reads the records of every trail; a running agent goes on. Rejects with a RetryableError where
 * there is no data_dir, or it cannot be read.
 */
export async function readAgentRecord(dataDir: string): Promise<AgentRecord> {
  const components = join(dataDir, "components");
  const chains: Chain[] = [];
  const publicKeys: TrailPublicKey[] = [];
  let path = components;
  try {
    const names = await readdir(components);
    for (const name of names.filter((name) => name.startsWith("exporter."))) {
      path = digestFolder(join(components, name));
      chains.push(...await readChains(path));
      publicKeys.push(...await readPublicKeys(path));
    }
  } catch (error) {
    throw diskError("read what the agent remembers in", path, error);
  }
  return { chains, publicKeys };
}
