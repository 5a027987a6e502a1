// Processor `enrich`: says in each record where it was made, and what tables say of its fields.
// environment.ts keeps what is known, enrich.ts puts it into a record.

import { checkReadable } from "../../sdk/check-path.ts";
import { defineProcessor, type Processor } from "../../sdk/index.ts";
import { config } from "./config.ts";
import { type Enrichment, enrichRecord } from "./enrich.ts";
import { Environment } from "./environment.ts";

export default defineProcessor({
  type: "enrich",
  stability: "beta",
  summary: "Adds host, cloud, container and Kubernetes identity, and values from tables",
  config,
  check: async ({ tables }) =>
    (await Promise.all(tables.map(({ path }, i) => checkReadable(path, `tables[${i}].path`))))
      .flat(),
  create(options, context): Processor {
    let environment: Environment | undefined;
    return {
      start(host) {
        environment ??= new Environment(options, context, host);
        // Not waited for: what answers slowly must not hold up the start.
        environment.refresh();
        return Promise.resolve();
      },
      async process(batch) {
        if (environment === undefined || batch.length === 0) return batch;
        await environment.refresh();
        const enrichment: Enrichment = {
          member: options.member,
          environment: environment.known,
          host: options.every_record ? undefined : context.agent.host,
          tables: environment.tables,
        };
        const enriched = batch.map((record) => enrichRecord(record, enrichment));
        return enriched.every((record, i) => record === batch[i]) ? batch : enriched;
      },
      async stop() {
        const stopped = environment;
        environment = undefined;
        await stopped?.stop();
      },
    };
  },
});
