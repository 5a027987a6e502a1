// What the API does not change: whatever the configuration declares. Each refusal says where it is
// declared, or where it would be.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { declarationsService } from "../../sdk/declarations.ts";
import type { ComponentKind } from "../../sdk/factory.ts";
import type { Call } from "./call.ts";

/** The refusal to change a component; `what` is how the caller knows it: `Trail "main"`. */
export function isDeclared(call: Call, kind: ComponentKind, id: string, what: string): AwsFault {
  const place = call.find(declarationsService)[0]?.component(kind, id)?.place;
  const at = place === undefined ? "the agent's configuration" : `"${place}"`;
  return new AwsFault(
    "OperationNotPermittedException",
    `${what} is declared in ${at}: change ${kind}s.${id} there`,
  );
}

/** The refusal to make something that a configuration has to declare. */
export function toDeclare(call: Call, what: string, how: string): AwsFault {
  const source = call.find(declarationsService)[0]?.source;
  const at = source === undefined ? "the agent's configuration" : `"${source}"`;
  return new AwsFault(
    "OperationNotPermittedException",
    `${what} are declared in ${at}: add ${how}`,
  );
}

/** The refusal of what there is none of. */
export function unsupported(message: string): AwsFault {
  return new AwsFault("UnsupportedOperationException", message);
}
