// What a message of the log tells, before it is put into an event.

import type { Actor, EventCategory, Json, Origin, Outcome, Resource } from "../../sdk/index.ts";

/** An action; what is left out has the usual value, or is what the message's session says. */
export interface Finding {
  readonly action: string;
  readonly readOnly?: boolean;
  readonly category?: EventCategory;
  readonly outcome?: Outcome;
  readonly actor?: Actor;
  readonly request: Record<string, Json>;
  response?: Record<string, Json>;
  resource?: Resource;
  readonly tls?: Origin["tls"];
}
