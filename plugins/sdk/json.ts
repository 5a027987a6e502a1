// JSON as a type: what travels inside events, records, positions and stored state.

/** Any value that JSON can spell. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object; `undefined` members are left out when it is written. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}
