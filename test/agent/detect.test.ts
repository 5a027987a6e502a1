// Which sources `cairn run` records where nobody configured any.

import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { createRegistry } from "../../src/agent/registry.ts";
import { detectSources, type Places } from "../../src/agent/detect.ts";
import { defaultConfig } from "../../src/config/default.ts";
import { loadSources, processEnvironment } from "../../src/config/load.ts";
import { resolve } from "../../src/config/resolve.ts";

/** A host with these things on it. */
function host(...things: readonly (keyof Places | "journalctl")[]): Places {
  const root = mkdtempSync(join(tmpdir(), "cairn-$host-"));
  const places = {
    auditLog: join(root, "audit.log"),
    journals: [join(root, "persistent"), join(root, "volatile")],
    loginLogs: [join(root, "auth.log"), join(root, "secure")],
    engines: [join(root, "docker.sock"), join(root, "podman.sock")],
    programs: `${join(root, "none")}:${join(root, "bin")}`,
  };
  mkdirSync(join(root, "bin"));
  if (things.includes("auditLog")) writeFileSync(places.auditLog, "");
  if (things.includes("journals")) mkdirSync(places.journals[1]!);
  if (things.includes("loginLogs")) writeFileSync(places.loginLogs[1]!, "");
  if (things.includes("engines")) { for (const path of places.engines) writeFileSync(path, ""); }
  if (things.includes("journalctl")) {
    const program = join(root, "bin", "journalctl");
    writeFileSync(program, "");
    chmodSync(program, 0o755);
  }
  return places;
}

async function receivers(places: Places): Promise<readonly string[]> {
  return (await detectSources(places)).flatMap(({ receiver }) => receiver?.[0] ?? []);
}

t.test("detectSources() records each action from one source: the audit log where it is", async (t) => {
  t.same(await receivers(host()), ["auditd"], "it waits for the audit log");
  t.same(await receivers(host("auditLog", "journals", "journalctl", "loginLogs")), ["auditd"]);
  t.same(await receivers(host("journals", "journalctl", "loginLogs")), ["auditd", "journald"]);
  t.same(await receivers(host("journals", "loginLogs")), ["auditd", "file/logins"]);
  t.same(await receivers(host("auditLog", "engines")), ["auditd", "docker", "docker/podman"]);
});

t.test("detectSources() says what it found and why it leaves it", async (t) => {
  const sources = await detectSources(host("auditLog", "journals", "journalctl"));
  t.match(sources.map(({ message }) => message), [
    /^Audit log ".*": found, recording/,
    /^Journal ".*volatile": found, not recorded beside the audit log: add receiver journald$/,
  ]);
  const [, journal] = await detectSources(host("journals"));
  t.match(journal!.message, /found, but no program journalctl/);
});

t.test("defaultConfig() is a configuration without a mistake for every host", async (t) => {
  for (
    const things of [
      [],
      ["auditLog", "engines"],
      ["journals", "journalctl"],
      ["loginLogs"],
    ] as const
  ) {
    const sources = await detectSources(host(...things));
    const found = sources.flatMap(({ receiver }) => receiver === undefined ? [] : [receiver]);
    const source = defaultConfig("/srv/cairn $data", found);
    const loaded = loadSources({ sources: [source], environment: processEnvironment({}) });
    const resolution = await resolve(loaded, createRegistry(), {
      host: "h",
      dataDir: "/srv/cairn",
    });
    t.same(resolution.problems, [], things.join());
    t.same([...resolution.config!.receivers.keys()], found.map(([id]) => id));
    const trail = resolution.config!.exporters.get("trail")!.config as { directory: string };
    t.equal(trail.directory, "/srv/cairn $data/trail", "a dollar sign stays one");
  }
});
