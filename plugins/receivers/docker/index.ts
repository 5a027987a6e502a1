// Receiver `docker`: follows the events of a container engine over its API. run.ts is one run of it,
// engine.ts the connection, seen.ts the position; what an event means is format docker's business.

import { defineReceiver, type Receiver } from "../../sdk/index.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { DockerRun } from "./run.ts";

export default defineReceiver({
  type: "docker",
  stability: "beta",
  summary: "Follows the events of Docker or Podman over the engine's socket",
  config,
  formats: ({ max_labels }) => [{ name: "docker", config: { max_labels } }],
  check,
  create(config, context, intake): Receiver {
    let run: DockerRun | undefined;
    return {
      start(host) {
        if (run === undefined) {
          run = new DockerRun(config, context, intake, host);
          run.start();
        }
        return Promise.resolve();
      },
      drain: () => run?.drain() ?? Promise.resolve(),
      async stop(deadline) {
        const stopped = run;
        run = undefined;
        await stopped?.stop(deadline);
      },
    };
  },
});
