// What GitHub's actions are called. Their names are a category and an operation, `org.add_member`; the
// table has those of which the rule (the verb, the category, the rest) would make no good name.

import { actionName, checkedAction } from "../../sdk/action-name.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

/** How one action is described. */
export interface ActionRule {
  readonly action: string;
  readonly data: boolean;
  readonly readOnly: boolean;
  /** The code, where the action is by itself a failure. */
  readonly failure: string | undefined;
}

// Flags: d = Data, r = read-only, x:CODE = a failure.
const TABLE = `
user.login UserLogin
user.failed_login UserLogin x:AuthenticationFailed
user.logout UserLogout
user.change_password ChangePassword
user.forgot_password ResetPassword
user.two_factor_requested RequestTwoFactor
user.add_email AddUserEmail
org.sso_response UserLogin
business.sso_response UserLogin
staff.fake_login AssumeRole
staff.exit_fake_login EndAssumeRole
org.add_member AddUserToOrganization
org.remove_member RemoveUserFromOrganization
org.add_outside_collaborator AddUserToOrganization
org.remove_outside_collaborator RemoveUserFromOrganization
repo.add_member AddUserToRepository
repo.remove_member RemoveUserFromRepository
team.add_member AddUserToGroup
team.remove_member RemoveUserFromGroup
business.add_admin AddUserToEnterprise
business.remove_admin RemoveUserFromEnterprise
repo.access ChangeRepositoryVisibility
repo.download_zip DownloadRepository dr
repo.actions_enabled EnableRepositoryActions
git.push GitPush d
git.clone GitClone dr
git.fetch GitFetch dr
oauth_access.create CreateToken
oauth_access.destroy DeleteToken
oauth_authorization.create AuthorizeOauthApplication
oauth_authorization.destroy RevokeOauthApplication
public_key.create CreatePublicKey
protected_branch.policy_override OverrideBranchProtection
workflows.approve_workflow_job ApproveWorkflowJob
audit_log_export DownloadAuditLog r
org.audit_log_export DownloadAuditLog r
business.audit_log_export DownloadAuditLog r
org.audit_log_git_event_export DownloadAuditLog r
`;

const RULES: ReadonlyMap<string, ActionRule> = new Map(
  TABLE.trim().split("\n").map((line): [string, ActionRule] => {
    const [name = "", action = "", ...words] = line.split(" ");
    const flags = words.filter((word) => !word.includes(":")).join("");
    const failure = words.find((word) => word.startsWith("x:"))?.slice(2);
    const data = flags.includes("d");
    return [name, { action, data, readOnly: flags.includes("r"), failure }];
  }),
);

// Categories that are another word, or a plural.
const NOUNS: ReadonlyMap<string, string> = new Map([
  ["org", "Organization"],
  ["repo", "Repository"],
  ["business", "Enterprise"],
  ["workflows", "Workflow"],
  ["environments", "Environment"],
  ["codespaces", "Codespace"],
]);

/** The rule for an action of the audit log. */
export function ruleOf(name: string): ActionRule {
  const known = RULES.get(name);
  if (known !== undefined) return known;
  const dot = name.indexOf(".");
  const category = name.slice(0, Math.max(dot, 0));
  const subject = NOUNS.get(category) ?? pascalCase(category);
  const action = checkedAction(actionName(subject, name.slice(dot + 1)), "RecordEvent");
  return { action, data: category === "git", readOnly: false, failure: undefined };
}
