// Command lines without the secrets that people put into them: what formats copy of a command
// passes here first. What the program is and what it was told stays readable.

import { isSecretName, NOT_COPIED } from "./json-secrets.ts";

const SECRET_WORD =
  "pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|access|account|master)[_-]?key";
// An option of that name and its value; a variable set for a command (names in capitals are those of
// an environment); a password inside a URL; a header that authorizes; a member of JSON in the text.
// What one of them has replaced is no value to the next.
const NEXT = "(?!\\[not copied\\])";
const VALUE = `(${NEXT}(?:"[^"]*"?|'[^']*'?|[^\\s"']+))`;
const OPTION = new RegExp(
  `(--?[\\w-]{0,40}?(?:${SECRET_WORD})[\\w-]{0,40}(?:=|\\s+))${VALUE}`,
  "gi",
);
const VARIABLE = new RegExp(`((?:^|[\\s"'])[A-Z_][A-Z0-9_]*=)${VALUE}`, "g");
const ASSIGNED = new RegExp(`(\\b\\w{0,40}?(?:${SECRET_WORD})\\w{0,40}=)${VALUE}`, "gi");
const URL_PASSWORD = /(\/\/[^\s/:@]{0,256}:)([^\s/]{1,1024})(?=@)/g;
const HEADER = new RegExp(
  "(\\b(?:(?:proxy-)?authorization|(?:set-)?cookie|(?:private|job|deploy)-token|" +
    "x-[a-z-]{0,40}?(?:key|token|secret)):\\s*)" +
    `(${NEXT}(?:(?:basic|bearer|digest|token)\\s+)?[^\\s"']+)`,
  "gi",
);
const MEMBER = /(["']([\w-]{1,64})\\{0,4}["']\s{0,8}:\s{0,8}\\{0,4}["'])([^"'\\]+)/g;
// What OPTION and ASSIGNED, what HEADER, and what none of the above can touch, told apart at the price
// of one look.
const NAMED = /pass|pwd|secret|token|cred|key/i;
const AUTHORIZING = /auth|cookie|token|key|secret/i;
const SUSPICIOUS = /[=@]|pass|pwd|secret|token|cred|key|auth|cookie/i;

/**
 * A command line, cut to `charactersMax`, without values of variables of the environment, of
 * options named as a secret, passwords in URLs and authorization headers. It knows names, not
 * programs: the `-psecret` of one program is the `-pdirectory` of another.
 */
export function commandWithoutSecrets(command: string, charactersMax = 4096): string {
  const cut = command.length > charactersMax ? command.slice(0, charactersMax) : command;
  if (!SUSPICIOUS.test(cut)) return cut;
  return replaceNamed(cut.replace(VARIABLE, `$1${NOT_COPIED}`), () => NOT_COPIED);
}

/**
 * A text with `put`'s answer in place of what stands under the name of a secret: the value of an
 * option, of an assignment, of a header, of a member of JSON, and the password in a URL.
 */
export function replaceNamed(text: string, put: (value: string) => string): string {
  const after = (_: string, name: string, value: string) => name + put(value);
  let shown = text;
  if (NAMED.test(shown)) shown = shown.replace(OPTION, after).replace(ASSIGNED, after);
  shown = shown.replace(URL_PASSWORD, after);
  if (AUTHORIZING.test(shown)) shown = shown.replace(HEADER, after);
  return shown.replace(
    MEMBER,
    (all, before: string, name: string, value: string) =>
      isSecretName(name) ? before + put(value) : all,
  );
}
