// Attributes of a log record, sorted into what was asked for, what came of it, and the rest. The names
// are those of OpenTelemetry's semantic conventions, present and former.

import type { Json } from "../json.ts";
import { isSecretName, NOT_COPIED } from "../json-secrets.ts";
import { commandWithoutSecrets } from "../command-secrets.ts";
import { setMember } from "../mapping-path.ts";
import { type AnyValue, type KeyValue, toJson } from "./any-value.ts";

/** An object of attributes: full names, with their dots. */
export type Attributes = Readonly<Record<string, Json>>;

/** A record's attributes; an empty part is left out. */
export interface SortedAttributes {
  request?: Record<string, Json>;
  response?: Record<string, Json>;
  other?: Record<string, Json>;
}

interface Place {
  readonly part: keyof SortedAttributes;
  /** What the value passes through. */
  readonly show: (value: AnyValue) => Json;
}

const RESPONSE =
  /^(?:http\.(?:response\.|status_code$)|db\.response\.|rpc\.(?:response\.|[a-z_]+\.(?:status_code|error_code|error_message)$))/;
const REQUEST =
  /^(?:(?:url|rpc|db|messaging|graphql|faas)\.|http\.(?:request\.|route$|method$|url$|target$))/;
const URL = /^(?:url\.(?:full|query|original)|http\.(?:url|target))$/;
// Senders use some hundred names; one that makes them up as it goes gains nothing from a cache.
const KNOWN_MAX = 4096;

/** Sorts attributes. Remembers where each name belongs. */
export class AttributeSorter {
  readonly #places = new Map<string, Place>();

  sort(attributes: readonly KeyValue[]): SortedAttributes {
    const sorted: SortedAttributes = {};
    for (let i = 0; i < attributes.length; i++) {
      const { key, value } = attributes[i]!;
      const { part, show } = this.#places.get(key) ?? this.#place(key);
      setMember(sorted[part] ??= {}, key, show(value));
    }
    return sorted;
  }

  #place(key: string): Place {
    const place: Place = {
      part: RESPONSE.test(key) ? "response" : REQUEST.test(key) ? "request" : "other",
      show: isSecretName(key) ? () => NOT_COPIED : URL.test(key) ? shownUrl : toJson,
    };
    if (this.#places.size < KNOWN_MAX) this.#places.set(key, place);
    return place;
  }
}

/** A URL without passwords and tokens in it. */
function shownUrl(value: AnyValue): Json {
  return typeof value === "string" ? commandWithoutSecrets(value, value.length) : toJson(value);
}

/** The first of some attributes that is a text, not empty, or a number. */
export function textOf(
  attributes: Attributes | undefined,
  ...names: readonly string[]
): string | undefined {
  if (attributes === undefined) return undefined;
  for (const name of names) {
    const value = attributes[name];
    if (typeof value === "string" && value !== "") return value;
    if (typeof value === "number") return String(value);
  }
  return undefined;
}
