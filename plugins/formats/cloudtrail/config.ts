// The options of format `cloudtrail`: none. What a record is, is fixed.

import { z } from "zod";

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({});
