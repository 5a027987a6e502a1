// moto's server for tests, where it is on the machine: AWS's services in Python by people who are
// not us. It checks no signatures; AwsServer does.

import type { Test } from "tap";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "./until.ts";

/** Starts a server of its own for a test and gives its URL; undefined, with a comment, without moto. */
export async function startMoto(t: Test): Promise<string | undefined> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  let hasEnded = false;
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      resolve();
    };
    child.once("error", end).once("close", end);
  });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  // Asked rarely: the server needs the processor to start.
  const isUp = () =>
    new Promise((resolve) => setTimeout(resolve, 50)).then(() => fetch(url))
      .then((answer) => answer.text()).then(() => true, () => hasEnded);
  await until(isUp, "moto's server", 60_000);
  if (hasEnded) {
    t.comment("Skipped: moto_server does not run on this machine (pip install moto[server])");
    return undefined;
  }
  t.comment("Runs against moto's server");
  return url;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
