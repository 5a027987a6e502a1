// Keeps the agent's process from being ended by a part of it: a plugin, or a library of one, that
// calls process.exit() where something went wrong would take everything else with it.

import { syncBuiltinESMExports } from "node:module";
import process from "node:process";

/**
 * From now on whoever calls process.exit(), process.abort() or Deno.exit() gets an error that says
 * so, until the returned function is called. Calling that again does nothing.
 */
export function refuseExit(): () => void {
  const refuse = (name: string) => (): never => {
    throw new Error(`${name} is refused: a part of the agent may not end all of it`);
  };
  const { Deno: deno } = globalThis as { readonly Deno?: object };
  const lifts = [
    replace(process, "exit", refuse("process.exit()")),
    replace(process, "abort", refuse("process.abort()")),
    ...(deno === undefined ? [] : [replace(deno, "exit", refuse("Deno.exit()"))]),
  ];
  // For those who import the functions by name.
  syncBuiltinESMExports();
  return () => {
    for (const lift of lifts.splice(0)) lift();
    syncBuiltinESMExports();
  };
}

function replace(owner: object, name: string, by: () => never): () => void {
  const before: unknown = Reflect.get(owner, name);
  Reflect.set(owner, name, by);
  return () => void Reflect.set(owner, name, before);
}
