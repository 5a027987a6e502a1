// Options of format gitlab: it has none, an event says all that is needed to read it.

import { z } from "zod";

/** Its schema. */
export const config = z.strictObject({});
