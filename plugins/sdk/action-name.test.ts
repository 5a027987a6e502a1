// Names of actions made of other people's event names, and secrets kept out of events.

import t from "tap";
import { actionName, checkedAction, pluralOf } from "./action-name.ts";
import { isSecretName, withoutSecrets } from "./json-secrets.ts";

t.test("actionName() puts the verb first, then the subject", async (t) => {
  const cases: [string, string, string][] = [
    ["Repository", "create", "CreateRepository"],
    ["Team", "destroy", "DeleteTeam"],
    ["Organization", "invite_member", "InviteOrganizationMember"],
    ["Organization", "disable_two_factor_requirement", "DisableOrganizationTwoFactorRequirement"],
    ["Workflow", "created_workflow_run", "CreateWorkflowRun"],
    ["Hook", "config_changed", "ChangeHookConfig"],
    ["", "member_removed", "RemoveMember"],
    ["", "update_approval_rules", "UpdateApprovalRules"],
    ["Repository", "access", "RepositoryAccess"],
    ["", "", ""],
  ];
  for (const [subject, operation, name] of cases) t.equal(actionName(subject, operation), name);
});

t.test("checkedAction() lets no text pass for a name", async (t) => {
  t.equal(checkedAction("CreateUser2", "Other"), "CreateUser2");
  for (const name of ["", "2fa", "create", "A b", "Ä", "A".repeat(129)]) {
    t.equal(checkedAction(name, "Other"), "Other");
  }
});

t.test("pluralOf() makes plurals of nouns", async (t) => {
  const nouns = ["Pod", "NetworkPolicy", "Ingress", "Endpoints", "Key"];
  t.same(nouns.map(pluralOf), ["Pods", "NetworkPolicies", "Ingresses", "Endpoints", "Keys"]);
});

t.test("withoutSecrets() hides texts under the names of secrets, at any depth", async (t) => {
  const from = JSON.parse(
    '{"user":"alice","a":[{"client_secret":"s"},{"x":1}],"Authorization":"Basic eA==",' +
      '"token_id":"7","hashed_token":"h=","token":{"name":"ci","accessToken":["t",3]},"secret":""}',
  );
  t.same(withoutSecrets(from), {
    user: "alice",
    a: [{ client_secret: "[not copied]" }, { x: 1 }],
    Authorization: "[not copied]",
    token_id: "7",
    hashed_token: "h=",
    token: { name: "ci", accessToken: ["[not copied]", 3] },
    secret: "",
  });
  t.equal(from.a[0].client_secret, "s", "the object itself stays as it was");
  const harmless = { user: "alice", data: { list: [1, { x: "y" }] } };
  t.equal(withoutSecrets(harmless), harmless);
});

t.test("isSecretName() knows the spellings of several sources", async (t) => {
  for (const name of ["X-Amz-Security-Token", "x-amz-signature", "private_key", "apiKey"]) {
    t.ok(isSecretName(name), name);
  }
  for (const name of ["token_type", "secret_type", "key", "passwords_changed"]) {
    t.notOk(isSecretName(name), name);
  }
});
