// How a queue is doing: what goes wrong with its disk, and whether appends wait. Writer and retention
// note it here; stats() shows it, and whoever opened the queue is told when it changes.

/** How a queue is doing. */
export interface QueueState {
  /** Whether appends wait for room or for the disk. */
  readonly blocked: boolean;
  /** What the disk refuses at the moment, or what appends wait for. */
  readonly problem: string | undefined;
}

// What can go wrong; of several problems the first in this order is told.
const SOURCES = ["write", "remove", "room", "measure"] as const;

/** The state of one open queue. */
export class Condition {
  readonly #onChange: (state: QueueState) => void;
  readonly #problems = new Map<typeof SOURCES[number], string>();
  #blocked = false;
  #told: QueueState = { blocked: false, problem: undefined };

  constructor(onChange: (state: QueueState) => void) {
    this.#onChange = onChange;
  }

  /** The state now. */
  get state(): QueueState {
    return this.#told;
  }

  /** Notes a problem, or with undefined that it has passed. */
  set(source: typeof SOURCES[number], problem: string | undefined): void {
    if (this.#problems.get(source) === problem) return;
    if (problem === undefined) this.#problems.delete(source);
    else this.#problems.set(source, problem);
    this.#tell();
  }

  /** Notes that appends wait. */
  blocked(): void {
    this.#blocked = true;
    this.#tell();
  }

  /** Notes that no append waits. */
  released(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#problems.delete("room");
    this.#tell();
  }

  /** Notes that a commit is on the disk. */
  committed(): void {
    if (!this.#blocked && !this.#problems.has("write")) return;
    this.#blocked = false;
    this.#problems.delete("room");
    this.#problems.delete("write");
    this.#tell();
  }

  #tell(): void {
    const source = SOURCES.find((each) => this.#problems.has(each));
    const problem = source && this.#problems.get(source);
    const { blocked, problem: before } = this.#told;
    if (blocked === this.#blocked && before === problem) return;
    this.#told = { blocked: this.#blocked, problem };
    this.#onChange(this.#told);
  }
}
