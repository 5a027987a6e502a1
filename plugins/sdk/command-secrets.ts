// Command lines without the secrets that people put into them: what formats copy of a command
// passes here first. What the program is and what it was told stays readable.

import { NOT_COPIED } from "./json-secrets.ts";

const SECRET_WORD =
  "pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api-?_?key|access-?_?key";
// An option of that name and its value; a variable set for a command (names in capitals are those of
// an environment); a password inside a URL; a header that authorizes.
// What one of them has replaced is no value to the next.
const NEXT = "(?!\\[not copied\\])";
const VALUE = `${NEXT}(?:"[^"]*"?|'[^']*'?|[^\\s"']+)`;
const OPTION = new RegExp(
  `(--?[\\w-]{0,40}?(?:${SECRET_WORD})[\\w-]{0,40}(?:=|\\s+))${VALUE}`,
  "gi",
);
const VARIABLE = new RegExp(`(^|[\\s"'])([A-Z_][A-Z0-9_]*=)${VALUE}`, "g");
const ASSIGNED = new RegExp(`\\b(\\w{0,40}?(?:${SECRET_WORD})\\w{0,40}=)${VALUE}`, "gi");
const URL_PASSWORD = /(\/\/[^\s/:@]{0,256}:)[^\s/@]{1,1024}@/g;
const HEADER = /\b(authorization:\s*)(?!\[not copied\])(?:\w+\s+)?[^\s"']+/gi;
// What none of the above can touch, told apart at the price of one look.
const SUSPICIOUS = /[=@]|pass|pwd|secret|token|cred|key|auth/i;

/**
 * A command line, cut to `charactersMax`, without values of variables of the environment, of
 * options named as a secret, passwords in URLs and authorization headers. It knows names, not
 * programs: the `-psecret` of one program is the `-pdirectory` of another.
 */
export function commandWithoutSecrets(command: string, charactersMax = 4096): string {
  const cut = command.length > charactersMax ? command.slice(0, charactersMax) : command;
  if (!SUSPICIOUS.test(cut)) return cut;
  return cut
    .replace(OPTION, `$1${NOT_COPIED}`)
    .replace(VARIABLE, `$1$2${NOT_COPIED}`)
    .replace(ASSIGNED, `$1${NOT_COPIED}`)
    .replace(URL_PASSWORD, `$1${NOT_COPIED}@`)
    .replace(HEADER, `$1${NOT_COPIED}`);
}
