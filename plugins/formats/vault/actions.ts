// What a request to Vault is called: its operation and path, with the kind of what is mounted there,
// as a verb and a noun. `update auth/ldap/login/alice` is `UserLogin`, `read` of a key-value store
// `GetSecret`, `delete sys/audit/file` `DisableAuditDevice`.

import { pluralOf } from "../../sdk/action-name.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

/** How a request is described. */
export interface ActionRule {
  readonly action: string;
  /** What the path is the path of. */
  readonly kind: string;
  /** Use of what is in a mount, in contrast to Vault's own configuration. */
  readonly data: boolean;
  readonly readOnly: boolean;
}

const VERBS: ReadonlyMap<string, string> = new Map([
  ["create", "Create"],
  ["update", "Update"],
  ["patch", "Update"],
  ["read", "Get"],
  ["header", "Get"],
  ["help", "Get"],
  ["list", "List"],
  ["delete", "Delete"],
]);
const READS: ReadonlySet<string> = new Set(["Get", "List"]);

// Path, with * for one part and ** for any rest; action, or + and a noun, to which the operation is
// the verb; then r = read-only. The first that fits counts.
const TABLE = `
auth/token/create** CreateToken
auth/token/lookup** GetToken r
auth/token/renew** RenewToken
auth/token/revoke** RevokeToken
auth/token/accessors** ListTokenAccessors r
auth/token/roles** +TokenRole
auth/token/tidy TidyTokens
auth/*/login** UserLogin
auth/*/oidc/callback UserLogin
auth/*/callback UserLogin
auth/*/users/*/password ChangePassword
auth/*/users** +User
auth/*/groups** +Group
auth/*/role/*/secret-id** +SecretId
auth/*/role** +AuthRole
auth/*/roles** +AuthRole
auth/*/map** +AuthMapping
auth/*/config** +AuthMethodConfiguration
auth** +AuthMethodResource
sys/policy** +Policy
sys/policies** +Policy
sys/mounts/*/tune TuneSecretsEngine
sys/auth/*/tune TuneAuthMethod
sys/mounts** ~SecretsEngine
sys/auth** ~AuthMethod
sys/audit** ~AuditDevice
sys/audit-hash** HashAuditValue r
sys/remount** MoveSecretsEngine
sys/seal SealVault
sys/unseal UnsealVault
sys/seal-status GetSealStatus r
sys/init InitializeVault
sys/step-down StepDownLeader
sys/rotate** RotateKey
sys/rekey** RekeyVault
sys/rekey-recovery-key** RekeyVault
sys/generate-root** GenerateRootToken
sys/generate-recovery-token** GenerateRecoveryToken
sys/leases/lookup** GetLease r
sys/leases/renew** RenewLease
sys/renew** RenewLease
sys/leases** RevokeLease
sys/revoke** RevokeLease
sys/wrapping/lookup GetWrappedData r
sys/wrapping/unwrap UnwrapData
sys/wrapping** WrapData
sys/capabilities** GetCapabilities r
sys/namespaces** +Namespace
sys/quotas** +Quota
sys/plugins** +Plugin
sys/raw** +RawStorage
sys/storage/raft/snapshot** +Snapshot
sys/storage** +Storage
sys/config** +Configuration
sys/license** +License
sys/mfa** +MfaMethod
sys/replication** +Replication
sys/internal** +InternalState
sys/health GetHealth r
sys** +SystemResource
identity/entity-alias** +EntityAlias
identity/entity** +Entity
identity/group-alias** +GroupAlias
identity/group** +Group
identity/lookup** GetIdentity r
identity/mfa** +MfaMethod
identity/oidc** +OidcResource
identity** +IdentityResource
`;

// The same for the paths inside a mount, by its type.
const MOUNTED: Readonly<Record<string, string>> = {
  pki: `
issue** IssueCertificate
sign** IssueCertificate
issuer/*/issue** IssueCertificate
issuer/*/sign** IssueCertificate
revoke** RevokeCertificate
root** +CertificateAuthority
intermediate** +CertificateAuthority
roles** +CertificateRole
** +Certificate
`,
  ssh: `
sign** SignKey
issue** SignKey
creds** CreateCredentials
roles** +SshRole
** +SshConfiguration
`,
  transit: `
encrypt** Encrypt
decrypt** Decrypt
rewrap** ReEncrypt
datakey** GenerateDataKey
sign** Sign
verify** Verify
hmac** GenerateMac
hash** HashData
random** GenerateRandom
export** ExportKey
backup** ExportKey
keys/*/rotate RotateKey
** +Key
`,
  totp: `
code** VerifyCode
** +Key
`,
};

interface Rule {
  readonly parts: readonly string[];
  readonly open: boolean;
  readonly name: string;
  readonly readOnly: boolean;
}

function rulesOf(table: string): readonly Rule[] {
  return table.trim().split("\n").map((line) => {
    const [path = "", name = "", flag] = line.split(" ");
    const open = path.endsWith("**");
    const parts = (open ? path.slice(0, -2) : path).split("/").filter((part) => part !== "");
    return { parts, open, name, readOnly: flag === "r" };
  });
}

const RULES = rulesOf(TABLE);
const MOUNT_RULES: ReadonlyMap<string, readonly Rule[]> = new Map(
  Object.entries(MOUNTED).map(([type, table]) => [type, rulesOf(table)]),
);
const STORES: ReadonlySet<string> = new Set(["kv", "generic", "cubbyhole"]);

/** Whether mounts of this type hold secrets that people put there. */
export function isStore(mountType: string | undefined): boolean {
  return mountType !== undefined && STORES.has(mountType);
}

/** The rule for a request. `mountPoint` is the first part of the path, where Vault says it. */
export function ruleOf(
  operation: string,
  path: string,
  mountType: string | undefined,
  mountPoint: string | undefined,
): ActionRule {
  const verb = VERBS.get(operation) ?? pascalCase(operation);
  const parts = path.split("/").filter((part) => part !== "");
  if (/^(?:auth|sys|identity)$/.test(parts[0] ?? "")) {
    const rule = RULES.find((one) => fits(one, parts));
    if (rule !== undefined) return named(rule, verb, false);
  }
  if (isStore(mountType)) return noun(verb, "Secret", true);
  const inner = mountPoint !== undefined && path.startsWith(mountPoint)
    ? path.slice(mountPoint.length).split("/")
    : parts.slice(1);
  if (/^(?:static-)?creds$/.test(inner[0] ?? "")) {
    return { action: "CreateCredentials", kind: "Credentials", data: true, readOnly: false };
  }
  const rule = MOUNT_RULES.get(mountType ?? "")?.find((one) => fits(one, inner));
  if (rule !== undefined) return named(rule, verb, !/^\+.*(?:Role|Configuration)$/.test(rule.name));
  return noun(verb, pascalCase(mountType ?? parts[0] ?? "") || "Path", mountType !== "system");
}

function fits({ parts, open }: Rule, path: readonly string[]): boolean {
  if (open ? path.length < parts.length : path.length !== parts.length) return false;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part === "*" || part === path[i]) continue;
    // `login**` is also the beginning of a part, such as `create-orphan`.
    if (open && i === parts.length - 1 && path[i]!.startsWith(`${part}-`)) continue;
    return false;
  }
  return true;
}

function named({ name, readOnly }: Rule, verb: string, data: boolean): ActionRule {
  if (name.startsWith("+")) return noun(verb, name.slice(1), data);
  if (!name.startsWith("~")) {
    const kind = name === "UserLogin" ? "AuthMethod" : name.replace(/^[A-Z][a-z]+/, "") || "Path";
    return { action: name, kind, data, readOnly };
  }
  const kind = name.slice(1);
  if (READS.has(verb)) return noun(verb, kind, data);
  const change = verb === "Delete" ? "Disable" : "Enable";
  return { action: `${change}${kind}`, kind, data, readOnly: false };
}

function noun(verb: string, kind: string, data: boolean): ActionRule {
  const action = `${verb}${verb === "List" ? pluralOf(kind) : kind}`;
  return { action, kind, data, readOnly: READS.has(verb) };
}
