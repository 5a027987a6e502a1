// References inside scalars: ${env:NAME}, ${env:NAME:-default}, ${file:PATH}, and $$ for a dollar.
// Each scalar is expanded once; what a reference yields is never looked at again.

/** What the outside world answers. Injected: nothing else reads the environment. */
export interface Environment {
  /** An environment variable; undefined where it is not set. */
  readonly env: (name: string) => string | undefined;
  /** A file's text. Throws where it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The text with its references replaced. */
export interface Expanded {
  readonly text: string;
  /** True where a reference was replaced (not for `$$` alone). */
  readonly referred: boolean;
  readonly problems: readonly { readonly problem: string; readonly fix?: string }[];
}

// A dollar and what it introduces: another dollar, or a reference up to its brace.
const REFERENCE = /\$(?:\$|\{([^}]*)(\}?))/g;

/** Expands the references of one scalar. What is wrong in a secret is not quoted. */
export function expand(text: string, environment: Environment, isSecret = false): Expanded {
  const problems: { problem: string; fix?: string }[] = [];
  let referred = false;
  const expanded = text.replace(REFERENCE, (whole: string, inner?: string, closed?: string) => {
    if (whole === "$$") return "$";
    if (closed === "") {
      problems.push({
        problem: "Reference has no end",
        fix: 'add "}", or write "$${" for the text',
      });
      return whole;
    }
    const answer = refer(inner ?? "", environment);
    if ("problem" in answer) {
      problems.push(isSecret && answer.isMalformed === true ? MALFORMED : answer);
      return whole;
    }
    referred = true;
    return answer.value;
  });
  return { text: expanded, referred, problems };
}

interface Failure {
  readonly problem: string;
  readonly fix?: string;
  /** It may be text that only looks like a reference. */
  readonly isMalformed?: boolean;
}

const FORMS = 'write ${env:NAME} or ${file:PATH}; "$$" stands for a dollar';
const MALFORMED: Failure = { problem: "Unknown reference", fix: FORMS };

function refer(inner: string, environment: Environment): { readonly value: string } | Failure {
  const colon = inner.indexOf(":");
  const scheme = colon < 0 ? "" : inner.slice(0, colon);
  if (scheme === "env") return referEnv(inner.slice(colon + 1), environment);
  if (scheme === "file") return referFile(inner.slice(colon + 1), environment);
  const isName = /^[A-Za-z_]\w*$/.test(inner);
  return {
    problem: `Unknown reference "\${${inner}}"`,
    fix: isName ? `did you mean "\${env:${inner}}"?` : FORMS,
    isMalformed: true,
  };
}

function referEnv(inner: string, { env }: Environment): { readonly value: string } | Failure {
  const [, name, fallback] = /^([A-Za-z_]\w*)(?::-([^]*))?$/.exec(inner) ?? [];
  if (name === undefined) {
    return {
      problem: `Environment variable name "${inner}" is not valid`,
      fix: "write ${env:NAME} or ${env:NAME:-default}",
      isMalformed: true,
    };
  }
  const value = env(name);
  // As in a shell: the default also stands in for a variable that is set but empty.
  if (fallback !== undefined) {
    return { value: value === undefined || value === "" ? fallback : value };
  }
  if (value !== undefined) return { value };
  return {
    problem: `Environment variable "${name}" is not set`,
    fix: `set it, or write \${env:${name}:-default}`,
  };
}

function referFile(path: string, { readFile }: Environment) {
  try {
    // Editors end a file with a line end that is no part of the value.
    return { value: readFile(path).replace(/\r?\n$/, "") };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { problem: `Cannot read file "${path}": ${reason}` };
  }
}
