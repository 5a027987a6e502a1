// The options of a pipeline's queue; what befalls it is told to the log and becomes events of the
// agent's own.

import { basename } from "node:path";
import type { QueueOptions } from "../queue/queue.ts";
import { DEDUPE_ENTRIES_MAX } from "./dedupe.ts";
import type { OwnEvents } from "./own-events.ts";
import type { PipelineOptions } from "./pipeline.ts";
import type { QueueWatch } from "./queue-watch.ts";

const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

/** What Pipeline.open opens its queue with. */
export function queueOptions(
  options: PipelineOptions,
  ownEvents: OwnEvents,
  watch: QueueWatch,
): QueueOptions {
  const { name, directory, queue, clock, log, files } = options;
  const { segmentBytesMax = SEGMENT_BYTES_MAX, ...limits } = queue;
  return {
    directory,
    segmentBytesMax,
    ...limits,
    // The window of repeats is filled from them at the next start.
    keptRecords: options.dedupeEntriesMax ?? DEDUPE_ENTRIES_MAX,
    clock,
    ...(files === undefined ? {} : { files }),
    onDrop: ({ first, last, count, reason, exporters }) => {
      if (count === 0) return;
      log.error("Records dropped before they were delivered", { pipeline: name, count, reason });
      const facts = { first, last, count, reason, exporters: [...exporters] };
      ownEvents.add("DropRecords", `${first}-${last}`, facts);
    },
    onState: (state) => watch.changed(state),
    onQuarantine: (found) => {
      const { offset, bytes, lost } = found;
      const facts = { segment: basename(found.segment), offset, bytes, lost };
      log.error("Damaged bytes stepped over", { pipeline: name, ...facts });
      ownEvents.add("QuarantineFrame", `${facts.segment}@${offset}`, facts);
    },
  };
}
