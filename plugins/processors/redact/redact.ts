// Redacts one record: the operator's rules first, then what is known to be a secret by its shape or
// its member's name. Nothing is changed in place; a record without a secret is the same object.

import { isSecretName } from "../../sdk/json-secrets.ts";
import { replaceSecrets, SECRET_LENGTH_MIN } from "../../sdk/known-secrets.ts";
import type { CloudTrailRecord, Json, JsonObject } from "../../sdk/index.ts";
import { changeAt, changedMembers, isStructured, replaceMember } from "../../sdk/record-path.ts";
import { isRedacted, type Put, putFor } from "./action.ts";
import type { RedactConfig, RedactRule } from "./config.ts";
import { restore, STRUCTURE } from "./structure.ts";

type Redact = (record: CloudTrailRecord) => CloudTrailRecord;

// Members of AWS's own requests that are named as secrets are: they page, or tell repeats apart.
const NO_SECRETS: readonly string[] = [
  "nextToken",
  "NextToken",
  "clientToken",
  "ClientToken",
  "clientRequestToken",
  "ClientRequestToken",
  "continuationToken",
  "continuation-token",
  "idempotencyToken",
  "paginationToken",
  "pageToken",
  "startToken",
];
// Where CloudTrail writes the id of an access key: whose key it was is not its secret.
const KEY_ID = /^(?:\w*access_?key_?id|principalid)$/i;
const KEY_ID_VALUE = /^A[A-Z]{3}[A-Z0-9]{12,124}$/;

// Most texts of a record stand in many records, such as names and user agents: those that hold no
// secret are remembered, some two MiB of them at most.
const CLEAN_TEXTS_MAX = 4096;
const CLEAN_LENGTH_MAX = 256;
const NAMES_MAX = 4096;

/** Makes the function that redacts a record. */
export function compileRedact(config: RedactConfig): Redact {
  const put = putFor(config.action, config.hash_key);
  const steps: Redact[] = config.rules.map((rule) => {
    const { action = config.action } = rule;
    return compileRule(rule, putFor(action, config.hash_key), action === "remove");
  });
  if (config.known_secrets) {
    const known = new KnownSecrets(put, [...NO_SECRETS, ...config.except_names]);
    steps.push((record) => known.redact(record));
  }
  return (record) => steps.reduce((redacted, step) => step(redacted), record);
}

/** Every text of a record that is not of its structure. */
function changeTexts(record: CloudTrailRecord, change: (text: string) => string | undefined) {
  const inside = (value: Json): Json | undefined => {
    if (typeof value === "string") return change(value);
    return isStructured(value) ? changedMembers(value, undefined, inside) : value;
  };
  let copy: Record<string, Json> | undefined;
  for (const name of Object.keys(record)) {
    const value = record[name] as Json | undefined;
    if (value === undefined || STRUCTURE.has(name)) continue;
    const after = inside(value);
    if (after !== value) replaceMember(copy ??= { ...record } as Record<string, Json>, name, after);
  }
  return copy === undefined ? record : restore(record, copy as CloudTrailRecord);
}

function compileRule({ fields, patterns }: RedactRule, put: Put, removes: boolean): Redact {
  const part = (text: string) => put(text) ?? "";
  const matched = (text: string): string =>
    patterns!.reduce((so, pattern) => isRedacted(so) ? so : pattern.replace(so, part), text);
  if (fields === undefined) return (record) => changeTexts(record, matched);
  const change = patterns === undefined ? whole(put, removes) : eachText(matched);
  return (record) => {
    const after = fields.reduce<Json | undefined>(
      (value, field) => value === undefined ? value : changeAt(value, field, change),
      record as JsonObject,
    );
    return restore(record, after as CloudTrailRecord);
  };
}

/** Redacts a whole value. An object or list keeps its members: a field keeps its type. */
function whole(put: Put, removes: boolean): (value: Json) => Json | undefined {
  const change = (value: Json): Json | undefined => {
    if (removes) return undefined;
    if (isStructured(value)) return changedMembers(value, undefined, change);
    return value === null ? value : put(String(value));
  };
  return change;
}

function eachText(matched: (text: string) => string): (value: Json) => Json | undefined {
  const change = (value: Json): Json | undefined => {
    if (typeof value === "string") return matched(value);
    return isStructured(value) ? changedMembers(value, undefined, change) : value;
  };
  return change;
}

/** Secrets known without being told. */
class KnownSecrets {
  readonly #put: Put;
  readonly #part: (secret: string) => string;
  readonly #exceptions: ReadonlySet<string>;
  readonly #clean = new Set<string>();
  readonly #names = new Map<string, boolean>();

  constructor(put: Put, exceptions: readonly string[]) {
    this.#put = put;
    this.#part = (secret) => put(secret) ?? "";
    this.#exceptions = new Set(exceptions);
  }

  redact(record: CloudTrailRecord): CloudTrailRecord {
    let copy: Record<string, Json> | undefined;
    for (const name of Object.keys(record)) {
      const value = record[name] as Json | undefined;
      if (value === undefined || STRUCTURE.has(name)) continue;
      const after = this.#member(name, value);
      if (after !== value) {
        replaceMember(copy ??= { ...record } as Record<string, Json>, name, after);
      }
    }
    return copy === undefined ? record : restore(record, copy as CloudTrailRecord);
  }

  #member(name: string, value: Json): Json | undefined {
    if (typeof value === "string") return this.#text(name, value);
    if (typeof value === "number") return this.#isSecret(name) ? this.#put(String(value)) : value;
    if (Array.isArray(value)) return this.#list(name, value);
    return value === null || typeof value !== "object" ? value : this.#object(value as JsonObject);
  }

  #text(name: string, value: string): string | undefined {
    if (this.#isSecret(name)) return value === "" || isRedacted(value) ? value : this.#put(value);
    if (value.length < SECRET_LENGTH_MIN || this.#clean.has(value)) return value;
    if (isRedacted(value) || isKeyId(name, value)) return value;
    const shown = replaceSecrets(value, this.#part);
    if (shown !== value || value.length > CLEAN_LENGTH_MAX) return shown;
    if (this.#clean.size >= CLEAN_TEXTS_MAX) this.#clean.clear();
    this.#clean.add(value);
    return value;
  }

  #isSecret(name: string): boolean {
    let known = this.#names.get(name);
    if (known === undefined) {
      known = isSecretName(name) && !this.#exceptions.has(name);
      if (this.#names.size >= NAMES_MAX) this.#names.clear();
      this.#names.set(name, known);
    }
    return known;
  }

  #list(name: string, list: readonly Json[]): Json {
    let copy: (Json | undefined)[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const after = this.#member(name, list[i]!);
      if (after !== list[i]) (copy ??= [...list])[i] = after;
    }
    return copy === undefined ? list : copy.filter((item) => item !== undefined);
  }

  #object(object: JsonObject): Json {
    const pair = nameOf(object);
    let copy: Record<string, Json> | undefined;
    for (const name of Object.keys(object)) {
      const value = object[name];
      if (value === undefined) continue;
      const isPaired = pair !== undefined && (name === "value" || name === "Value");
      const after = this.#member(isPaired ? pair : name, value);
      if (after === value) continue;
      copy ??= { ...object } as Record<string, Json>;
      replaceMember(copy, name, after);
    }
    return copy ?? object;
  }
}

function isKeyId(name: string, value: string): boolean {
  return value.charCodeAt(0) === 0x41 && KEY_ID_VALUE.test(value) && KEY_ID.test(name);
}

/** Of `{"name": "DB_PASSWORD", "value": …}`, as environments and tags are written, the name. */
function nameOf(object: JsonObject): string | undefined {
  if (object.value === undefined && object.Value === undefined) return undefined;
  const name = object.name ?? object.Name ?? object.key ?? object.Key;
  return typeof name === "string" ? name : undefined;
}
