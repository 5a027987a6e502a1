// A log record -> AuditEvent, by OpenTelemetry's semantic conventions. Attributes all stay, under
// their own names, in request, response or additional; what CloudTrail has a field for is also put
// there. Who, from where and on what is only taken from the record; its resource is who tells.

import { isIP } from "node:net";
import { actionName } from "../action-name.ts";
import type { Actor, AuditEvent, EventCategory, Origin, Resource, Session } from "../event.ts";
import type { Json } from "../json.ts";
import { endpointOf } from "../mapping-event.ts";
import { toJson, toObject } from "./any-value.ts";
import { type Attributes, AttributeSorter, type SortedAttributes, textOf } from "./attributes.ts";
import type { LogRecord, ResourceLogs, ScopeLogs } from "./log-record.ts";
import { outcomeOf } from "./outcome.ts";

/** What the records of one scope have in common. */
export interface Shared {
  readonly service: string;
  readonly host: string | undefined;
  readonly resource: Attributes | undefined;
  readonly scope: Attributes | undefined;
}

const ACTIONS_MAX = 4096;
// CloudTrail's limit for eventName.
const ACTION_LENGTH_MAX = 256;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,252})$/;
const READING = /^(?:GET|HEAD|OPTIONS|SELECT|SHOW|DESCRIBE|EXPLAIN)$/i;
const NAMED = ["event.name", "event.action", "k8s.event.reason"] as const;
// Attributes of a record that name a thing of Kubernetes it is about.
const KUBERNETES = [
  ["k8s.pod.name", "Pod"],
  ["k8s.deployment.name", "Deployment"],
  ["k8s.statefulset.name", "StatefulSet"],
  ["k8s.daemonset.name", "DaemonSet"],
  ["k8s.job.name", "Job"],
  ["k8s.cronjob.name", "CronJob"],
] as const;

/** Makes what all records of a scope share. */
export function sharedOf(logs: ResourceLogs, scope: ScopeLogs): Shared {
  const resource = toObject(logs.attributes);
  const { name, version, attributes } = scope;
  const schemaUrl = scope.schemaUrl || logs.schemaUrl;
  const told = {
    ...(name !== "" && { name }),
    ...(version !== "" && { version }),
    ...(attributes.length > 0 && { attributes: toObject(attributes) }),
    ...(schemaUrl !== "" && { schemaUrl }),
  };
  const service = textOf(resource, "service.name", "process.executable.name") ??
    (name || "unknown");
  return {
    service: service.toLowerCase(),
    host: hostOf(textOf(resource, "host.name", "k8s.node.name")),
    resource: logs.attributes.length > 0 ? resource : undefined,
    scope: Object.keys(told).length > 0 ? told : undefined,
  };
}

/** Makes events. Remembers names it has met, which only saves time. */
export class EventMaker {
  readonly #sorter = new AttributeSorter();
  readonly #actions = new Map<string, string>();

  /** The event of a record. `receivedAt` is its time where it has none of its own. */
  event(record: LogRecord, shared: Shared, id: string, receivedAt: number): AuditEvent {
    const sorted = this.#sorter.sort(record.attributes);
    const { request, response, other } = sorted;
    const isNamed = hasEventName(record) || textOf(other, ...NAMED) !== undefined;
    const origin = other && originOf(sorted);
    const resources = resourcesOf(sorted, shared.resource);
    const host = hostOf(textOf(other, "host.name")) ?? shared.host;
    return {
      id,
      time: timeOf(record) ?? receivedAt,
      service: textOf(other, "service.name")?.toLowerCase() ?? shared.service,
      action: this.#action(record, sorted),
      actor: actorOf(other),
      outcome: outcomeOf(record, sorted),
      ...(host !== undefined && { host }),
      ...(origin !== undefined && { origin }),
      ...(resources.length > 0 && { resources }),
      ...(request !== undefined && { request }),
      ...(response !== undefined && { response }),
      additional: additionalOf(record, shared, other),
      readOnly: !isNamed && isReading(request),
      category: categoryOf(isNamed),
    };
  }

  #action(record: LogRecord, { request, other }: SortedAttributes): string {
    const name = record.eventName || textOf(other, ...NAMED);
    if (name !== undefined) return this.#named(name);
    if (request !== undefined) {
      const method = textOf(request, "rpc.method");
      if (method !== undefined) return this.#named(method.slice(method.lastIndexOf("/") + 1));
      const http = textOf(request, "http.request.method", "http.method");
      if (http !== undefined) return this.#named(`Http ${http}`);
      const database = textOf(request, "db.operation.name", "db.operation");
      if (database !== undefined) return this.#named(database);
    }
    return textOf(other, "exception.type", "exception.message") === undefined
      ? "LogMessage"
      : "RaiseException";
  }

  #named(name: string): string {
    const known = this.#actions.get(name);
    if (known !== undefined) return known;
    const action = actionName("", name).replace(/[^!-~]/g, "").slice(0, ACTION_LENGTH_MAX) ||
      "LogMessage";
    if (this.#actions.size < ACTIONS_MAX) this.#actions.set(name, action);
    return action;
  }
}

/** Whether a record says by a name that it is an event. */
export function hasEventName({ eventName, attributes }: LogRecord): boolean {
  return eventName !== "" ||
    attributes.some(({ key, value }) => key === "event.name" && value !== "" && value !== null);
}

/** When it happened, or else when it was first seen, in milliseconds; undefined for neither. */
export function timeOf({ time, observed }: LogRecord): number | undefined {
  const found = time || observed;
  // Exact: 2^64 nanoseconds are fewer milliseconds than a double holds.
  return found === 0n ? undefined : Number(found / 1_000_000n);
}

function hostOf(name: string | undefined): string | undefined {
  return name !== undefined && HOST.test(name) ? name : undefined;
}

/** Plain messages, calls and queries come in masses; what has a name of its own is rarer. */
function categoryOf(isNamed: boolean): EventCategory {
  return isNamed ? "Management" : "Data";
}

function isReading(request: Attributes | undefined): boolean {
  const names = ["http.request.method", "http.method", "db.operation.name", "db.operation"];
  return READING.test(textOf(request, ...names) ?? "");
}

function actorOf(other: Attributes | undefined): Actor {
  const name = textOf(other, "user.name", "user.email", "enduser.id");
  const id = textOf(other, "user.id", "enduser.pseudo.id");
  const sessionId = textOf(other, "session.id");
  const session: Session | undefined = sessionId === undefined ? undefined : { id: sessionId };
  return {
    type: "user",
    ...(name !== undefined && { name }),
    ...(id !== undefined && { id }),
    ...(session !== undefined && { session }),
  };
}

function originOf({ request, other }: SortedAttributes): Origin | undefined {
  const found = textOf(other, "client.address", "http.client_ip", "source.address") ??
    peerOf(request, other);
  const place = found === undefined ? {} : endpointOf(found);
  const port = Number(textOf(other, "client.port", "source.port") ?? place.port);
  const host = hostOf(place.host);
  const userAgent = textOf(other, "user_agent.original", "http.user_agent");
  const tls = tlsOf(other);
  const origin: Origin = {
    ...(place.address !== undefined && { address: place.address }),
    ...(found !== undefined && port > 0 && port < 65_536 && { port }),
    ...(host !== undefined && { host }),
    ...(userAgent !== undefined && { userAgent }),
    ...(tls !== undefined && { tls }),
  };
  return Object.keys(origin).length === 0 ? undefined : origin;
}

/**
 * The other end of the connection is where a request came from only when a server tells of it: a
 * client tells of a server's address, a whole URL, a peer service or a database.
 */
function peerOf(request: Attributes | undefined, other: Attributes | undefined) {
  const peer = textOf(other, "network.peer.address", "net.sock.peer.addr", "net.peer.ip");
  if (peer === undefined || isIP(peer) === 0) return undefined;
  const isClient = textOf(other, "server.address", "destination.address", "peer.service") ??
    textOf(request, "url.full", "http.url", "db.system.name", "db.system");
  return isClient === undefined ? peer : undefined;
}

function tlsOf(other: Attributes | undefined): Origin["tls"] {
  const version = textOf(other, "tls.protocol.version");
  const cipherSuite = textOf(other, "tls.cipher");
  const serverName = textOf(other, "tls.client.server_name");
  if (version === undefined && cipherSuite === undefined && serverName === undefined) {
    return undefined;
  }
  return {
    ...(version !== undefined && { version: /^\d/.test(version) ? `TLSv${version}` : version }),
    ...(cipherSuite !== undefined && { cipherSuite }),
    ...(serverName !== undefined && { serverName }),
  };
}

/** What the record is about. Of the resource's only what the Collector's k8s_events puts there. */
function resourcesOf(
  { request, other }: SortedAttributes,
  resource: Attributes | undefined,
): readonly Resource[] {
  const found: Resource[] = [];
  const add = (type: string, name: string | undefined, within?: string) => {
    if (name !== undefined) found.push({ type, name: within ? `${within}/${name}` : name });
  };
  const namespace = textOf(other, "k8s.namespace.name");
  const kind = textOf(resource, "k8s.object.kind");
  if (kind !== undefined && /^[A-Za-z]{1,64}$/.test(kind)) {
    add(`Kubernetes::${kind}`, textOf(resource, "k8s.object.name"), namespace);
  }
  if (other !== undefined) {
    for (const [name, kind] of KUBERNETES) {
      add(`Kubernetes::${kind}`, textOf(other, name), namespace);
    }
    add("Host::File", textOf(other, "file.path"));
    const cloud = textOf(other, "cloud.resource_id");
    if (cloud !== undefined) {
      found.push({
        type: "Cloud::Resource",
        name: cloud,
        ...(cloud.startsWith("arn:") && { arn: cloud }),
      });
    }
  }
  if (request !== undefined) {
    const names = ["db.collection.name", "db.sql.table", "db.mongodb.collection"];
    add(
      "Database::Collection",
      textOf(request, ...names),
      textOf(request, "db.namespace", "db.name"),
    );
  }
  return found;
}

function additionalOf(
  record: LogRecord,
  { resource, scope }: Shared,
  attributes: Attributes | undefined,
): Record<string, Json> {
  const facts: Record<string, Json> = {};
  if (record.eventName !== "") facts.eventName = record.eventName;
  if (record.body !== null) facts.body = toJson(record.body);
  if (record.severityNumber !== 0) facts.severityNumber = record.severityNumber;
  if (record.severityText !== "") facts.severityText = record.severityText;
  if (record.traceId !== "") facts.traceId = record.traceId;
  if (record.spanId !== "") facts.spanId = record.spanId;
  if (record.flags !== 0) facts.flags = record.flags;
  // CloudTrail's eventTime ends at the second.
  if (record.time !== 0n) facts.timeUnixNano = String(record.time);
  if (record.observed !== 0n && record.observed !== record.time) {
    facts.observedTimeUnixNano = String(record.observed);
  }
  if (record.droppedAttributes !== 0) facts.droppedAttributesCount = record.droppedAttributes;
  if (attributes !== undefined) facts.attributes = attributes;
  if (resource !== undefined) facts.resource = resource;
  if (scope !== undefined) facts.scope = scope;
  return facts;
}
