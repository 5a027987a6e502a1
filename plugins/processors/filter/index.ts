// Processor `filter`: drops records before they are stored. filter.ts decides; the pipeline counts.

import { defineProcessor, type Processor } from "../../sdk/index.ts";
import { config } from "./config.ts";
import { compileFilter } from "./filter.ts";

export default defineProcessor({
  type: "filter",
  stability: "beta",
  summary: "Keeps or drops records by selectors, event patterns and field conditions",
  config,
  create(options, context): Processor {
    const filter = compileFilter(options, (reason) => context.ignored(reason));
    return {
      start: () => Promise.resolve(),
      process: filter,
      stop: () => Promise.resolve(),
    };
  },
});
