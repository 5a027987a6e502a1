// Secrets as options: text that must not reach a log, a dump or an error message.

import { hash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";
import { z } from "zod";

const SHOWN = "[secret]";

/** Holds a secret text. Only reveal() gives it; every other way to print it says `[secret]`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  /** Whether a text is the same, in a time that tells nothing about how much of it is. */
  equals(text: string): boolean {
    return sameText(this.#text, text);
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}

/** Compares two texts in a time that depends on their lengths alone. */
export function sameText(a: string, b: string): boolean {
  // Of equal length, as timingSafeEqual wants them, and without telling how long the secret is.
  return timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer"));
}

/** The option's schema: text in the YAML (better `${env:NAME}`), a Secret for the component. */
export const secret = z.codec(
  z.string().min(1).meta({ format: "password", writeOnly: true }),
  z.instanceof(Secret),
  { decode: (text) => new Secret(text), encode: (held) => held.reveal() },
);
