// Drains: those who wait until all that the files held when they asked is durable.

interface Drain {
  scanned: boolean;
  resolve(): void;
  reject(reason: unknown): void;
}

/** See the top of the file. A drain is due when a scan that began after it has set the targets. */
export class Drains {
  #waiting: Drain[] = [];

  /** Resolves or rejects with the next `finish` or `fail` that concerns it. */
  add(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ scanned: false, resolve, reject });
    });
  }

  /** Call when a scan begins; call what it returns when the scan has ended. */
  scanning(): () => void {
    const before = [...this.#waiting];
    return () => {
      for (const drain of before) drain.scanned = true;
    };
  }

  /** Whether one is due. */
  get due(): boolean {
    return this.#waiting.some((drain) => drain.scanned);
  }

  /** Takes those that are due; the function resolves them. */
  take(): () => void {
    const due = this.#waiting.filter((drain) => drain.scanned);
    return () => {
      this.#waiting = this.#waiting.filter((drain) => !due.includes(drain));
      for (const drain of due) drain.resolve();
    };
  }

  /** Rejects all. */
  fail(reason: unknown): void {
    for (const drain of this.#waiting.splice(0)) drain.reject(reason);
  }
}
