// What Teleport's events are called, and what kind of action each is. An event that is not in the
// table is named after its parts: `trusted_cluster.create` is `CreateTrustedCluster`.

import { actionName, checkedAction } from "../../sdk/action-name.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { textIn } from "../../sdk/json-frame.ts";
import { nameAction } from "../../sdk/kubernetes-action.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

/** How one event is described. */
export interface ActionRule {
  readonly action: string;
  readonly data: boolean;
  readonly readOnly: boolean;
  /** The code of a failure. */
  readonly failure: string;
}

// Event (with `/` and a code or an action where the event alone does not say it), action; then flags:
// d = Data, r = read-only, x:CODE = failure.
const TABLE = `
user.login UserLogin x:AuthenticationFailed
user.password_change ChangePassword
auth AuthenticateUser x:AuthenticationFailed
recovery_code.used UseRecoveryCode x:AuthenticationFailed
session.connect ConnectSession
session.rejected StartSession x:SessionLimitExceeded
session.data TransferSessionData d
session.upload UploadSessionRecording
session.recording.access GetSessionRecording r
session.command ExecuteCommand d
session.disk OpenFile d
session.network OpenConnection d
exec ExecuteCommand d x:CommandFailed
exec/kube ExecPod d x:CommandFailed
subsystem StartSubsystem d
port ForwardPort d
x11-forward ForwardX11 d
scp CopyFile d
scp/upload UploadFile d
scp/download DownloadFile d
sftp UseFile d
sftp/1 OpenFile d
sftp/2 CloseFile d
sftp/3 ReadFile dr
sftp/4 WriteFile d
sftp/5 ChangeFileAttributes d
sftp/6 ChangeFileAttributes d
sftp/7 ListFolder dr
sftp/8 DeleteFile d
sftp/9 CreateFolder d
sftp/10 DeleteFolder d
sftp/11 RenameFile d
sftp/12 CreateLink d
sftp/13 CreateLink d
sftp/14 GetFileAttributes dr
sftp/15 GetFileAttributes dr
sftp/16 ReadFile dr
sftp/17 WriteFile d
sftp/18 ReadFolder dr
resize ResizeTerminal d
print WriteTerminal d
client.disconnect DisconnectClient
cert.create CreateCertificate
app.session.chunk UseApp d
app.session.request RequestApp d
app.session.dynamodb.request RequestDatabase d
db.session.query ExecuteQuery d
db.session.query.failed ExecuteQuery d x:QueryFailed
db.session.result FetchResult dr
db.session.dynamodb.request RequestDatabase d
db.session.opensearch.request RequestDatabase d
db.session.elasticsearch.request RequestDatabase d
db.session.malformed_packet SendMalformedPacket d
db.session.postgres.statements.parse PrepareStatement d
db.session.postgres.statements.bind BindStatement d
db.session.postgres.statements.execute ExecuteStatement d
db.session.postgres.statements.close CloseStatement d
db.session.postgres.function CallFunction d
db.session.mysql.statements.prepare PrepareStatement d
db.session.mysql.statements.execute ExecuteStatement d
db.session.mysql.statements.bulk_execute ExecuteStatement d
db.session.mysql.statements.send_long_data SendStatementData d
db.session.mysql.statements.close CloseStatement d
db.session.mysql.statements.reset ResetStatement d
db.session.mysql.statements.fetch FetchStatement dr
db.session.mysql.init_db UseSchema d
db.session.mysql.create_db CreateSchema d
db.session.mysql.drop_db DeleteSchema d
db.session.mysql.shut_down ShutDownDatabase
db.session.mysql.process_kill KillDatabaseProcess
db.session.mysql.debug DebugDatabase
db.session.mysql.refresh RefreshDatabase
db.session.sqlserver.rpc_request CallProcedure d
db.session.cassandra.prepare PrepareStatement d
db.session.cassandra.execute ExecuteStatement d
db.session.cassandra.batch ExecuteStatement d
db.session.cassandra.register RegisterForEvents d
access_request.search SearchResources r
access_request.review ReviewAccessRequest
desktop.recording RecordDesktop d
desktop.clipboard.receive ReceiveClipboard d
desktop.clipboard.send SendClipboard d
desktop.directory.share ShareFolder d
desktop.directory.read ReadFile dr
desktop.directory.write WriteFile d
bot.join JoinBot x:AuthenticationFailed
instance.join JoinInstance x:AuthenticationFailed
device/TV001I CreateDevice
device/TV002I DeleteDevice
device/TV003I CreateDeviceEnrollToken
device/TV004I UseDeviceEnrollToken
device/TV005I EnrollDevice
device/TV006I AuthenticateDevice x:AuthenticationFailed
device/TV007I UpdateDevice
ssm.run ExecuteCommand d x:CommandFailed
`;

const RULES: ReadonlyMap<string, ActionRule> = new Map(
  TABLE.trim().split("\n").map((line): [string, ActionRule] => {
    const [event = "", action = "", ...words] = line.split(" ");
    const flags = words.filter((word) => !word.includes(":")).join("");
    const failure = words.find((word) => word.startsWith("x:"))?.slice(2) ?? "OperationFailed";
    const data = flags.includes("d");
    return [event, { action, data, readOnly: flags.includes("r"), failure }];
  }),
);

// What parts of an event's name mean.
const NOUNS: ReadonlyMap<string, string> = new Map([
  ["cert", "Certificate"],
  ["db", "Database"],
  ["github", "GithubConnector"],
  ["kube", "KubernetesCluster"],
  ["mfa", "MfaDevice"],
  ["oidc", "OidcConnector"],
  ["saml", "SamlConnector"],
]);

/** The rule for an event. */
export function ruleOf(event: string, root: JsonObject): ActionRule {
  const detail = detailOf(event, root);
  const known = (detail === undefined ? undefined : RULES.get(`${event}/${detail}`)) ??
    RULES.get(event);
  if (known !== undefined) return known;
  if (event === "kube.request") return kubernetesRule(root);
  const parts = event.split(".");
  const nouns = parts.slice(0, -1).map((part) => NOUNS.get(part) ?? pascalCase(part));
  const name = actionName(nouns.join(""), parts.at(-1) ?? "");
  const action = checkedAction(name, "RecordEvent");
  return { action, data: false, readOnly: false, failure: "OperationFailed" };
}

function detailOf(event: string, root: JsonObject): string | undefined {
  switch (event) {
    case "exec":
      return textIn(root, "proto");
    case "scp":
    case "sftp":
      return textIn(root, "action");
    case "device":
      return textIn(root, "code");
    default:
      return undefined;
  }
}

/** A request to a cluster is named as in the cluster's own log: `POST` of `pods` is `CreatePod`. */
function kubernetesRule(root: JsonObject): ActionRule {
  const path = textIn(root, "request_path") ?? "";
  const name = textIn(root, "resource_name");
  const resource = textIn(root, "resource_kind");
  const method = textIn(root, "verb") ?? "";
  const isMany = resource !== undefined && name === undefined;
  const { action, readOnly, category } = nameAction({
    // Teleport has methods where Kubernetes has verbs.
    verb: isMany ? COLLECTION.get(method) ?? method : method,
    path,
    resource,
    subresource: name === undefined ? undefined : subresourceOf(path, name),
    name,
    isDryRun: false,
  });
  return { action, data: category === "Data", readOnly, failure: "OperationFailed" };
}

const COLLECTION: ReadonlyMap<string, string> = new Map([
  ["GET", "list"],
  ["DELETE", "deletecollection"],
]);

/** What stands behind the resource's name: `exec` in `/api/v1/namespaces/a/pods/web/exec`. */
function subresourceOf(path: string, name: string): string | undefined {
  const end = path.indexOf("?");
  const parts = (end < 0 ? path : path.slice(0, end)).split("/");
  const at = parts.lastIndexOf(name);
  return at < 0 ? undefined : parts[at + 1] || undefined;
}
