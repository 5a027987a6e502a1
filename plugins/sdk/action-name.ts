// `repo.create`, `member_removed`, `user.password_change` as AWS would name them: a verb, then what it
// is done to. For sources whose event names are made of a subject and an operation.

import { pascalCase } from "./mapping-event.ts";

// The verb, then the forms in which sources write it. Words that are nouns as often stay out.
const VERBS = `
Accept accept accepted
Acknowledge acknowledge acknowledged
Activate activate activated
Add add added
Allow allow allowed
Apply apply applied
Approve approve approved
Archive archive archived
Assign assign assigned
Authorize authorize authorized
Block block blocked
Cancel cancel cancelled canceled
Change change changed
Clear clear cleared
Close close closed
Complete complete completed
Confirm confirm confirmed
Convert convert converted
Create create created
Deactivate deactivate deactivated
Delete delete deleted destroy destroyed
Demote demote demoted
Deny deny denied
Disable disable disabled
Dismiss dismiss dismissed
Edit edit edited
Enable enable enabled
End end ended
Execute execute executed
Expire expire expired
Export export exported
Fail fail failed
Generate generate generated
Grant grant granted
Import import imported
Install install installed
Invite invite invited
Join join joined
Leave leave left
Lock lock locked
Merge merge merged
Modify modify modified
Move move moved
Open open opened
Promote promote promoted
Publish publish published
Queue queued
Read read
Reject reject rejected
Remove remove removed
Rename rename renamed
Renew renew renewed
Reopen reopen reopened
Request requested
Reset reset
Resolve resolve resolved
Restore restore restored
Revoke revoke revoked
Rotate rotate rotated
Send send sent
Set set
Start start started
Stop stop stopped
Submit submit submitted
Suspend suspend suspended
Transfer transfer transferred
Unarchive unarchive unarchived
Unblock unblock unblocked
Uninstall uninstall uninstalled
Unlock unlock unlocked
Unsuspend unsuspend unsuspended
Update update updated
Use used
Verify verify verified
Write write wrote written
`;

const BASE: ReadonlyMap<string, string> = new Map(
  VERBS.trim().split("\n").flatMap((line) => {
    const [verb = "", ...forms] = line.split(" ");
    return forms.map((form): [string, string] => [form, verb]);
  }),
);

/**
 * The action that an operation on a subject is: `("Repository", "create")` is `CreateRepository`,
 * `("Organization", "invite_member")` is `InviteOrganizationMember`, `("", "member_removed")` is
 * `RemoveMember`. The verb stands last or first in the operation; where neither is one, the words
 * stay in their order: `("Repo", "access")` is `RepoAccess`.
 */
export function actionName(subject: string, operation: string): string {
  const words = operation.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const last = BASE.get(words.at(-1)?.toLowerCase() ?? "");
  const first = BASE.get(words[0]?.toLowerCase() ?? "");
  if (last === undefined && first === undefined) {
    return pascalCase(`${subject} ${words.join(" ")}`);
  }
  const rest = last !== undefined ? words.slice(0, -1) : words.slice(1);
  const object = rest.length === 0 ? "" : pascalCase(rest.join(" "));
  const noun = subject === "" || object.startsWith(subject) ? "" : pascalCase(subject);
  return `${last ?? first}${noun}${object}`;
}

const NAME = /^[A-Z][A-Za-z0-9]{0,127}$/;

/** The name, if it could be an action's; `otherwise` for what a source may have written instead. */
export function checkedAction(name: string, otherwise: string): string {
  return NAME.test(name) ? name : otherwise;
}

/** The plural of a noun in PascalCase: `NetworkPolicy` is `NetworkPolicies`. */
export function pluralOf(noun: string): string {
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`;
  if (/(?:ss|us|x|ch|sh)$/.test(noun)) return `${noun}es`;
  return noun.endsWith("s") ? noun : `${noun}s`;
}
