// The trail as a component: each batch becomes log files, which are stored, noted for the digests
// and announced before the batch counts as delivered. Also what it tells and does as a service.

import { resolve } from "node:path";
import {
  agentStatusService,
  type ComponentContext,
  ConfigError,
  type ExportBatch,
  type Exporter,
  type Host,
  PermanentError,
  type StoredRecord,
} from "../../sdk/index.ts";
import {
  type LatestDelivery,
  type TrailDescription,
  type TrailPublicKey,
  type TrailService,
  trailService,
  type TrailStatus,
} from "../../sdk/trail-service.ts";
import type { TrailConfig } from "./config.ts";
import type { DeliveredFile } from "./digest-chain.ts";
import { Logging, type QueuePlace } from "./logging.ts";
import { type OpenTrail, openTrail } from "./open.ts";
import { planFiles, type PlannedFile, type TrailPlace } from "./plan.ts";
import { LogFileWriter } from "./write.ts";

/** Delivers to one folder or bucket. */
export class TrailExporter implements Exporter, TrailService {
  readonly #config: TrailConfig;
  readonly #context: ComponentContext;
  readonly #arn: string;
  readonly #logging: Logging;
  readonly #writer: LogFileWriter;
  #open: OpenTrail | undefined;
  #opening: Promise<OpenTrail> | undefined;
  #latest: LatestDelivery = {};
  /** Files of the batch in hand that are stored: one of many accounts may take several attempts. */
  readonly #stored = new Map<string, DeliveredFile>();
  #digestProblem: string | undefined;
  #host: Host | undefined;

  constructor(options: TrailConfig, context: ComponentContext) {
    const { partition, region, accountId } = context.agent;
    this.#config = options;
    this.#context = context;
    this.#arn = `arn:${partition}:cloudtrail:${region}:${accountId}:trail/${options.name}`;
    this.#logging = new Logging(context.state, context.clock);
    this.#writer = new LogFileWriter(context.runtime, options.compression_level);
  }

  async start(host: Host): Promise<void> {
    if (this.#config.organization && this.#context.agent.organizationId === undefined) {
      throw new ConfigError([{
        path: `exporters.${this.#context.id}.organization`,
        problem: "No organization is known",
        fix: "set agent.organization_id",
      }]);
    }
    this.#host = host;
    host.provide(trailService, this);
    try {
      await (await this.#opened()).start(host);
      this.#reportRunning();
    } catch (error) {
      // What cannot be reached now may be later: the first delivery tries again.
      host.report("degraded", messageOf(error));
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#host = undefined;
    await this.#open?.stop(deadline);
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const { files, refused } = planFiles(batch, this.#place());
    // Those of a batch that was given up are of no use, and a folder's may be taken away.
    if (!files.some(({ key }) => this.#stored.has(key))) this.#stored.clear();
    const attemptTime = this.#context.clock();
    try {
      await this.#deliver(files, batch.plannedAt, signal);
    } catch (error) {
      this.#latest = { ...this.#latest, attemptTime, error: messageOf(error) };
      if (!signal.aborted) this.#host?.report("degraded", messageOf(error));
      throw error;
    }
    this.#stored.clear();
    this.#latest = { time: this.#context.clock(), attemptTime };
    this.#reportRunning();
    if (refused.length === 0) return;
    throw new PermanentError("Cannot name log file: account or region is not spelled as such", {
      failed: refused.map((record) => record.sequence),
    });
  }

  accepts(record: StoredRecord): boolean {
    return this.#logging.accepts(record);
  }

  describe(): TrailDescription {
    const { name, bucket, directory, prefix, sns_topic_arn: topic, kms_key_id: key } = this.#config;
    const { id, agent: { accountId, region } } = this.#context;
    const { organizationId } = this.#place();
    return {
      name,
      arn: this.#arn,
      id,
      accountId,
      homeRegion: region,
      bucket: bucket ?? resolve(directory!).split("/").at(-1)!,
      ...(directory === undefined ? {} : { directory: resolve(directory) }),
      prefix,
      ...(organizationId === undefined ? {} : { organizationId }),
      ...(topic === undefined ? {} : { snsTopicArn: topic }),
      ...(key === undefined ? {} : { kmsKeyId: key }),
      logFileValidation: this.#config.log_file_validation !== false,
    };
  }

  status(): TrailStatus {
    const { isLogging, startedAt, stoppedAt } = this.#logging;
    return {
      isLogging,
      ...(startedAt === undefined ? {} : { startedLoggingAt: startedAt }),
      ...(stoppedAt === undefined ? {} : { stoppedLoggingAt: stoppedAt }),
      delivery: this.#latest,
      digestDelivery: this.#open?.digests?.status() ?? {},
      notification: this.#open?.notifier?.latest ?? {},
    };
  }

  async publicKeys(from?: number, to?: number): Promise<readonly TrailPublicKey[]> {
    return await (await this.#opened()).digests?.publicKeys(from, to) ?? [];
  }

  async startLogging(): Promise<void> {
    await this.#logging.start(this.#queuePlace());
    this.#reportRunning();
  }

  async stopLogging(): Promise<void> {
    await this.#logging.stop(this.#queuePlace());
    this.#reportRunning();
  }

  /** Made when first needed: a folder's trail loads nothing of AWS. */
  async #opened(): Promise<OpenTrail> {
    const onDigests = (problem: string | undefined) => {
      this.#digestProblem = problem;
      this.#reportRunning();
    };
    this.#opening ??= openTrail(this.#config, this.#arn, this.#context, onDigests);
    try {
      return this.#open = await this.#opening;
    } catch (error) {
      // Tried again by the next who needs it.
      this.#opening = undefined;
      throw error;
    }
  }

  #place(): TrailPlace {
    const { agent, id } = this.#context;
    const { name, prefix, organization } = this.#config;
    const owner = organization && agent.organizationId !== undefined
      ? { organizationId: agent.organizationId }
      : {};
    return { prefix, ...owner, identity: [agent.accountId, agent.host, id, name] };
  }

  async #deliver(
    files: readonly PlannedFile[],
    plannedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (files.length === 0) return;
    const { store, notifier, digests } = await this.#opened();
    const delivered: DeliveredFile[] = [];
    for (const file of files) {
      signal.throwIfAborted();
      const described = await this.#writer.describe(file);
      delivered.push(described);
      if (this.#stored.get(file.key)?.hash === described.hash) continue;
      await store.put(file.key, this.#writer.compress(file), {
        contentType: "application/json",
        contentEncoding: "gzip",
        textHash: described.hash,
        plannedAt,
      }, signal);
      this.#stored.set(file.key, described);
    }
    await digests?.delivered(delivered);
    await notifier?.delivered(files.map(({ key }) => key), signal);
  }

  #reportRunning(): void {
    if (this.#latest.error !== undefined) return;
    if (this.#digestProblem !== undefined) this.#host?.report("degraded", this.#digestProblem);
    else if (this.#logging.isLogging) this.#host?.report("running");
    else this.#host?.report("waiting", "Logging is stopped: what comes is left out");
  }

  /** Of the one pipeline that feeds this trail. */
  #queuePlace(): QueuePlace {
    const [agent] = this.#host?.find(agentStatusService) ?? [];
    const exporters = agent?.status().pipelines.flatMap(({ exporters }) => exporters) ?? [];
    const found = exporters.find(({ id }) => id === this.#context.id);
    if (found === undefined) {
      throw new Error(`Cannot switch trail "${this.#config.name}": its pipeline does not run yet`);
    }
    return { position: found.position, next: found.position + found.queued };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
