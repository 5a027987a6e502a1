// The built-in plugins, one line each. A plugin's code is loaded when a configuration names it.

import type { ComponentFactory, ComponentKind } from "./sdk/index.ts";

type Load = () => Promise<{ readonly default: unknown }>;

/** Every built-in plugin: kind, then type, then how to load its factory. */
export const builtIn: Readonly<Record<ComponentKind, Readonly<Record<string, Load>>>> = {
  receiver: {
    auditd: () => import("./receivers/auditd/index.ts"),
    channel: () => import("./receivers/channel/index.ts"),
    cloudtrail: () => import("./receivers/cloudtrail/index.ts"),
    docker: () => import("./receivers/docker/index.ts"),
    file: () => import("./receivers/file/index.ts"),
    journald: () => import("./receivers/journald/index.ts"),
    k8s_audit: () => import("./receivers/k8s_audit/index.ts"),
    otlp: () => import("./receivers/otlp/index.ts"),
    syslog: () => import("./receivers/syslog/index.ts"),
    webhook: () => import("./receivers/webhook/index.ts"),
  },
  format: {
    audit: () => import("./formats/audit/index.ts"),
    cloudtrail: () => import("./formats/cloudtrail/index.ts"),
    docker: () => import("./formats/docker/index.ts"),
    falco: () => import("./formats/falco/index.ts"),
    github: () => import("./formats/github/index.ts"),
    gitlab: () => import("./formats/gitlab/index.ts"),
    json: () => import("./formats/json/index.ts"),
    k8s_audit: () => import("./formats/k8s_audit/index.ts"),
    minio: () => import("./formats/minio/index.ts"),
    osquery: () => import("./formats/osquery/index.ts"),
    otlp: () => import("./formats/otlp/index.ts"),
    pgaudit: () => import("./formats/pgaudit/index.ts"),
    syslog: () => import("./formats/syslog/index.ts"),
    teleport: () => import("./formats/teleport/index.ts"),
    text: () => import("./formats/text/index.ts"),
    vault: () => import("./formats/vault/index.ts"),
  },
  processor: {
    enrich: () => import("./processors/enrich/index.ts"),
    filter: () => import("./processors/filter/index.ts"),
    redact: () => import("./processors/redact/index.ts"),
  },
  exporter: {
    audit_channel: () => import("./exporters/audit_channel/index.ts"),
    cloudwatch_logs: () => import("./exporters/cloudwatch_logs/index.ts"),
    debug: () => import("./exporters/debug/index.ts"),
    eventbridge: () => import("./exporters/eventbridge/index.ts"),
    file: () => import("./exporters/file/index.ts"),
    history: () => import("./exporters/history/index.ts"),
    otlp: () => import("./exporters/otlp/index.ts"),
    trail: () => import("./exporters/trail/index.ts"),
  },
  extension: {
    api: () => import("./extensions/api/index.ts"),
    console: () => import("./extensions/console/index.ts"),
    health: () => import("./extensions/health/index.ts"),
  },
};

/** Loads one built-in factory; undefined when there is none of that kind and type. */
export async function loadBuiltIn(
  kind: ComponentKind,
  type: string,
): Promise<ComponentFactory | undefined> {
  const load = Object.hasOwn(builtIn[kind], type) ? builtIn[kind][type] : undefined;
  return load === undefined ? undefined : (await load()).default as ComponentFactory;
}
