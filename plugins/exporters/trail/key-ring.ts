// The keys that digests are signed with: pairs of the agent's own, made when first needed and
// changed for a new one from time to time, one out of a file, or one in KMS. Public keys are kept
// for as long as the trail is: `keys.json` is what verifying needs.

import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import {
  type AtomicFileCalls,
  atomicFileCalls,
  makeFolderDurable,
  writeFileAtomic,
} from "../../sdk/atomic-file.ts";
import type { KmsKey } from "../../sdk/aws/kms.ts";
import { type Log, RetryableError } from "../../sdk/index.ts";
import type { TrailPublicKey } from "../../sdk/trail-service.ts";
import { diskError } from "../../sdk/disk-error.ts";

/** Where keys come from. */
export interface KeyRingOptions {
  /** Made where it is missing; what is in it is for the agent's own account. */
  readonly directory: string;
  /** How long a key of the agent's own signs. */
  readonly rotationMs: number;
  /** A private key in PEM, instead of the agent's own. */
  readonly keyFile?: string | undefined;
  /** A key in KMS, instead of the agent's own. */
  readonly kms?: Pick<KmsKey, "publicKey" | "sign"> | undefined;
  readonly log: Log;
  readonly calls?: AtomicFileCalls;
}

/** A key that signs. */
export interface SigningKey {
  readonly fingerprint: string;
  /** In lower-case hex. */
  sign(text: string, signal: AbortSignal): Promise<string>;
}

// Who asks for the keys of a time is given those of digests a little before and after it, too.
const OVERLAP_MS = 24 * 3_600_000;
// How far ahead a key that somebody else changes is said to be valid; it is moved on in time.
const FORESIGHT_MS = 365 * 24 * 3_600_000;
// A new one each day for years.
const KEYS_MAX = 10_000;

const entry = z.strictObject({
  fingerprint: z.string(),
  /** PKCS#1 DER in base64. */
  value: z.string(),
  validFrom: z.number(),
  validTo: z.number(),
  /** Its private part lies beside. */
  own: z.boolean(),
});
const ring = z.strictObject({ keys: z.array(entry) });
type Entry = z.output<typeof entry>;

const FILE = "keys.json";
const newPair = promisify(generateKeyPair);

/** See above. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #calls: AtomicFileCalls;
  #keys: readonly Entry[];

  private constructor(options: KeyRingOptions, keys: readonly Entry[]) {
    this.#options = options;
    this.#calls = options.calls ?? atomicFileCalls;
    this.#keys = keys;
  }

  /**
   * Reads what is there; makes no key. A ring that cannot be read is set aside, and told. Rejects
   * with a RetryableError.
   */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const { directory, log, calls = atomicFileCalls } = options;
    const path = join(directory, FILE);
    try {
      await makeFolderDurable(directory, { mode: 0o700, calls });
      return new KeyRing(options, await readRing(path));
    } catch (error) {
      const isBroken = error instanceof SyntaxError || error instanceof z.ZodError;
      if (!isBroken) throw diskError("read keys", path, error);
      await rename(path, `${path}.broken`);
      log.error("Keys of digests are unreadable: set aside, a new one is made", { file: path });
      return new KeyRing(options, []);
    }
  }

  /** The keys that are valid at any time between the two, in milliseconds; all of them without. */
  publicKeys(from = -Infinity, to = Infinity): readonly TrailPublicKey[] {
    return this.#keys.filter((key) => key.validFrom <= to && key.validTo >= from).map(publicPart);
  }

  /**
   * The key for a digest of that time, valid for all of it as the ring says durably. A new one is
   * made where there is none, or the last has signed long enough. Rejects with a RetryableError.
   */
  async keyFor(start: number, end: number, signal: AbortSignal): Promise<SigningKey> {
    const { keyFile, kms } = this.#options;
    if (kms !== undefined) return await this.#keyOfKms(kms, start, end, signal);
    if (keyFile !== undefined) return await this.#keyOfFile(keyFile, start, end);
    return await this.#ownKey(start, end);
  }

  async #keyOfKms(
    kms: Pick<KmsKey, "publicKey" | "sign">,
    start: number,
    end: number,
    signal: AbortSignal,
  ): Promise<SigningKey> {
    // Asked each time: an alias may name another key by now.
    const publicKey = await kms.publicKey(signal);
    const { fingerprint } = await this.#cover(publicKey, start, end);
    return {
      fingerprint,
      sign: async (text, signal) => {
        const signature = await kms.sign(createHash("sha256").update(text).digest(), signal);
        if (verify("sha256", Buffer.from(text), publicKey, signature)) {
          return signature.toString("hex");
        }
        throw new RetryableError("Cannot sign digest: the key in KMS changed meanwhile");
      },
    };
  }

  async #keyOfFile(path: string, start: number, end: number): Promise<SigningKey> {
    const key = await readPrivateKey(path);
    const { fingerprint } = await this.#cover(createPublicKey(key), start, end);
    return signingKey(fingerprint, key);
  }

  async #ownKey(start: number, end: number): Promise<SigningKey> {
    const { directory, rotationMs } = this.#options;
    const own = this.#keys.filter((key) => key.own);
    // Digests that are made up for after others have been made may be of an older key's time.
    const known = own.findLast((key) => key.validFrom <= end) ?? own[0];
    const isOver = known === own.at(-1) && known !== undefined &&
      end >= known.validFrom + rotationMs;
    if (known === undefined || isOver) return await this.#makeKey(start, end);
    const path = join(directory, `${known.fingerprint}.pem`);
    try {
      const key = await readPrivateKey(path);
      await this.#cover(createPublicKey(key), start, end);
      return signingKey(known.fingerprint, key);
    } catch (error) {
      if (!(error instanceof RetryableError) || error.code !== "ENOENT") throw error;
      this.#options.log.error("The key of digests is gone: a new one is made", { file: path });
      return await this.#makeKey(start, end);
    }
  }

  async #makeKey(start: number, end: number): Promise<SigningKey> {
    const { directory, rotationMs, log } = this.#options;
    // Before it is known that it is of use: a private key without an entry is never asked for.
    const { privateKey, publicKey } = await newPair("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    const { fingerprint, value } = describeKey(publicKey);
    const path = join(directory, `${fingerprint}.pem`);
    const options = { mode: 0o600, calls: this.#calls };
    try {
      await writeFileAtomic(path, Buffer.from(pem), options);
    } catch (error) {
      throw diskError("write key", path, error);
    }
    const validTo = Math.max(start + rotationMs, end) + OVERLAP_MS;
    const made = { fingerprint, value, validFrom: start, validTo, own: true };
    const keys = this.#keys.map((key) => ({ ...key }));
    // The key before it may still be needed for digests of its time; those before that are not.
    const past = keys.filter((key) => key.own).slice(0, -1);
    for (const key of past) key.own = false;
    await this.#save([...keys, made]);
    for (const key of past) await this.#calls.remove(join(directory, `${key.fingerprint}.pem`));
    log.info("A new key signs digests", { fingerprint });
    return signingKey(fingerprint, privateKey);
  }

  /** Takes care that the ring says of the key that it is valid for all of that time. */
  async #cover(publicKey: KeyObject, start: number, end: number): Promise<Entry> {
    const { fingerprint, value } = describeKey(publicKey);
    const known = this.#keys.find((key) => key.fingerprint === fingerprint);
    if (known !== undefined && known.validFrom <= start && known.validTo >= end) return known;
    const covering = {
      ...known ?? { fingerprint, value, own: false },
      validFrom: Math.min(start, known?.validFrom ?? start),
      validTo: known !== undefined && known.validTo >= end ? known.validTo : end + FORESIGHT_MS,
    };
    const keys = this.#keys.map((key) => key === known ? covering : key);
    await this.#save(known === undefined ? [...keys, covering] : keys);
    return covering;
  }

  async #save(keys: readonly Entry[]): Promise<void> {
    const { directory } = this.#options;
    const path = join(directory, FILE);
    if (keys.length > KEYS_MAX) {
      throw new RetryableError(`Cannot save keys "${path}": there are more than ${KEYS_MAX}`);
    }
    const text = `${JSON.stringify({ keys }, null, 2)}\n`;
    try {
      await writeFileAtomic(path, Buffer.from(text), { mode: 0o600, calls: this.#calls });
    } catch (error) {
      throw diskError("write keys", path, error);
    }
    this.#keys = keys;
  }
}

/** The public keys that an agent has signed with, out of its folder; none where there is no ring. */
export async function readPublicKeys(directory: string): Promise<readonly TrailPublicKey[]> {
  return (await readRing(join(directory, FILE))).map(publicPart);
}

async function readRing(path: string): Promise<readonly Entry[]> {
  try {
    return ring.parse(JSON.parse(await readFile(path, "utf8"))).keys;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function publicPart({ fingerprint, value, validFrom, validTo }: Entry): TrailPublicKey {
  return { fingerprint, value: Buffer.from(value, "base64"), validFrom, validTo };
}

/** What digests call a key, and how ListPublicKeys gives it. */
function describeKey(publicKey: KeyObject): { fingerprint: string; value: string } {
  const der = publicKey.export({ format: "der", type: "pkcs1" });
  const fingerprint = createHash("md5").update(der).digest("hex");
  return { fingerprint, value: der.toString("base64") };
}

/** Reads an RSA key in PEM. Rejects with a RetryableError that does not tell of it. */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  try {
    const key = createPrivateKey(await readFile(path));
    if (key.asymmetricKeyType === "rsa") return key;
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw diskError("read key", path, error);
    // Not with its cause, which might tell of the key.
  }
  throw new RetryableError(`Cannot read key "${path}": it is no RSA private key in PEM`);
}

function signingKey(fingerprint: string, key: KeyObject): SigningKey {
  return {
    fingerprint,
    sign: (text) => Promise.resolve(sign("sha256", Buffer.from(text), key).toString("hex")),
  };
}
