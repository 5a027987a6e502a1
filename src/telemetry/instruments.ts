// Every instrument of the agent, in one table: its name in the OpenTelemetry Collector's style, what
// it means, and how it is read from the agent's status. Read when somebody collects, never before.

import process from "node:process";
import type { ComponentState } from "../../plugins/sdk/index.ts";
import type {
  Metered,
  MeteredComponent,
  MeteredExporter,
  MeteredIntake,
  MeteredPipeline,
} from "./metered.ts";

/** A value and the attributes that tell it from the instrument's others. */
export type Reading = readonly [value: number, attributes: Readonly<Record<string, string>>];

/** One line of the table. */
export interface Instrument {
  readonly name: string;
  /** A counter only grows; the books' counters go on where they were after a restart. */
  readonly kind: "counter" | "gauge";
  /** As UCUM writes it. */
  readonly unit: string;
  readonly description: string;
  readonly read: (status: Metered) => readonly Reading[];
}

const STATES = [
  "starting",
  "running",
  "waiting",
  "degraded",
  "failed",
  "stopped",
] as const satisfies readonly ComponentState[];

const ofIntakes =
  (pick: (intake: MeteredIntake) => number) => ({ components }: Metered): readonly Reading[] =>
    components.flatMap(({ id, intake }) =>
      intake === undefined ? [] : [[pick(intake), { receiver: id }] as const]
    );

const ofPipelines =
  (pick: (pipeline: MeteredPipeline) => number) => ({ pipelines }: Metered): readonly Reading[] =>
    pipelines.map((pipeline) => [pick(pipeline), { pipeline: pipeline.name }]);

const ofExporters =
  (pick: (exporter: MeteredExporter) => number) => ({ pipelines }: Metered): readonly Reading[] =>
    pipelines.flatMap(({ name, exporters }) =>
      exporters.map((each) => [pick(each), { exporter: each.id, pipeline: name }] as const)
    );

const named = ({ kind, id, pipeline }: MeteredComponent) => ({
  component: id,
  kind,
  ...(pipeline !== undefined && { pipeline }),
});

type Row = readonly [
  name: string,
  kind: Instrument["kind"],
  unit: string,
  description: string,
  read: Instrument["read"],
];

const PROCESS: readonly Row[] = [
  [
    "cairn_process_start_time_seconds",
    "gauge",
    "s",
    "When the agent started, since the epoch",
    ({ startedAt }) => [[startedAt / 1000, {}]],
  ],
  [
    "cairn_process_cpu_seconds",
    "counter",
    "s",
    "Processor time of all threads",
    () => {
      const { user, system } = process.cpuUsage();
      return [[(user + system) / 1e6, {}]];
    },
  ],
  [
    "cairn_process_memory_rss_bytes",
    "gauge",
    "By",
    "Resident memory",
    () => [[process.memoryUsage().rss, {}]],
  ],
];

const COMPONENTS: readonly Row[] = [
  [
    "cairn_component_state",
    "gauge",
    "1",
    "1 for the state a component is in, 0 for each other",
    ({ components }) =>
      components.flatMap((component) =>
        STATES.map((state) =>
          [component.state === state ? 1 : 0, { ...named(component), state }] as const
        )
      ),
  ],
  [
    "cairn_component_ignored_events",
    "counter",
    "{event}",
    "Input read and left out on purpose since the start, by reason",
    ({ components }) =>
      components.flatMap((component) =>
        Object.entries(component.ignored ?? {}).map(([reason, count]) =>
          [count, { ...named(component), reason }] as const
        )
      ),
  ],
];

// What a receiver passed on is counted from the start; the books below last as long as the queue.
const RECEIVERS: readonly Row[] = [
  [
    "cairn_receiver_accepted_events",
    "counter",
    "{event}",
    "Events of a receiver that became durable, repeats included, since the start",
    ofIntakes(({ accepted }) => accepted),
  ],
  [
    "cairn_receiver_rejected_events",
    "counter",
    "{event}",
    "Unreadable input of a receiver, kept as dead letters, since the start",
    ofIntakes(({ rejected }) => rejected),
  ],
  [
    "cairn_receiver_refused_events",
    "counter",
    "{event}",
    "Events that could not be taken: the receiver keeps them, or its sender, since the start",
    ofIntakes(({ refused }) => refused),
  ],
];

const PIPELINES: readonly Row[] = [
  [
    "cairn_pipeline_received_events",
    "counter",
    "{event}",
    "Taken in: filtered, duplicate, rejected or stored",
    ofPipelines(({ counts }) => counts.received),
  ],
  [
    "cairn_pipeline_filtered_records",
    "counter",
    "{record}",
    "Left out by processors",
    ofPipelines(({ counts }) => counts.filtered),
  ],
  [
    "cairn_pipeline_duplicate_records",
    "counter",
    "{record}",
    "Repeats of records that were taken in before",
    ofPipelines(({ counts }) => counts.duplicate),
  ],
  [
    "cairn_pipeline_rejected_events",
    "counter",
    "{event}",
    "Unreadable, kept as dead letters",
    ofPipelines(({ counts }) => counts.rejected),
  ],
  [
    "cairn_pipeline_stored_records",
    "counter",
    "{record}",
    "Stored in the queue",
    ofPipelines(({ counts }) => counts.stored),
  ],
  [
    "cairn_pipeline_in_flight_records",
    "gauge",
    "{record}",
    "On their way to the disk, not yet in the books",
    ofPipelines(({ inFlight }) => inFlight),
  ],
  [
    "cairn_pipeline_dead_letters",
    "gauge",
    "{record}",
    "Dead letters that are kept",
    ofPipelines(({ letters }) => letters.kept),
  ],
  [
    "cairn_queue_size_bytes",
    "gauge",
    "By",
    "The queue's size on disk",
    ofPipelines(({ queue }) => queue.bytes),
  ],
  [
    "cairn_queue_segments",
    "gauge",
    "{segment}",
    "The queue's files",
    ofPipelines(({ queue }) => queue.segments),
  ],
  [
    "cairn_queue_blocked",
    "gauge",
    "1",
    "1 while receivers wait for room in the queue",
    ofPipelines(({ queue }) => queue.blocked ? 1 : 0),
  ],
  [
    "cairn_queue_sync_seconds",
    "gauge",
    "s",
    "How long the last commit took to reach the disk",
    ofPipelines(({ queue }) => queue.lastSyncMs / 1000),
  ],
];

const EXPORTERS: readonly Row[] = [
  [
    "cairn_exporter_sent_records",
    "counter",
    "{record}",
    "Delivered",
    ofExporters(({ delivered }) => delivered),
  ],
  [
    "cairn_exporter_send_failed_records",
    "counter",
    "{record}",
    "Never to be delivered, set aside as dead letters",
    ofExporters(({ deadLettered }) => deadLettered),
  ],
  [
    "cairn_exporter_excluded_records",
    "counter",
    "{record}",
    "Not wanted by the exporter's selectors",
    ofExporters(({ excluded }) => excluded),
  ],
  [
    "cairn_exporter_lost_records",
    "counter",
    "{record}",
    "Dropped at the queue's limit, or damaged, before they were delivered",
    ofExporters(({ lost }) => lost),
  ],
  [
    "cairn_exporter_queue_size",
    "gauge",
    "{record}",
    "Stored and not yet done with",
    ofExporters(({ queued }) => queued),
  ],
  [
    "cairn_exporter_retries",
    "gauge",
    "{attempt}",
    "Failed attempts at the batch in hand",
    ofExporters(({ failures }) => failures),
  ],
];

/** The table. */
export const INSTRUMENTS: readonly Instrument[] = [
  ...PROCESS,
  ...COMPONENTS,
  ...RECEIVERS,
  ...PIPELINES,
  ...EXPORTERS,
].map(([name, kind, unit, description, read]) => ({ name, kind, unit, description, read }));
