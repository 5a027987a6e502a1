// What the engine's actions are called, and what kind of action each is.

import type { EventCategory } from "../../sdk/index.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

/** How one action of the engine is described. */
export interface ActionRule {
  readonly action: string;
  readonly readOnly: boolean;
  readonly category: EventCategory;
  /** The engine did it by itself, or a process ended: nobody asked. */
  readonly byEngine: boolean;
}

// Type, action of the engine, our action; then flags: r = read-only, d = Data, e = by the engine.
// Names of Docker, and of Podman where it has its own.
const TABLE = `
container create CreateContainer
container init InitializeContainer e
container start StartContainer
container restart RestartContainer
container stop StopContainer
container kill KillContainer
container pause PauseContainer
container unpause UnpauseContainer
container rename RenameContainer
container update UpdateContainer
container destroy DeleteContainer
container remove DeleteContainer
container commit CommitContainer
container export ExportContainer rd
container archive-path CopyFromContainer rd
container copy CopyFromContainer rd
container extract-to-dir CopyToContainer d
container attach AttachContainer d
container detach DetachContainer d
container resize ResizeContainer d
container top ListContainerProcesses rd
container checkpoint CheckpointContainer
container restore RestoreContainer
container mount MountContainer d
container unmount UnmountContainer d
container die ExitContainer e
container died ExitContainer e
container oom ExhaustContainerMemory e
container cleanup CleanUpContainer e
container sync SyncContainer e
container prune PruneContainers
container auto-update UpdateContainer
container exec_create CreateCommand d
container exec_start ExecuteCommand d
container exec ExecuteCommand d
container exec_detach DetachCommand d
container exec_die EndCommand de
container exec_died EndCommand de
image create CreateImage
image delete DeleteImage
image remove DeleteImage
image import ImportImage
image load LoadImage
image loadfromarchive LoadImage
image pull PullImage
image pull-error PullImage
image push PushImage
image save SaveImage r
image tag TagImage
image untag UntagImage
image mount MountImage d
image unmount UnmountImage d
image prune PruneImages
network connect ConnectNetwork
network disconnect DisconnectNetwork
network destroy DeleteNetwork
network remove DeleteNetwork
network prune PruneNetworks
volume mount MountVolume d
volume unmount UnmountVolume d
volume destroy DeleteVolume
volume remove DeleteVolume
volume prune PruneVolumes
plugin install InstallPlugin
builder prune PruneBuildCache
daemon reload ReloadConfiguration
pod destroy DeletePod
pod remove DeletePod
system refresh RefreshEngine e
system renumber RenumberLocks
`;

const RULES: ReadonlyMap<string, ActionRule> = new Map(
  TABLE.trim().split("\n").map((line) => {
    const [type, verb, action = "", flags = ""] = line.split(" ");
    return [`${type} ${verb}`, {
      action,
      readOnly: flags.includes("r"),
      category: flags.includes("d") ? "Data" : "Management",
      byEngine: flags.includes("e"),
    }];
  }),
);

const LONGEST_NAME = 64;

/** The rule of an action; of one that is not in the table it is made of its own words. */
export function ruleOf(type: string, verb: string): ActionRule {
  const found = RULES.get(`${type} ${verb.toLowerCase()}`);
  if (found !== undefined) return found;
  const first = verb === "remove" ? "delete" : verb;
  const action = pascalCase(first.slice(0, LONGEST_NAME)) + pascalCase(type.slice(0, LONGEST_NAME));
  return { action, readOnly: false, category: "Management", byEngine: false };
}

// Actions that only images have, in events so old that they have no type.
const OF_IMAGES: ReadonlySet<string> = new Set([
  "delete",
  "import",
  "load",
  "pull",
  "push",
  "save",
  "tag",
  "untag",
]);

/** The type of an event of an engine that did not say it yet (before API 1.22). */
export function typeOfStatus(status: string): string {
  return OF_IMAGES.has(status) ? "image" : "container";
}
