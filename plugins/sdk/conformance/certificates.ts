// Certificates for tests of what listens with TLS: an authority, and a server and a client signed by
// it, made by openssl, so that no key is kept in the tree.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface TestCertificates {
  readonly ca: string;
  /** Valid for localhost and 127.0.0.1. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** Signs another certificate, by this common name. */
  issue(commonName: string): { readonly cert: string; readonly key: string };
}

/** Makes them in a folder, valid for a day. */
export function testCertificates(folder: string): TestCertificates {
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    ...["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1"],
    ...["-subj", "/CN=Test authority"],
  );
  writeFileSync(join(folder, "names.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const issue = (name: string) => {
    const request = ["-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`];
    openssl("req", ...newKey, ...request);
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", "1", "-extfile", "names.ext", "-out", `${name}.pem`],
    );
    return { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  };
  return { ca: join(folder, "ca.pem"), server: issue("server"), client: issue("client"), issue };
}
