// Where the running configuration was written: how an API that will not change what a file declares
// tells the place in the file. The host offers it from before the first component starts.

import type { ComponentKind } from "./factory.ts";
import type { Json } from "./json.ts";
import { type ServiceKind, serviceKind } from "./service.ts";

/** A component as the configuration declares it. */
export interface Declaration {
  /** `file:line:column`, or the name of a source without lines. */
  readonly place: string;
  /** Of an exporter: the selectors it has, in AWS's spelling; neither means everything. */
  readonly eventSelectors?: readonly Json[];
  readonly advancedEventSelectors?: readonly Json[];
}

/** The running configuration. */
export interface Declarations {
  /** Undefined where there is no such component. */
  component(kind: ComponentKind, id: string): Declaration | undefined;
  /** The configuration's first file, for what is not declared yet. */
  readonly source: string;
}

/** The kind; there is always exactly one. */
export const declarationsService: ServiceKind<Declarations> = serviceKind("declarations");
