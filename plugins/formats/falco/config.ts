// Options of format falco.

import { z } from "zod";

/** Its schema: what an alert means is told by the alert. */
export const config = z.strictObject({});
