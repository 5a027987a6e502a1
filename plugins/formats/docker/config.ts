// Options of format docker.

import { z } from "zod";

/** Its schema. */
export const config = z.strictObject({
  max_labels: z.int().min(0).max(1024).default(32)
    .describe("Labels of a container, image, … that are copied; what is beyond is counted"),
});

/** The checked options. */
export type DockerConfig = z.output<typeof config>;
