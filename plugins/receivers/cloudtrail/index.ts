// Receiver `cloudtrail`: reads CloudTrail log files out of folders, buckets, or as a queue announces
// them, each record once, byte for byte. run.ts is one run of it; where files come from is behind
// origin.ts.

import {
  type ComponentContext,
  defineReceiver,
  type Position,
  type Receiver,
} from "../../sdk/index.ts";
import { check } from "./check.ts";
import { type CloudTrailConfig, config } from "./config.ts";
import { FolderOrigin } from "./folder.ts";
import type { Origin } from "./origin.ts";
import { type CheckDigest, CloudTrailRun } from "./run.ts";

export default defineReceiver({
  type: "cloudtrail",
  stability: "beta",
  summary: "CloudTrail log files in a folder or bucket, plain or gzip, each record byte for byte",
  config,
  check,
  create(options, context, intake): Receiver {
    let run: Promise<CloudTrailRun> | undefined;
    return {
      async start(host) {
        run ??= readFrom(options, context, intake.position()).then((from) => {
          const started = new CloudTrailRun({ ...from, context, intake, host });
          started.start();
          return started;
        });
        // What an operator has to mend first is no run to be stopped.
        await run.catch((error) => {
          run = undefined;
          throw error;
        });
      },
      async drain() {
        if (run === undefined) throw new Error("Receiver is not started");
        await (await run).drain();
      },
      async stop(deadline) {
        const stopped = run;
        run = undefined;
        await (await stopped)?.stop(deadline);
      },
    };
  },
});

interface From {
  readonly origin: Origin;
  readonly checkDigest?: CheckDigest;
}

async function readFrom(
  options: CloudTrailConfig,
  context: ComponentContext,
  position: Position | undefined,
): Promise<From> {
  const { path } = options;
  if (path === undefined) {
    // Nothing of AWS is loaded for a folder.
    const { remoteOrigin } = await import("./remote.ts");
    return remoteOrigin(options, context, position);
  }
  const origin = new FolderOrigin({
    path,
    rescanMs: options.rescan,
    settleMs: options.settle,
    incompleteMs: options.incomplete_timeout,
    clock: context.clock,
    onSkipped: (skipped) => context.log.debug("Looked through the folders", { skipped }),
  }, position);
  return { origin };
}
