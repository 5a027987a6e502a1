// Secrets that are known by their shape, wherever they stand in a text: keys and tokens of clouds and
// code hosts, private keys, signed tokens, credentials of HTTP. Beside them, what the text itself
// names a secret (command-secrets.ts). Every expression is linear: what may repeat is bounded, or
// begins where the same expression cannot have begun just before.

import { Buffer } from "node:buffer";
import { replaceNamed } from "./command-secrets.ts";

// Shapes whose first characters tell them, with what must not stand before and after them.
const BEFORE = "(?<![A-Za-z0-9_])";
const AFTER = "(?![A-Za-z0-9_])";
const SHAPES = [
  // AWS: access key ids; session tokens begin by their version.
  "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
  "(?:FwoGZXIvYXdz|FQoGZXIvYXdz|IQoJb3JpZ2lu|AQoDYXdz)[A-Za-z0-9+/=]{80,}",
  // Signed and encrypted JSON (JWT, JWE).
  "eyJ[\\w-]{8,}\\.[\\w-]{8,}(?:\\.[\\w-]*){1,3}",
  // GitHub, GitLab, npm, PyPI, Docker, RubyGems.
  "gh[pousr]_[A-Za-z0-9]{36,255}",
  "github_pat_\\w{22,255}",
  "gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[\\w.-]{20,300}",
  "npm_[A-Za-z0-9]{36}",
  "pypi-AgE[\\w-]{50,}",
  "dckr_[po]at_[\\w-]{27,}",
  "rubygems_[a-f0-9]{48}",
  // Slack, Stripe, SendGrid, OpenAI and Anthropic, Google, Hugging Face, DigitalOcean, Databricks.
  "xox[abeoprs]-[A-Za-z0-9-]{10,}",
  "xapp-\\d-[A-Za-z0-9-]{10,}",
  "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
  "whsec_[A-Za-z0-9+/=]{24,}",
  "SG\\.[\\w-]{16,32}\\.[\\w-]{16,64}",
  "sk-(?:ant-|proj-|svcacct-)?[\\w-]{32,}",
  "AIza[\\w-]{35}",
  "ya29\\.[\\w-]{20,}",
  "hf_[A-Za-z0-9]{34,}",
  "do[opr]_v1_[a-f0-9]{64}",
  "dapi[a-f0-9]{32}",
  // Vault, age.
  "hv[sbr]\\.[\\w-]{24,}",
  "AGE-SECRET-KEY-1[A-Z0-9]{58}",
];
const SHAPE = new RegExp(`${BEFORE}(?:${SHAPES.join("|")})${AFTER}`, "g");
// A line that begins a key is enough: cut off before its end, it is a key all the same.
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g;
const WEBHOOK = /(hooks\.slack\.com\/(?:services|workflows)\/)([\w/-]{16,})/g;
const BEARER = /(\bbearer\s{1,4})([\w.~+/-]{16,}={0,2})/gi;
const BASIC = /(\bbasic\s{1,4})([A-Za-z0-9+/]{6,}={0,2})/gi;
const SIGNED_QUERY =
  /([?&](?:X-Amz-(?:Signature|Security-Token)|Signature|sig|X-Goog-Signature)=)([^&\s"'<>]+)/gi;
// Forty characters of base64 are many things; beside an access key id they are its secret.
const SECRET_KEY = /(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g;
const ACCESS_KEY_ID = /(?:AKIA|ASIA)[A-Z0-9]{16}/;

// One look that nearly every text passes: what names a secret is followed by what its value stands
// behind, and the shapes begin with these.
const MAY_BE_NAMED =
  /(?:pass|pwd|secret|token|cred|key|auth|cookie|bearer|basic|sig)[\w-]{0,48}\\?["']?[=:\s]|:\/\/[^/]*@/i;
const MAY_BE_SHAPED =
  /AKIA|ASIA|ABIA|ACCA|AIza|AQoD|AGE-S|F[wQ]oGZ|IQoJ|eyJ[\w-]|gh[pousr]_|github_p|gl[a-z]{2,5}-\w|npm_|pypi-A|dckr_|rubygems_|xox[a-z]-|xapp-|[sr]k_[lt]|sk-[\w-]{32}|whsec|SG\.\w|ya29|hf_\w|do[opr]_v1|dapi[a-f0-9]{8}|hv[sbr]\.|-----BEGIN|hooks\.slack/;

/** No text that holds a secret is shorter, and none that holds one known by its shape. */
export const SECRET_LENGTH_MIN = 5;
const SHAPED_LENGTH_MIN = 15;

/**
 * The text with `put`'s answer in place of every secret that is known by its shape or by the name
 * it stands under. The same text where there is none.
 */
export function replaceSecrets(text: string, put: (secret: string) => string): string {
  const { length } = text;
  const isShaped = length >= SHAPED_LENGTH_MIN && MAY_BE_SHAPED.test(text);
  const isNamed = length >= SECRET_LENGTH_MIN && MAY_BE_NAMED.test(text);
  const shown = isShaped ? replaceShaped(text, put) : text;
  return isNamed ? replaceNamed(replaceAnnounced(shown, put), put) : shown;
}

/** What a word before it says to be credentials. */
function replaceAnnounced(text: string, put: (secret: string) => string): string {
  return text
    .replace(
      BASIC,
      (all, before: string, value: string) => isCredentials(value) ? before + put(value) : all,
    )
    .replace(
      BEARER,
      (all, before: string, value: string) => /\d/.test(value) ? before + put(value) : all,
    )
    .replace(SIGNED_QUERY, (_, before: string, value: string) => before + put(value));
}

/** What its own characters say to be a secret. */
function replaceShaped(text: string, put: (secret: string) => string): string {
  const beside = ACCESS_KEY_ID.test(text) ? text.replace(SECRET_KEY, mixed(put)) : text;
  return beside
    .replace(PRIVATE_KEY, put)
    .replace(WEBHOOK, (_, before: string, value: string) => before + put(value))
    .replace(SHAPE, put);
}

/** Leaves checksums and plain words alone: a secret key has letters of both cases and digits. */
function mixed(put: (secret: string) => string): (found: string) => string {
  return (found) =>
    /[a-z]/.test(found) && /[A-Z]/.test(found) && /\d/.test(found) ? put(found) : found;
}

/** Whether base64 says `user:password`; "Basic authentication" does not. */
function isCredentials(value: string): boolean {
  const text = Buffer.from(value, "base64").toString("latin1");
  return /^[\x20-\x39\x3b-\x7e]*:[\x20-\x7e\xa0-\xff]*$/.test(text);
}
