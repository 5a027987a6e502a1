// Which container and which pod the agent itself runs in, out of its control groups, its mounts and
// the files of Kubernetes' downward API.

import { join } from "node:path";
import type { JsonObject } from "../../sdk/index.ts";
import type { EnrichConfig } from "./config.ts";
import { facts, readFact } from "./facts.ts";

const ID = "[0-9a-f]{64}";
// The last part of a control group's path: Docker, containerd, CRI-O, Podman; with systemd's names.
const CGROUP = new RegExp(`[/:-](${ID})(?:\\.scope)?(?:/[\\w./-]{0,64})?$`, "m");
// With its own cgroup namespace a container does not see that path, but where its files come from.
// A sandbox is the pod's, not the container's.
const MOUNT = new RegExp(
  `/(?:containers|overlay-containers)/(${ID})/(?:userdata/)?(?:hostname|hosts|resolv\\.conf) `,
);
const POD = /pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})/;
const ECS_TASK = new RegExp(`/ecs/(?:[^/\\n]+/)?[0-9a-f]{32}[/-]`);
const LABELS_MAX = 64;

/** The container's id and its runtime, as far as they can be told. */
export async function describeContainer(root: string): Promise<JsonObject | undefined> {
  const [cgroup = "", mounts = ""] = await Promise.all([
    readFact(join(root, "proc/self/cgroup")),
    readFact(join(root, "proc/self/mountinfo")),
  ]);
  const id = (CGROUP.exec(cgroup) ?? MOUNT.exec(mounts))?.[1];
  return id === undefined ? undefined : facts({ id, runtime: runtimeOf(cgroup, mounts) });
}

function runtimeOf(cgroup: string, mounts: string): string | undefined {
  if (ECS_TASK.test(cgroup)) return "ecs";
  if (/libpod|overlay-containers/.test(cgroup + mounts)) return "podman";
  if (/crio/.test(cgroup + mounts)) return "cri-o";
  if (/cri-containerd|io\.containerd/.test(cgroup + mounts)) return "containerd";
  return /docker/.test(cgroup + mounts) ? "docker" : undefined;
}

/** The pod, out of options, the downward API and the service account; undefined outside of one. */
export async function describePod(
  root: string,
  options: EnrichConfig["kubernetes"],
): Promise<JsonObject | undefined> {
  const info = (file: string) => readFact(join(options.directory, file));
  const [pod, podName, namespace, uid, node, container, labels, annotations, account, cgroup] =
    await Promise.all([
      info("name"),
      info("pod_name"),
      info("namespace"),
      info("uid"),
      info("node"),
      info("container"),
      info("labels"),
      info("annotations"),
      readFact(join(options.service_account_directory, "namespace")),
      readFact(join(root, "proc/self/cgroup")),
    ]);
  return facts({
    namespace: options.namespace || namespace || account,
    pod: options.pod || pod || podName,
    podUid: options.uid || uid || POD.exec(cgroup ?? "")?.[1]?.replaceAll("_", "-"),
    node: options.node || node,
    container: options.container || container,
    labels: assignments(labels),
    annotations: assignments(annotations),
  });
}

/** Lines `key="value"`, the value escaped as in Go, as the downward API writes maps. */
function assignments(text: string | undefined): Record<string, string> {
  const map: Record<string, string> = {};
  for (const line of (text ?? "").split("\n").slice(0, LABELS_MAX)) {
    const match = /^([^=]+)=(".*")$/.exec(line);
    if (match === null) continue;
    Object.defineProperty(map, match[1]!, { value: unquote(match[2]!), enumerable: true });
  }
  return map;
}

function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    // Go escapes some characters that JSON does not; then it stays as it was written.
    return quoted.slice(1, -1);
  }
}
