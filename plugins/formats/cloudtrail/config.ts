// The options of format `cloudtrail`: none. What a record is, is fixed.

import { z } from "zod";

export const config = z.strictObject({});
