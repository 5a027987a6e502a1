// One run of journalctl: a child process whose standard output is read as fast as the entries are
// taken, and not faster. How it ended is for its caller to judge.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** How it ended. */
export interface ChildEnd {
  /** Exit code; undefined where it never ran or was killed. */
  readonly code: number | undefined;
  /** What went wrong, in a line; undefined where nothing did. */
  readonly problem: string | undefined;
}

const STDERR_MAX = 2048;
const KILL_MS = 2000;

/** A running journalctl. */
export class Journalctl {
  /** Resolves when it has ended and its output is read; never rejects. */
  readonly end: Promise<ChildEnd>;
  #child: ChildProcessByStdio<null, Readable, Readable> | undefined;
  #stderr = "";
  #kill: ReturnType<typeof setTimeout> | undefined;

  constructor(command: string, args: readonly string[]) {
    let ended: (end: ChildEnd) => void = () => {};
    this.end = new Promise((resolve) => ended = resolve);
    try {
      this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      // Deno refuses at once what it has no permission for.
      ended({ code: undefined, problem: startProblem(command, error) });
      return;
    }
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_MAX);
    });
    this.#child.on("error", (error) => {
      clearTimeout(this.#kill);
      ended({ code: undefined, problem: startProblem(command, error) });
    });
    this.#child.on("close", (code, signal) => {
      clearTimeout(this.#kill);
      const said = this.#stderr.trim().split("\n").at(-1) ?? "";
      const how = code === null ? `by ${signal}` : `with code ${code}`;
      ended({
        code: code ?? undefined,
        problem: `"${command}" ended ${how}${said === "" ? "" : `: ${said}`}`,
      });
    });
  }

  /** What it warned of so far: journals it may not read. */
  get warning(): string | undefined {
    const line = this.#stderr.split("\n").find((text) =>
      text.includes("insufficient permissions") || text.includes("not seeing messages")
    );
    return line?.trim();
  }

  /** Its output. Ends, and never throws, when the process ends or is stopped. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#child === undefined) return;
    try {
      for await (const chunk of this.#child.stdout) yield chunk as Uint8Array;
    } catch {
      // A pipe that broke with the process; how that ended is in `end`.
    }
  }

  /** Its end, once its output has ended: what closes its output and stays is made to end. */
  async ended(): Promise<ChildEnd> {
    const timer = setTimeout(() => this.stop(), KILL_MS);
    const end = await this.end;
    clearTimeout(timer);
    return end;
  }

  /** Asks it to end, and makes it end where it does not. */
  stop(): void {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    this.#kill ??= setTimeout(() => child.kill("SIGKILL"), KILL_MS);
  }
}

function startProblem(command: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const why = code === "ENOENT"
    ? "not found: install systemd, or set command to its path"
    : error instanceof Error
    ? error.message.split("\n")[0]
    : String(error);
  return `Cannot start "${command}": ${why}`;
}
