// Fingerprints out of a record's bytes: a walk over the text that makes no objects and no strings takes
// a third of the time of parsing it. What is not plain ASCII text where a text belongs is left to
// the parser.

import { fingerprint, fingerprintBytes } from "./attributes.ts";
import { FALSE, type Prints, TRUE } from "./prints.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SLASH = 0x2f;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;
const LETTER_T = 0x74;
const LETTER_F = 0x66;

// Where the texts of the members asked for begin and end, in pairs; -1 for one that is not there.
const EVENT_ID = 0;
const EVENT_NAME = 2;
const EVENT_SOURCE = 4;
const ERROR_CODE = 6;
const TYPE = 8;
const USER_NAME = 10;
const PRINCIPAL_ID = 12;
const ARN = 14;
const ACCESS_KEY_ID = 16;
const RESOURCE_NAME = 18;
const RESOURCE_TYPE = 20;
const SPANS = 22;
// Members that are no text.
const READ_ONLY = 100;
const USER_IDENTITY = 101;
const RESOURCES = 102;
const LEFT_TO_PARSER = 103;

type Names = Readonly<Record<string, number>>;
/** By the length of their names: bytes, and what to do with the value. */
type Wanted = readonly (readonly { readonly name: Uint8Array; readonly member: number }[])[];

const TOP = wanted({
  eventID: EVENT_ID,
  eventName: EVENT_NAME,
  eventSource: EVENT_SOURCE,
  errorCode: ERROR_CODE,
  readOnly: READ_ONLY,
  userIdentity: USER_IDENTITY,
  resources: RESOURCES,
  insightDetails: LEFT_TO_PARSER,
});
const IDENTITY = wanted({
  type: TYPE,
  userName: USER_NAME,
  principalId: PRINCIPAL_ID,
  arn: ARN,
  accessKeyId: ACCESS_KEY_ID,
});
const RESOURCE = wanted({
  ARN: RESOURCE_NAME,
  ARNPrefix: LEFT_TO_PARSER,
  type: RESOURCE_TYPE,
});

const ROOT = fingerprint("Root");
const ROOT_NAME = fingerprint("root");
const ASSUMED_ROLE = fingerprint("AssumedRole");
const FEDERATED_USER = fingerprint("FederatedUser");

/** Reads one text after the other. */
export class RecordScanner {
  readonly #spans = new Int32Array(SPANS);
  #bytes = new Uint8Array();
  #prints!: Prints;

  /**
   * Fills the prints of a record, as fillPrints() would of the record parsed; false where it has to
   * be. The text is JSON, as all are that the queue holds.
   */
  scan(bytes: Uint8Array, prints: Prints): boolean {
    this.#bytes = bytes as Uint8Array<ArrayBuffer>;
    this.#prints = prints;
    this.#spans.fill(-1);
    prints.readOnly = 0;
    prints.names.length = 0;
    prints.types.length = 0;
    const begin = skipSpace(bytes, 0);
    if (bytes[begin] !== OPEN_BRACE || this.#object(begin, TOP) < 0) return false;
    prints.eventId = this.#print(EVENT_ID);
    prints.eventName = this.#print(EVENT_NAME);
    prints.eventSource = this.#print(EVENT_SOURCE);
    prints.accessKeyId = this.#print(ACCESS_KEY_ID);
    prints.username = this.#username();
    prints.isError = this.#spans[ERROR_CODE]! >= 0;
    return prints.eventId >= 0 && prints.eventName >= 0 && prints.eventSource >= 0 &&
      prints.accessKeyId >= 0 && prints.username >= 0;
  }

  /** From its brace to behind its end; -1 where it is not for the scanner. */
  #object(begin: number, wanted: Wanted): number {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, begin + 1);
    while (bytes[at] !== CLOSE_BRACE) {
      const keyEnd = skipName(bytes, at);
      if (keyEnd < 0) return -1;
      const member = memberOf(bytes, at + 1, keyEnd - 1, wanted);
      at = skipSpace(bytes, keyEnd);
      if (bytes[at] !== COLON || member === LEFT_TO_PARSER) return -1;
      at = skipSpace(bytes, at + 1);
      at = member < 0 ? skipValue(bytes, at) : this.#take(member, at);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
      if (at >= bytes.length) return -1;
    }
    return at + 1;
  }

  /** Takes a member's value; -1 where it is not what belongs there. */
  #take(member: number, at: number): number {
    const first = this.#bytes[at];
    if (member < SPANS) {
      const end = first === QUOTE ? skipString(this.#bytes, at) : -1;
      this.#spans[member] = at + 1;
      this.#spans[member + 1] = end - 1;
      return end;
    }
    if (member === READ_ONLY && (first === LETTER_T || first === LETTER_F)) {
      this.#prints.readOnly = first === LETTER_T ? TRUE : FALSE;
      return skipValue(this.#bytes, at);
    }
    if (member === USER_IDENTITY && first === OPEN_BRACE) return this.#object(at, IDENTITY);
    if (member === RESOURCES && first === OPEN_BRACKET) return this.#resources(at);
    return -1;
  }

  #resources(begin: number): number {
    const bytes = this.#bytes;
    const { names, types } = this.#prints;
    // A member that stands there twice counts as its last.
    names.length = 0;
    types.length = 0;
    let at = skipSpace(bytes, begin + 1);
    while (bytes[at] !== CLOSE_BRACKET) {
      if (bytes[at] !== OPEN_BRACE) return -1;
      this.#spans.fill(-1, RESOURCE_NAME);
      at = this.#object(at, RESOURCE);
      if (at < 0 || !this.#addResource()) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
    }
    return at + 1;
  }

  /** False where its texts are not for the scanner. */
  #addResource(): boolean {
    const { names, types } = this.#prints;
    const type = this.#print(RESOURCE_TYPE);
    if (type > 0) types.push(type);
    const name = this.#print(RESOURCE_NAME);
    if (name > 0) {
      names.push(name);
      const short = this.#lastPart(RESOURCE_NAME);
      if (short !== this.#spans[RESOURCE_NAME]) {
        names.push(fingerprintBytes(this.#bytes, short, this.#spans[RESOURCE_NAME + 1]!));
      }
    }
    return type >= 0 && name >= 0;
  }

  /** As usernameOf(). */
  #username(): number {
    if (this.#spans[USER_NAME]! >= 0) return this.#print(USER_NAME);
    const type = this.#print(TYPE);
    if (type === ROOT) return ROOT_NAME;
    if (type !== ASSUMED_ROLE && type !== FEDERATED_USER) return Math.min(type, 0);
    const span = this.#hasColon(PRINCIPAL_ID) ? PRINCIPAL_ID : ARN;
    const short = this.#lastPart(span);
    if (short === this.#spans[span]) return this.#print(span) < 0 ? -1 : 0;
    return fingerprintBytes(this.#bytes, short, this.#spans[span + 1]!);
  }

  /** 0 where it is not there, -1 where it is not plain. */
  #print(span: number): number {
    const from = this.#spans[span]!;
    return from < 0 ? 0 : fingerprintBytes(this.#bytes, from, this.#spans[span + 1]!);
  }

  #hasColon(span: number): boolean {
    const to = this.#spans[span + 1]!;
    let at = this.#spans[span]!;
    while (at >= 0 && at < to && this.#bytes[at] !== COLON) at++;
    return at >= 0 && at < to;
  }

  /** Where the part behind the last colon or slash of a text begins. */
  #lastPart(span: number): number {
    const from = this.#spans[span]!;
    let at = this.#spans[span + 1]!;
    while (at > from && this.#bytes[at - 1] !== COLON && this.#bytes[at - 1] !== SLASH) at--;
    return at;
  }
}

function wanted(names: Names): Wanted {
  const byLength: { name: Uint8Array; member: number }[][] = [];
  for (const [name, member] of Object.entries(names)) {
    (byLength[name.length] ??= []).push({ name: new TextEncoder().encode(name), member });
  }
  return Array.from(byLength, (members) => members ?? []);
}

/** What to do with a member's value; -1 for one that nobody asks for. */
function memberOf(bytes: Uint8Array, from: number, to: number, wanted: Wanted): number {
  const candidates = wanted[to - from];
  if (candidates !== undefined) {
    for (let c = 0; c < candidates.length; c++) {
      const { name, member } = candidates[c]!;
      let i = 0;
      while (i < name.length && bytes[from + i] === name[i]) i++;
      if (i === name.length) return member;
    }
  }
  return -1;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! <= SPACE) at++;
  return at;
}

/** As skipString(); -1 also where it is spelled with escapes: it may be one of those wanted. */
function skipName(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return -1;
  for (let at = from + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) return -1;
  }
  return -1;
}

/** From its quote to behind its end; -1 where it is no string. */
function skipString(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return -1;
  for (let at = from + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}

/** From the beginning of any value to behind its end, or that of what it stands in. */
function skipValue(bytes: Uint8Array, from: number): number {
  if (bytes[from] === QUOTE) return skipString(bytes, from);
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at) - 1;
      if (at < 0) return -1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) return at;
  }
  return -1;
}
