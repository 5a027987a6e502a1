// Names of Kubernetes' resources as kinds: `networkpolicies` -> `NetworkPolicy`. Where words meet
// cannot be told from a plural, so those of Kubernetes itself stand in a table.

import { pluralOf } from "./action-name.ts";

const KINDS: readonly string[] = [
  "APIService",
  "CertificateSigningRequest",
  "ClusterRole",
  "ClusterRoleBinding",
  "ClusterTrustBundle",
  "ComponentStatus",
  "ConfigMap",
  "ControllerRevision",
  "CronJob",
  "CSIDriver",
  "CSINode",
  "CSIStorageCapacity",
  "CustomResourceDefinition",
  "DaemonSet",
  "DeviceClass",
  "EndpointSlice",
  "FlowSchema",
  "HorizontalPodAutoscaler",
  "IngressClass",
  "IPAddress",
  "LimitRange",
  "LocalSubjectAccessReview",
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
  "MutatingWebhookConfiguration",
  "NetworkPolicy",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "PodDisruptionBudget",
  "PodMetrics",
  "PodSecurityPolicy",
  "PodTemplate",
  "PriorityClass",
  "PriorityLevelConfiguration",
  "ReplicaSet",
  "ReplicationController",
  "ResourceClaim",
  "ResourceClaimTemplate",
  "ResourceQuota",
  "ResourceSlice",
  "RoleBinding",
  "RuntimeClass",
  "SelfSubjectAccessReview",
  "SelfSubjectReview",
  "SelfSubjectRulesReview",
  "ServiceAccount",
  "ServiceCIDR",
  "StatefulSet",
  "StorageClass",
  "StorageVersion",
  "SubjectAccessReview",
  "TokenReview",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
  "VolumeAttachment",
  "VolumeAttributesClass",
];

const IRREGULAR: Readonly<Record<string, string>> = {
  endpoints: "Endpoints",
  nodemetrics: "NodeMetrics",
  nodes: "Node",
  pods: "Pod",
  podmetrics: "PodMetrics",
};

const BY_PLURAL: ReadonlyMap<string, string> = new Map([
  ...KINDS.map((kind): [string, string] => [pluralOf(kind.toLowerCase()), kind]),
  ...Object.entries(IRREGULAR),
]);

const WORD = /^[a-z][a-z0-9]{0,99}$/;

/** `pods` -> `Pod`. A name that cannot be a resource's is `Object`. */
export function kindOf(resource: string): string {
  const known = BY_PLURAL.get(resource);
  if (known !== undefined) return known;
  return WORD.test(resource) ? capital(singular(resource)) : "Object";
}

/** The first letter made large. */
export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function singular(name: string): string {
  if (name.endsWith("ies")) return `${name.slice(0, -3)}y`;
  if (/(?:ss|us|x|ch|sh)es$/.test(name)) return name.slice(0, -2);
  return name.endsWith("s") && !name.endsWith("ss") ? name.slice(0, -1) : name;
}
