// Processor `redact`: takes secrets out of records before they are stored. redact.ts does it.

import { defineProcessor, type Processor } from "../../sdk/index.ts";
import { config } from "./config.ts";
import { compileRedact } from "./redact.ts";

export default defineProcessor({
  type: "redact",
  stability: "beta",
  summary: "Hides, removes or hashes secrets in records, known ones without being told",
  config,
  create(options): Processor {
    const redact = compileRedact(options);
    return {
      start: () => Promise.resolve(),
      process(batch) {
        const redacted = batch.map(redact);
        return redacted.every((record, i) => record === batch[i]) ? batch : redacted;
      },
      stop: () => Promise.resolve(),
    };
  },
});
