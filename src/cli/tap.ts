// `cairn tap`: what passes the stages of a running agent, live and without its secrets.

import { openTap, type Stage, STAGES, TAP_RATE_MAX, type TapFilter } from "../agent/inspection.ts";
import { suggest } from "../config/suggest.ts";
import { type Arguments, type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, DATA_DIR_OPTIONS, parseNumber } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { escapeText } from "./printable.ts";

const RATE = 100;

/** The command. */
export const tap: Command = {
  name: "tap",
  summary: "Watch records pass through the running agent",
  description:
    "Prints what passes from now on, redacted: events as receivers hand them in, records as\n" +
    "they are normalized, stored and exported, and what is set aside. The agent never waits\n" +
    "for it: what comes faster than --rate, or than it is read, is counted and not shown.",
  options: {
    stage: {
      type: "string",
      multiple: true,
      value: "STAGE",
      help: `${STAGES.join(", ")}; stored and rejected by default`,
    },
    component: { type: "string", value: "ID", help: "Only of this receiver or exporter" },
    pipeline: { type: "string", value: "NAME", help: "Only of this pipeline" },
    limit: { type: "string", value: "N", help: "End after so many" },
    rate: { type: "string", value: "N", help: `At most so many a second; ${RATE} by default` },
    json: { type: "boolean", help: "JSON lines, on a terminal too" },
    ...DATA_DIR_OPTIONS,
  },
  async run(args, shell) {
    const filter = filterOf(args);
    const [limit] = args.values.limit ?? [];
    const limitMax = limit === undefined ? Infinity : parseNumber(limit, "--limit");
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const stop = new AbortController();
    const close = shell.onSignal(() => stop.abort());
    // Nothing may pass for long, and that is no hang.
    shell.error.write("Watching; Ctrl-C ends\n");
    try {
      await print(openTap(chosen.dataDir, filter, stop.signal), {
        shell,
        limitMax,
        isJson: args.flags.has("json") || !shell.out.isTerminal,
        stop: stop.signal,
      });
    } finally {
      close();
      stop.abort();
    }
    return EXIT.ok;
  },
};

function filterOf({ values }: Arguments): TapFilter {
  const stages = (values.stage ?? ["stored", "rejected"]).flatMap((text) => text.split(","));
  for (const stage of stages) {
    if ((STAGES as readonly string[]).includes(stage)) continue;
    const hint = suggest(stage, STAGES) ?? `known: ${STAGES.join(", ")}`;
    throw new UsageError(`Unknown stage "${stage}" (${hint})`);
  }
  const [rate] = values.rate ?? [];
  const perSecond = rate === undefined ? RATE : parseNumber(rate, "--rate");
  if (perSecond > TAP_RATE_MAX) {
    throw new UsageError(`Cannot read --rate "${rate}": at most ${TAP_RATE_MAX} a second`);
  }
  return {
    stages: [...new Set(stages)] as Stage[],
    pipeline: values.pipeline?.[0],
    component: values.component?.[0],
    perSecond,
  };
}

interface Print {
  readonly shell: Shell;
  readonly limitMax: number;
  readonly isJson: boolean;
  readonly stop: AbortSignal;
}

/** Prints lines until the agent ends them, the limit is reached or nobody reads any more. */
async function print(lines: AsyncIterable<string>, how: Print): Promise<void> {
  const { shell, limitMax, isJson, stop } = how;
  let shown = 0;
  for await (const line of lines) {
    const passing = JSON.parse(line) as Passing;
    if (passing.missed === undefined) shown++;
    // Beside JSON lines, where it would be taken for a record, it is said on the other stream.
    if (passing.missed !== undefined) shell.error.write(`${passing.missed} not shown\n`);
    else shell.out.write(isJson ? `${line}\n` : readable(passing));
    if (shown >= limitMax || !await shell.out.taken()) return;
  }
  if (!stop.aborted) shell.error.write("The agent has stopped\n");
}

/** A line of a tap. */
interface Passing {
  readonly time: string;
  readonly stage: Stage;
  readonly pipeline: string;
  readonly component: string;
  readonly missed?: number;
  readonly record?: Readonly<Record<string, unknown>>;
  readonly event?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
  readonly input?: string;
}

function readable(passing: Passing): string {
  const { time, stage, pipeline, component } = passing;
  const head = `${time.slice(11, 23)} ${stage.padEnd(10)} ${pipeline}/${component}`;
  return `${escapeText(`${head}: ${what(passing)}`).replaceAll("\n", " ")}\n`;
}

function what({ record, event, reason, input }: Passing): string {
  if (record !== undefined) {
    const { eventSource, eventName, userIdentity, errorCode, eventID } = record;
    const who = userIdentity as Readonly<Record<string, unknown>> | undefined;
    const error = typeof errorCode === "string" ? ` ${errorCode}` : "";
    return `${eventSource} ${eventName} ${who?.arn ?? who?.userName ?? who?.type ?? "-"}` +
      `${error} ${eventID}`;
  }
  if (event !== undefined) {
    const { service, action, actor, id } = event;
    return `${service} ${action} ${(actor as { name?: unknown } | undefined)?.name ?? "-"} ${id}`;
  }
  return `${reason}: ${input}`;
}
