// One audit event of Kubernetes -> one AuditEvent. The event is of audit.k8s.io/v1 or older, at any
// level; what a level leaves out is left out here.

import type { AuditEvent, Resource } from "../../sdk/event.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { listIn, objectIn, textIn, timeAt } from "../../sdk/json-frame.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { nameAction } from "../../sdk/kubernetes-action.ts";
import { actorOf } from "./actor.ts";
import { copyAnnotations, copyParameters, copyRequested, isPrivate } from "./copy.ts";
import { kindOf } from "../../sdk/kubernetes-kind.ts";
import { outcomeOf } from "./outcome.ts";

/** How events are described. */
export interface DescribeOptions {
  readonly cluster: string | undefined;
  readonly requestObjects: boolean;
}

/** What an event is about. */
interface Subject {
  readonly verb: string;
  readonly path: string;
  readonly parameters: Record<string, Json>;
  readonly reference: JsonObject | undefined;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly name: string | undefined;
}

/** When the request came, or else its frame. Throws RejectedInput where neither is known. */
export function timeOf(event: JsonObject, at: FramePosition): number {
  return timeAt(
    at,
    event.requestReceivedTimestamp,
    event.stageTimestamp,
    event.timestamp,
    objectIn(event, "metadata")?.creationTimestamp,
  );
}

/** Describes an event of a time. Never throws. */
export function describeEvent(
  event: JsonObject,
  id: string,
  time: number,
  options: DescribeOptions,
): AuditEvent {
  const subject = subjectOf(event);
  const { resource, subresource, name, parameters } = subject;
  const hidden = isPrivate(resource, subresource);
  const isDryRun = parameters.dryRun !== undefined;
  const named = nameAction({ ...subject, isDryRun });
  const described: { -readonly [K in keyof AuditEvent]: AuditEvent[K] } = {
    id,
    time,
    service: "kubernetes",
    action: named.action,
    actor: actorOf(event),
    outcome: outcomeOf(event, hidden),
    request: requestOf(event, subject, options.requestObjects && !hidden),
    additional: additionalOf(event),
    readOnly: named.readOnly,
    category: named.category,
  };
  if (options.cluster !== undefined) described.host = options.cluster;
  const origin = originOf(event);
  if (origin !== undefined) described.origin = origin;
  const made = objectIn(objectIn(event, "responseObject"), "metadata");
  const response = responseOf(made, textIn(subject.reference, "uid"));
  if (response !== undefined) described.response = response;
  const found = name ?? (subresource === undefined ? textIn(made, "name") : undefined);
  if (resource !== undefined && found !== undefined) {
    described.resources = [resourceOf(kindOf(resource), found, subject.reference)];
  }
  return described;
}

function subjectOf(event: JsonObject): Subject {
  const uri = textIn(event, "requestURI") ?? "";
  const mark = uri.indexOf("?");
  const reference = objectIn(event, "objectRef");
  return {
    verb: textIn(event, "verb") ?? "",
    path: mark < 0 ? uri : uri.slice(0, mark),
    parameters: copyParameters(mark < 0 ? "" : uri.slice(mark + 1)),
    reference,
    resource: textIn(reference, "resource"),
    subresource: textIn(reference, "subresource"),
    name: textIn(reference, "name"),
  };
}

const REFERENCE = ["apiGroup", "apiVersion", "resource", "subresource", "namespace", "name"];

function requestOf(event: JsonObject, subject: Subject, withObject: boolean): JsonObject {
  const request: Record<string, Json> = { verb: subject.verb };
  if (subject.path !== "") request.path = subject.path;
  for (const member of REFERENCE) {
    const text = textIn(subject.reference, member);
    if (text !== undefined) request[member] = text;
  }
  if (Object.keys(subject.parameters).length > 0) request.parameters = subject.parameters;
  // Its status is what a controller saw, not what anybody asked for.
  if (subject.subresource === "status") return request;
  if (withObject && event.requestObject !== undefined) {
    const requested = copyRequested(event.requestObject);
    if (requested !== undefined) request.requestObject = requested;
  }
  return request;
}

/** What the API made of it: enough to find the object again. */
function responseOf(made: JsonObject | undefined, known: string | undefined) {
  const uid = textIn(made, "uid") ?? known;
  const name = textIn(made, "name");
  const resourceVersion = textIn(made, "resourceVersion");
  if (uid === undefined && name === undefined && resourceVersion === undefined) return undefined;
  return { name, uid, resourceVersion };
}

function resourceOf(kind: string, name: string, reference: JsonObject | undefined): Resource {
  const namespace = textIn(reference, "namespace");
  // A namespace is in itself, as the API has it.
  const isInside = namespace !== undefined && kind !== "Namespace";
  return { type: `Kubernetes::${kind}`, name: isInside ? `${namespace}/${name}` : name };
}

function originOf(event: JsonObject): AuditEvent["origin"] {
  const address = listIn(event, "sourceIPs")?.[0];
  const userAgent = textIn(event, "userAgent");
  if (typeof address !== "string") return userAgent === undefined ? undefined : { userAgent };
  return userAgent === undefined ? { address } : { address, userAgent };
}

function additionalOf(event: JsonObject): JsonObject {
  const facts: Record<string, Json> = {};
  for (const member of ["auditID", "level", "stage"]) {
    const text = textIn(event, member);
    if (text !== undefined) facts[member] = text;
  }
  const code = objectIn(event, "responseStatus")?.code;
  if (typeof code === "number") facts.statusCode = code;
  const user = objectIn(event, "user");
  if (user !== undefined) facts.user = copyUser(user);
  const other = objectIn(event, "impersonatedUser");
  if (other !== undefined) facts.impersonatedUser = copyUser(other);
  const addresses = listIn(event, "sourceIPs");
  if (addresses !== undefined && addresses.length > 1) facts.sourceIPs = addresses;
  const annotations = objectIn(event, "annotations");
  if (annotations !== undefined) facts.annotations = copyAnnotations(annotations);
  return facts;
}

/** The authenticator's answer about a user; `extra` may hold what it calls a token. */
function copyUser(user: JsonObject): JsonObject {
  const copy = copyRequested(user);
  return copy === undefined ? {} : copy as JsonObject;
}
