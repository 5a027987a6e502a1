// `cairn print-config` as a process: what several sources add up to, and that it is a configuration.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { callCairn } from "./call.ts";

const FILES = {
  "base.yaml": `receivers: { file: { path: a, format: json }, auditd: { start_at: end } }
exporters: { trail: { directory: ./trail } }
service: { pipelines: { p: { receivers: [file], exporters: [trail] } } }
`,
  conf: {
    "10.yaml": "agent:\n  region: one\nreceivers: { auditd: null }\n",
    "20.yaml": "agent: { region: two }\n",
  },
};

t.test("cairn print-config prints what all sources add up to, and that is valid", async (t) => {
  const folder = t.testdir(FILES);
  const sources = ["base.yaml", "conf"].flatMap((name) => ["--config", join(folder, name)]);
  const more = ["--config", "yaml:agent::host: web", "--set", "receivers.file.path=b"];
  const printed = await callCairn(["print-config", ...sources, ...more]);
  t.equal(printed.code, 0, printed.stderr);
  t.equal(
    printed.stdout,
    `receivers:
  file:
    path: b
    format: json
exporters:
  trail:
    directory: ./trail
service:
  pipelines:
    p:
      receivers:
        - file
      exporters:
        - trail
agent:
  region: two
  host: web
`,
  );
  const origin = await callCairn(["print-config", "--origin", ...sources, ...more]);
  t.match(
    origin.stdout,
    `  region: two  # ${folder}/conf/20.yaml:1:10\n  host: web  # yaml:#3:1:1`,
  );
  t.match(origin.stdout, "path: b  # --set receivers.file.path=…");
  const whole = await callCairn(["print-config", "--defaults", ...sources, ...more]);
  t.match(whole.stdout, /^ {4}max_line_bytes: 256KiB\n/m);
  t.match(whole.stdout, /^ {8}max_bytes: 1GiB\n/m);
  writeFileSync(join(folder, "whole.yaml"), whole.stdout);
  const again = await callCairn(["validate", "--config", join(folder, "whole.yaml")]);
  t.match(again, { code: 0, stdout: /Configuration is valid/ });
});

t.test("cairn print-config prints a configuration with problems, says them, and ends with 3", async (t) => {
  const config = join(t.testdir({ "x.yaml": "agent: { regoin: x }\n" }), "x.yaml");
  const { code, stdout, stderr } = await callCairn(["print-config", "--config", config]);
  t.equal(code, 3);
  t.equal(stdout, 'agent:\n  regoin: "[secret]"\n', "it may be a secret whose name has a slip");
  t.match(stderr, /did you mean "region"\?/);
  const none = await callCairn(["print-config", "--config", `${config}.missing`]);
  t.match(none, { code: 3, stdout: "", stderr: /no such file/ });
});
