// Format k8s_audit: every sample of others in place, then names, actors, outcomes, stages and what is
// never copied, on events as the API server's documentation has them.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { conformance, testAgent } from "../../sdk/conformance.ts";
import type { AuditEvent, Decoded, Format } from "../../sdk/index.ts";
import { answeredId } from "../../sdk/received-only.ts";
import { nameAction } from "../../sdk/kubernetes-action.ts";
import k8sAudit from "./index.ts";
import { pluralOf } from "../../sdk/action-name.ts";
import { kindOf } from "../../sdk/kubernetes-kind.ts";

const ROOT = rootOf(dirname(fileURLToPath(import.meta.url)));
const SAMPLES = join(process.env.CAIRN_SAMPLES ?? join(ROOT, "../shared/samples"), "k8s-audit");

function rootOf(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : rootOf(dirname(folder));
}

const at = { source: "test", offset: 0 };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function make(options: Record<string, unknown> = {}, reasons: string[] = []): Format {
  const context = { agent: testAgent, ignored: (reason: string) => void reasons.push(reason) };
  return k8sAudit.create(k8sAudit.config.parse(options), context);
}

function eventsOf(decoded: Decoded): readonly AuditEvent[] {
  return "events" in decoded ? decoded.events : [];
}

type Members = Readonly<Record<string, unknown>>;

/** An event as the API server writes it, at level Metadata. */
function event(members: Members = {}): Members {
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "Metadata",
    auditID: "a-1",
    stage: "ResponseComplete",
    requestURI: "/api/v1/namespaces/shop/pods/web-0",
    verb: "get",
    user: { username: "alice", uid: "u-1", groups: ["dev", "system:authenticated"] },
    sourceIPs: ["198.51.100.7"],
    userAgent: "kubectl/v1.33.0",
    objectRef: { resource: "pods", namespace: "shop", name: "web-0", apiVersion: "v1" },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: "2026-11-22T10:00:00.123456Z",
    stageTimestamp: "2026-11-22T10:00:00.200000Z",
    annotations: { "authorization.k8s.io/decision": "allow" },
    ...members,
  };
}

function describe(members: Members = {}, options: Record<string, unknown> = {}): AuditEvent {
  const format = make(options);
  const [found] = eventsOf(format.decode(bytes(event(members)), at));
  return found ?? eventsOf(format.flush(Infinity))[0]!;
}

function samples(t: Test): readonly (readonly [string, Uint8Array])[] {
  if (existsSync(SAMPLES)) {
    return readdirSync(SAMPLES, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => framesOf(readFileSync(join(SAMPLES, name), "utf8"), name));
  }
  if (process.env.CI !== undefined) t.fail(`No samples at ${SAMPLES}`);
  else t.comment(`Skipped: no samples at ${SAMPLES}`);
  return [];
}

/** A file is one document over many lines, or has one on each. */
function framesOf(text: string, name: string): (readonly [string, Uint8Array])[] {
  const lines = text.split("\n").filter(Boolean);
  const isLines = lines.length > 1 && lines.every((line) => line.startsWith('{"'));
  return (isLines ? lines : [text]).map((frame) => [name, Buffer.from(frame)] as const);
}

const stages = [
  event({ stage: "RequestReceived", responseStatus: undefined }),
  event({}),
  event({ auditID: "a-2", stage: "RequestReceived" }),
  event({ auditID: "a-3", stage: "ResponseStarted", verb: "watch" }),
  event({ auditID: "a-2" }),
  event({ auditID: "a-4", stage: "RequestReceived" }),
  event({ auditID: "a-3", verb: "watch" }),
  { kind: "EventList", items: [event({ auditID: "a-5" }), event({ auditID: "a-6" })] },
];

t.test("k8s_audit", async (t) => {
  await conformance(t, k8sAudit, { minimal: {}, frames: stages.map(bytes) });
});

t.test("every sample is read, but the one that is no audit event", async (t) => {
  const reasons: string[] = [];
  const found = new Map<string, readonly AuditEvent[]>();
  const rejected: string[] = [];
  const files = samples(t);
  for (const [name, frame] of files) {
    const format = make({}, reasons);
    try {
      const events = eventsOf(format.decode(frame, at));
      const key = name.split("/").at(-1)!;
      const before = found.get(key) ?? [];
      found.set(key, [...before, ...events, ...eventsOf(format.flush(Infinity))]);
    } catch (error) {
      rejected.push(`${name}: ${String(error)}`);
    }
  }
  if (files.length === 0) return;
  // Made for a test of a program that crashed on it: an object with nothing but a wrong kind.
  const names = rejected.map((line) => line.replace(/^.*\//, ""));
  t.same(names, ["fal_01_003.json: RejectedInput: Is no Kubernetes audit event"]);
  t.same(reasons, []);
  const all = [...found.values()].flat();
  t.comment(`| k8s-audit | ${files.length} frames | ${all.length} actions |`);
  const [exec] = found.get("exec_pod.json")!;
  t.match(exec, {
    action: "ExecPod",
    category: "Data",
    readOnly: false,
    actor: { type: "user", name: "minikube-user" },
    outcome: { success: true },
    origin: { address: "192.168.99.1" },
    request: { parameters: { command: "bash", tty: "true" } },
    resources: [{
      type: "Kubernetes::Pod",
      name: "default/nginx-deployment-7998647bdf-phvq7",
    }],
  });
  const [anonymous] = found.get("anonymous_creates_namespace_foo.json")!;
  t.match(anonymous, { action: "CreateNamespace", actor: { type: "anonymous" } });
  t.match(found.get("event-1.json")![0], {
    action: "UpdateLease",
    actor: { type: "service", name: "kube-controller-manager" },
    time: Date.parse("2022-10-10T15:57:05.710Z"),
  });
  t.match(found.get("sample_EventHubs_event.json")![0], { action: "GetApiResources" });
  t.ok(found.get("event.json")!.length > 10, "an envelope holds many");
  const text = JSON.stringify(all);
  t.notMatch(text, /aws_access_key_id|aws_secret_access_key|last-applied-configuration/);
});

t.test("actions are verb, kind and subresource", async (t) => {
  const name = (verb: string, resource?: string, subresource?: string, one?: string) => {
    const path = resource === undefined ? one ?? "" : "";
    const target = { verb, path, resource, subresource, isDryRun: false };
    const { action, readOnly, category } = nameAction({ ...target, name: one });
    return `${action} ${readOnly ? "read" : "write"} ${category}`;
  };
  t.equal(name("create", "pods"), "CreatePod write Management");
  t.equal(name("delete", "secrets", undefined, "x"), "DeleteSecret write Management");
  t.equal(name("list", "secrets"), "ListSecrets read Management");
  t.equal(name("watch", "networkpolicies"), "WatchNetworkPolicies read Management");
  t.equal(name("deletecollection", "pods"), "DeletePods write Management");
  t.equal(name("get", "pods", "exec", "x"), "ExecPod write Data");
  t.equal(name("create", "pods", "portforward", "x"), "PortForwardPod write Data");
  t.equal(name("get", "pods", "log", "x"), "GetPodLog read Data");
  t.equal(name("create", "pods", "eviction", "x"), "EvictPod write Management");
  t.equal(name("create", "serviceaccounts", "token"), "CreateServiceAccountToken write Management");
  t.equal(name("patch", "deployments", "scale", "x"), "PatchDeploymentScale write Management");
  t.equal(
    name("patch", "pods", "ephemeralcontainers", "x"),
    "PatchPodEphemeralContainers write Management",
  );
  t.equal(name("create", "subjectaccessreviews"), "CreateSubjectAccessReview read Management");
  t.equal(name("update", "ciliumidentities", "x y"), "UpdateCiliumidentityPart write Management");
  t.equal(name("get", undefined, undefined, "/healthz/ping"), "GetHealth read Management");
  t.equal(name("get", undefined, undefined, "/apis/apps/v1"), "GetApiResources read Management");
  t.equal(name("post", undefined, undefined, "/x"), "CreateNonResourceUrl write Management");
  t.equal(name("Ünknown", "../x"), "RequestObject write Management");
  for (const kind of ["NetworkPolicy", "Ingress", "Pod", "StorageClass", "Endpoints", "Gateway"]) {
    t.equal(kindOf(pluralOf(kind).toLowerCase()), kind, kind);
  }
});

t.test("actors are people, service accounts, components, and one as another", async (t) => {
  const actor = (username: string, impersonatedUser?: Members) =>
    describe({ user: { username, uid: "u" }, impersonatedUser }).actor;
  t.same(actor("alice"), { type: "user", name: "alice", id: "u" });
  const account = "system:serviceaccount:kube-system:default";
  t.same(actor(account), { type: "user", name: account, id: "u" });
  t.same(actor("system:kube-scheduler"), { type: "service", name: "kube-scheduler" });
  t.same(actor("system:node:worker-1"), { type: "service", name: "kubelet.worker-1" });
  t.same(actor("system:admin"), { type: "user", name: "system:admin", id: "u" });
  t.same(actor("system:anonymous"), { type: "anonymous", id: "system:anonymous" });
  t.same(actor("alice", { username: "root-of-shop", groups: ["system:masters"] }), {
    type: "role",
    name: "root-of-shop",
    assumedBy: { type: "user", name: "alice", id: "u" },
  });
  t.same(describe({ user: undefined }).actor, { type: "user" });
  t.match(describe({ user: { username: "alice", groups: ["a"], extra: { scopes: ["b"] } } }), {
    additional: { user: { username: "alice", groups: ["a"], extra: { scopes: ["b"] } } },
  });
});

t.test("outcomes have the status' name, and nothing of private values", async (t) => {
  const outcome = (responseStatus: unknown, members: Members = {}) =>
    describe({ responseStatus, ...members }).outcome;
  t.same(outcome({ code: 201 }), { success: true });
  t.same(outcome({ code: 403, reason: "Forbidden", message: "no" }), {
    success: false,
    code: "AccessDenied",
    message: "no",
  });
  t.same(outcome({ code: 401 }), { success: false, code: "AuthenticationFailed" });
  t.same(outcome({ code: 409, reason: "AlreadyExists" }), {
    success: false,
    code: "AlreadyExists",
  });
  t.same(outcome({ code: 418 }), { success: false, code: "HttpStatus418" });
  t.same(outcome(undefined, { stage: "Panic" }), { success: false, code: "InternalError" });
  const forbid = { annotations: { "authorization.k8s.io/decision": "forbid" } };
  t.same(outcome(undefined, forbid), { success: false, code: "AccessDenied" });
  const secret = { objectRef: { resource: "secrets", name: "s" } };
  t.same(outcome({ code: 422, message: 'Invalid value: "hunter2"' }, secret), {
    success: false,
    code: "Invalid",
  });
});

t.test("contents of secrets, config maps, tokens and variables are never copied", async (t) => {
  const told = (resource: string, requestObject: unknown, subresource?: string) =>
    JSON.stringify(describe({
      level: "RequestResponse",
      verb: "create",
      objectRef: { resource, subresource, namespace: "shop", name: "x" },
      requestObject,
      responseObject: requestObject,
    }));
  const data = { data: { key: "hunter2" }, stringData: { key: "hunter2" } };
  t.notMatch(told("secrets", { kind: "Secret", ...data }), "hunter2");
  t.notMatch(told("configmaps", { kind: "ConfigMap", ...data }), "hunter2");
  t.notMatch(told("secrets", [{ op: "add", path: "/data/key", value: "hunter2" }]), "hunter2");
  t.notMatch(told("tokenreviews", { spec: { token: "hunter2" } }), "hunter2");
  t.notMatch(told("serviceaccounts", { status: { token: "hunter2" } }, "token"), "hunter2");
  t.notMatch(told("others", { kind: "List", items: [{ kind: "Secret", ...data }] }), "hunter2");
  const applied = "kubectl.kubernetes.io/last-applied-configuration";
  const pod = {
    kind: "Pod",
    metadata: { annotations: { [applied]: "hunter2", note: "kept" }, managedFields: ["hunter2"] },
    spec: {
      containers: [{
        image: "nginx",
        securityContext: { privileged: true },
        env: [{ name: "PW", value: "hunter2" }, { name: "S", valueFrom: { secretKeyRef: "kept" } }],
      }],
      dbPassword: "hunter2",
    },
  };
  const text = told("pods", pod);
  t.notMatch(text, "hunter2");
  t.match(text, /"image":"nginx","securityContext":\{"privileged":true\}/);
  t.match(text, /"name":"PW","value":"\[not copied\]"/);
  t.match(text, /secretKeyRef/);
  t.notMatch(told("deployments", [{ op: "replace", path: "/spec", value: "hunter2" }]), "hunter2");
  const uri = "/api/v1/namespaces/a/services/b/proxy/login?token=hunter2&command=ls&command=-l";
  const proxied = describe({ requestURI: uri });
  t.notMatch(JSON.stringify(proxied), "hunter2");
  t.match(proxied.request, { parameters: { command: ["ls", "-l"] } });
  const patch = { "patch.webhook.admission.k8s.io/round_0_index_0": "hunter2", kept: "yes" };
  t.same(describe({ annotations: patch }).additional?.annotations, { kept: "yes" });
  const without = describe({ verb: "create", requestObject: pod }, { request_objects: false });
  t.equal(without.request?.requestObject, undefined);
});

t.test("bindings keep who is given what, and why a request was allowed", async (t) => {
  const subjects = [{ kind: "User", name: "mallory" }];
  const roleRef = { kind: "ClusterRole", name: "cluster-admin" };
  const reason = 'RBAC: allowed by ClusterRoleBinding "admins"';
  const described = describe({
    verb: "create",
    level: "RequestResponse",
    objectRef: { resource: "clusterrolebindings", apiGroup: "rbac.authorization.k8s.io" },
    requestObject: { kind: "ClusterRoleBinding", subjects, roleRef },
    responseObject: { metadata: { name: "b-1", uid: "u-9" } },
    annotations: { "authorization.k8s.io/reason": reason },
  }, { cluster: "prod" });
  t.match(described, {
    host: "prod",
    action: "CreateClusterRoleBinding",
    request: { requestObject: { subjects, roleRef } },
    response: { name: "b-1", uid: "u-9" },
    resources: [{ type: "Kubernetes::ClusterRoleBinding", name: "b-1" }],
    additional: { annotations: { "authorization.k8s.io/reason": reason } },
  });
});

t.test("the stages of a request are one event", async (t) => {
  const reasons: string[] = [];
  const format = make({}, reasons);
  const take = (members: Members, offset = 0) =>
    eventsOf(format.decode(bytes(event(members)), { source: "s", offset })).map(({ id }) => id);
  const id = (auditID: string) => `${auditID}:2026-11-22T10:00:00.123456Z`;
  t.same(take({ stage: "RequestReceived" }, 7), []);
  t.same(format.oldestPending(), { source: "s", offset: 7 });
  t.same(take({}), [id("a-1")], "told with its answer");
  t.equal(format.oldestPending(), undefined);
  t.same(take({}), [id("a-1")], "a repeat has the same id");
  t.same(take({ stage: "RequestReceived" }), [], "a late first stage");
  t.same(take({ auditID: "w", stage: "ResponseStarted" }), [id("w")], "told when it begins");
  t.same(take({ auditID: "w" }), [], "not once more when it ends");
  t.same(take({ auditID: "p", stage: "ResponseStarted" }), [id("p")]);
  t.same(take({ auditID: "p", stage: "Panic" }), [`${id("p")}:Panic`], "a panic is news");
  t.equal(reasons.length, 2);
  const other = { requestReceivedTimestamp: "2026-11-22T10:00:09Z" };
  t.not(take(other)[0], id("a-1"), "an auditID that a client chose again is another request");
});

t.test("a request without an answer is told after a while, and says so", async (t) => {
  const format = make({ wait: "5s", max_waiting: 2 });
  const take = (auditID: string) =>
    eventsOf(format.decode(bytes(event({ auditID, stage: "RequestReceived" })), at));
  t.same(take("a"), []);
  t.same(eventsOf(format.flush(1000)), []);
  t.same(eventsOf(format.flush(5999)), []);
  const [told] = eventsOf(format.flush(6000));
  t.match(told, { action: "GetPod", additional: { stage: "RequestReceived" } });
  t.equal(answeredId(told!.id), "a:2026-11-22T10:00:00.123456Z");
  t.same([...take("b"), ...take("c")], []);
  t.equal(take("d").length, 1, "over the limit the oldest is told");
});

t.test("frames that are no audit events are rejected or counted", async (t) => {
  const reasons: string[] = [];
  const format = make({}, reasons);
  const decode = (value: unknown) => eventsOf(format.decode(bytes(value), at)).length;
  t.throws(() => decode({ kind: "Pod" }), { name: "RejectedInput" });
  t.throws(() => decode({ kind: "EventList", items: [1] }), { name: "RejectedInput" });
  t.throws(() => decode({ message: "no JSON" }), { name: "RejectedInput" });
  t.throws(() => decode({ auditID: "x" }), { message: /no time/ });
  t.equal(decode({ kind: "EventList", items: null }), 0);
  t.equal(decode({ records: [{ category: "kube-apiserver", properties: { log: "x" } }] }), 0);
  t.same(reasons, ["not audited: another log of the cluster"]);
  const flood = { kind: "EventList", items: Array.from({ length: 100_001 }, () => ({})) };
  t.throws(() => decode(flood), { message: "Is a list of 100001 events: the limit is 100000" });
  const message = JSON.stringify(event());
  t.equal(decode({ logEvents: [{ id: "1", message }] }), 1);
});
