// Reads the source and holds the rules of the house: which way imports point, how long files and
// functions are, what every file and exported symbol says about itself.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import ts from "typescript";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const FILE_LINES_MAX = 300;
const TEST_FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 100;
const NESTING_MAX = 3;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function sources(folder: string): Source[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true }) as string[];
  return names
    .filter((name) => name.endsWith(".ts") && !name.includes("testdata"))
    .map((name) => join(folder, name))
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), "utf8");
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
    });
}

const code = [...sources("src"), ...sources("plugins")];
const tests = sources("test");
const shipped = code.filter((source) => !source.path.endsWith(".test.ts"));

/** The part of the tree a file belongs to, as the import rules name them. */
function part(path: string): string {
  const [top, second, third] = path.split("/") as [string, string?, string?];
  if (top === "src") return third === undefined ? "main" : `src/${second}`;
  if (second === "sdk") return "sdk";
  return second === "index.ts" ? "plugins/index" : `plugins/${second}/${third}`;
}

// Who may import whom, besides its own folder. A plugin folder may import only the SDK.
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "sdk": [],
  "plugins/index": ["sdk", "plugins/*"],
  "src/queue": ["sdk"],
  "src/telemetry": ["sdk"],
  "src/runtime": ["sdk"],
  "src/pipeline": ["sdk", "src/queue", "src/telemetry"],
  "src/config": ["sdk", "src/agent/registry.ts"],
  "src/golden": ["sdk", "src/config", "src/pipeline"],
  "src/agent": [
    "sdk",
    "src/config",
    "src/queue",
    "src/pipeline",
    "src/telemetry",
    "src/runtime",
  ],
  "src/cli": [
    "sdk",
    "src/config",
    "src/agent",
    "src/golden",
    "src/telemetry",
    "src/runtime",
    "src/version.ts",
  ],
  "main": ["sdk", "src/cli", "src/config", "src/agent", "src/telemetry", "src/runtime"],
};

function imports(source: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    const named = (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
      ? node.arguments[0]
      : undefined;
    if (named !== undefined && ts.isStringLiteral(named)) found.push(named.text);
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
  return found;
}

function mayImport(from: string, target: string): boolean {
  if (part(from) === part(target)) return true;
  if (target === "plugins/index.ts") return from === "src/agent/registry.ts";
  const allowed = MAY_IMPORT[part(from)] ?? ["sdk"];
  return allowed.some((name) =>
    name === part(target) || name === target ||
    (name === "plugins/*" && part(target).startsWith("plugins/"))
  );
}

t.test("imports point the way the tree says", async (t) => {
  for (const source of shipped) {
    for (const specifier of imports(source).filter((name) => name.startsWith("."))) {
      const target = relative(ROOT, resolve(ROOT, dirname(source.path), specifier));
      t.ok(mayImport(source.path, target), `${source.path} imports ${target}`);
    }
  }
});

t.test("what is built for Node names no source", async (t) => {
  // tsc 6.0 leaves `import("./x.ts")` within `export default` as it is: Node finds no x.ts in dist.
  for (const { path } of shipped) {
    const built = readFileSync(join(ROOT, "dist", path.replace(/\.ts$/, ".js")), "utf8");
    t.notMatch(built, /\b(?:import|from)\b\s*\(?\s*"\.[^"\n]*\.ts"/, path);
  }
});

t.test("only src/runtime tells the runtimes apart", async (t) => {
  for (const source of shipped.filter(({ path }) => !path.startsWith("src/runtime/"))) {
    t.notMatch(source.text, /\bDeno\.[a-z]/, `${source.path} names no runtime`);
  }
});

t.test("only main.ts takes the environment, and hands it to config/load.ts", async (t) => {
  for (const source of shipped.filter(({ path }) => path !== "src/main.ts")) {
    t.notMatch(source.text, /process\.env/, `${source.path} reads no environment`);
  }
});

t.test("files, functions, lines and nesting keep their sizes", async (t) => {
  for (const source of [...code, ...tests]) {
    const max = shipped.includes(source) ? FILE_LINES_MAX : TEST_FILE_LINES_MAX;
    const lines = source.text.split("\n");
    t.ok(lines.length - 1 <= max, `${source.path} has ${lines.length - 1} lines, at most ${max}`);
    const long = lines.findIndex((line) => line.length > COLUMNS_MAX && !/["'`/]/.test(line));
    t.equal(long, -1, `${source.path}:${long + 1} has at most ${COLUMNS_MAX} columns`);
  }
  for (const source of shipped) for (const problem of sizeProblems(source)) t.fail(problem);
});

function sizeProblems({ path, tree }: Source): string[] {
  const problems: string[] = [];
  const line = (at: number) => tree.getLineAndCharacterOfPosition(at).line;
  const visit = (node: ts.Node, depth: number) => {
    const isFunction = ts.isFunctionLike(node);
    if (isFunction) {
      const length = line(node.end) - line(node.getStart(tree)) + 1;
      const where = `${path}:${line(node.getStart(tree)) + 1}`;
      if (length > FUNCTION_LINES_MAX) problems.push(`${where} is a function of ${length} lines`);
    }
    const isLevel = ts.isIterationStatement(node, false) || ts.isSwitchStatement(node) ||
      ts.isTryStatement(node) ||
      (ts.isIfStatement(node) && !(ts.isIfStatement(node.parent) &&
        node.parent.elseStatement === node));
    const inside = isFunction ? 0 : isLevel ? depth + 1 : depth;
    if (isLevel && inside > NESTING_MAX) {
      problems.push(`${path}:${line(node.getStart(tree)) + 1} nests ${inside} levels deep`);
    }
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(tree, 0);
  return problems;
}

t.test("every file opens by saying what it is", async (t) => {
  for (const source of [...code, ...tests]) {
    t.match(source.text, /^(#!.*\n)?(\/\/ \S|\/\*\*)/, source.path);
  }
});

t.test("every exported symbol has a docstring", async (t) => {
  for (const source of shipped) {
    const bare = source.tree.statements.filter((node) =>
      !ts.isExportDeclaration(node) && !ts.isExportAssignment(node) &&
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) &&
      ts.getJSDocCommentsAndTags(node).length === 0 &&
      !isOverload(node, source.tree)
    );
    t.same(bare.map((node) => node.getText(source.tree).split("\n")[0]), [], source.path);
  }
});

function isOverload(node: ts.Statement, tree: ts.SourceFile): boolean {
  const before = tree.statements[tree.statements.indexOf(node) - 1];
  return ts.isFunctionDeclaration(node) && before !== undefined &&
    ts.isFunctionDeclaration(before) && before.name?.text === node.name?.text;
}

t.test("no file has a name that says nothing, and no code an excuse", async (t) => {
  for (const source of [...code, ...tests]) {
    t.notMatch(source.path, /\b(utils?|types|common|constants|helpers?|misc)\.ts$/, source.path);
    if (source.path === "test/tidy.test.ts") continue;
    t.notMatch(source.text, /\/\/.*\b(TODO|FIXME|XXX)\b/, `${source.path} leaves nothing to do`);
    t.notMatch(source.text, /@ts-(ignore|nocheck|expect-error)|deno-lint-ignore/, source.path);
    t.notMatch(
      source.text,
      /^(?!\s*(\/\/|\*)).*((:|\bas) any\b|<any>)/m,
      `${source.path} has no any`,
    );
  }
});
