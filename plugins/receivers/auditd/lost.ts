// The kernel's own count of records that it dropped because its queue was full or its rate limit
// reached. Those never had a serial, so no gap shows them: the count is asked for now and then, and
// when it has grown that becomes an event. Runs beside whatever reads the records.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { settledOr } from "../../sdk/follow-wait.ts";
import type {
  AuditEvent,
  ComponentContext,
  Host,
  Intake,
  Json,
  Receiver,
} from "../../sdk/index.ts";

const CHECK_MS = 60_000;
const COMMAND_MS = 5000;
const STATE_KEY = "lost";

/** The count, and the boot it belongs to. */
export interface LostCount {
  readonly boot: string;
  readonly lost: number;
}

/** Asks `auditctl -s`. Rejects where there is none, or this process may not ask. */
export async function askKernel(signal: AbortSignal): Promise<LostCount> {
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  const { stdout } = await promisify(execFile)("auditctl", ["-s"], {
    timeout: COMMAND_MS,
    signal,
  });
  const lost = /^lost (\d+)$/m.exec(stdout)?.[1];
  if (lost === undefined) throw new Error("auditctl -s shows no lost count");
  return { boot: boot.trim(), lost: Number(lost) };
}

/** A receiver, and the lost count beside it. */
export class WithLostCount implements Receiver {
  readonly #receiver: Receiver;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #ask: typeof askKernel;
  #timer: ReturnType<typeof setInterval> | undefined;
  #abort = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(
    receiver: Receiver,
    context: ComponentContext,
    intake: Intake,
    ask: typeof askKernel = askKernel,
  ) {
    this.#receiver = receiver;
    this.#context = context;
    this.#intake = intake;
    this.#ask = ask;
    // Only a receiver that can be drained has the method.
    if (receiver.drain !== undefined) this.drain = () => receiver.drain!();
  }

  drain?: () => Promise<void>;

  async start(host: Host): Promise<void> {
    await this.#receiver.start(host);
    if (this.#timer !== undefined || this.#context.once) return;
    this.#abort = new AbortController();
    const look = () => {
      this.#looking = this.#looking.then(() => this.#look());
    };
    this.#timer = setInterval(look, CHECK_MS);
    look();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#abort.abort(new Error("Stopped"));
    await this.#receiver.stop(deadline);
    await settledOr(this.#looking, deadline);
  }

  /** Compares the count with the one before; resolves when an event that came of it is durable. */
  async check(): Promise<void> {
    await this.#compare(await this.#ask(this.#abort.signal));
  }

  async #compare(now: LostCount): Promise<void> {
    const { state, clock } = this.#context;
    const { signal } = this.#abort;
    const before = knownCount(state.get(STATE_KEY));
    if (before?.boot === now.boot && before.lost === now.lost) return;
    const since = before === undefined ? now.lost : before.boot === now.boot ? before.lost : 0;
    if (now.lost > since) await this.#intake.events([grown(now, since, clock())], { signal });
    // After the event: a crash in between makes it again, with the same id.
    await state.set(STATE_KEY, { ...now });
  }

  async #look(): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    let now: LostCount;
    try {
      now = await this.#ask(signal);
    } catch (error) {
      if (signal.aborted) return;
      // No auditctl, or no right to ask: that does not change while the agent runs. Many hosts read
      // a log of others, or as nobody who may ask: no news to each of them at every start.
      clearInterval(this.#timer);
      const reason = error instanceof Error ? error.message : String(error);
      this.#context.log.debug(`Cannot watch the kernel's lost count: ${reason.split("\n")[0]}`);
      return;
    }
    // What the intake does not take now is compared again at the next look.
    await this.#compare(now).catch(() => {});
  }
}

function grown({ boot, lost }: LostCount, since: number, time: number): AuditEvent {
  const count = lost - since;
  const message = `The kernel has dropped ${count} audit ${count === 1 ? "record" : "records"}`;
  return {
    id: `lost count ${boot} ${lost}`,
    time,
    service: "auditd",
    action: "LoseEvents",
    actor: { type: "service", name: "kernel" },
    outcome: { success: false, code: "EventsLost", message },
    readOnly: false,
    category: "Management",
    additional: { count, lostCount: lost },
  };
}

function knownCount(value: Json | undefined): LostCount | undefined {
  const isCount = typeof value === "object" && value !== null && !Array.isArray(value) &&
    "boot" in value && typeof value.boot === "string" &&
    "lost" in value && typeof value.lost === "number";
  return isCount ? value as Json & LostCount : undefined;
}
