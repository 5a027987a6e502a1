// The name of the log stream a record goes to: text with a few names in braces, and nothing that a
// record could steer but its account, which is twelve digits.

/** What stands for the names in braces. */
export interface StreamFacts {
  readonly region: string;
  readonly host: string;
}

const LENGTH_MAX = 512;
const NAMES = ["account", "region", "host"] as const;
const ACCOUNT = "{account}";

/** What is wrong with a template; undefined for a good one. */
export function streamProblem(template: string): string | undefined {
  const literal = template.replace(/\{(\w+)\}/g, (whole, name) => isName(name) ? "" : whole);
  if (/[{}]/.test(literal)) {
    return `Expected no braces but ${NAMES.map((n) => `{${n}}`).join(", ")}`;
  }
  if (/[:*]/.test(literal)) return 'A log stream\'s name cannot hold ":" or "*"';
  if (template === "" || template.length > LENGTH_MAX) {
    return `Expected 1 to ${LENGTH_MAX} characters`;
  }
  return undefined;
}

/** Compiles a template: the answer gives the stream of an account's records. */
export function compileStreamName(
  template: string,
  { region, host }: StreamFacts,
): (accountId: string) => string {
  const facts = { region, host };
  const text = template.replace(
    /\{(region|host)\}/g,
    (_, name: keyof StreamFacts) => facts[name].replace(/[:*]/g, "-"),
  );
  const cut = (name: string) => name.slice(0, LENGTH_MAX);
  if (!text.includes(ACCOUNT)) {
    const name = cut(text);
    return () => name;
  }
  return (accountId) => cut(text.replaceAll(ACCOUNT, accountId));
}

function isName(name: string): boolean {
  return (NAMES as readonly string[]).includes(name);
}
