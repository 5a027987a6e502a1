// Format minio: MinIO's audit log, as its audit webhook sends it.

import { defineFormat } from "../../sdk/index.ts";
import { jsonFormat } from "../../sdk/json-format.ts";
import { config } from "./config.ts";
import { describeEvent } from "./describe.ts";

export default defineFormat({
  type: "minio",
  stability: "beta",
  summary: "MinIO audit log: S3, admin and STS calls",
  config,
  create: (_config, { ignored }) => jsonFormat(describeEvent, ignored),
});
