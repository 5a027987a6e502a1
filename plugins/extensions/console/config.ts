// The options of extension `console`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { httpLimitOptions } from "../../sdk/http-message.ts";
import { isLocal } from "../../sdk/loopback.ts";
import { Secret, secret } from "../../sdk/secret.ts";
import { serverTls } from "../../sdk/tls.ts";

// Nothing slows down who guesses.
const PASSWORD_LENGTH_MIN = 12;

const { max_body_bytes: _none, ...limits } = httpLimitOptions;

/** Its schema. */
export const config = z.strictObject({
  endpoint: endpoint.prefault("127.0.0.1:4581").describe(
    "Where to listen: address and port, or unix:// and the path of a socket",
  ),
  tls: serverTls.optional().describe(
    "Certificates; with client_ca_file browsers have to show one of theirs, too",
  ),
  username: z.string().regex(/^[\w+=,.@-]{1,64}$/, "Expected a user's name as IAM has it")
    .default("cairn").describe("Name that the browser asks for, where a password is set"),
  password: secret.optional().describe(
    "Password that the browser asks for, of 12 characters at least; without one, only a loopback " +
      "address or a unix socket",
  ),
  ...limits,
}).check((ctx) => {
  const { password, endpoint: at } = ctx.value;
  const refuse = (path: string, message: string) =>
    ctx.issues.push({ code: "custom", input: ctx.value, path: [path], message });
  if (password === undefined && !isLocal(at)) {
    refuse(
      "endpoint",
      "Expected a password: without one, only a loopback address or a unix socket",
    );
  }
  if (password instanceof Secret && password.reveal().length < PASSWORD_LENGTH_MIN) {
    refuse("password", `Expected a password of ${PASSWORD_LENGTH_MIN} characters at least`);
  }
});

/** The options, checked. */
export type ConsoleConfig = z.output<typeof config>;
