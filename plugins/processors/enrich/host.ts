// What the host says of itself: operating system, kernel and hardware (DMI), out of files.

import { arch } from "node:os";
import { join } from "node:path";
import { facts, readFact } from "./facts.ts";

/** The host's facts, and whether its hardware is Amazon's. */
export async function describeHost(root: string, name: string) {
  const dmi = (file: string) => readFact(join(root, "sys/class/dmi/id", file));
  const [vendor, product, serial, uuid, bios, hypervisor, release, kernel] = await Promise.all([
    dmi("sys_vendor"),
    dmi("product_name"),
    dmi("product_serial"),
    dmi("product_uuid"),
    dmi("bios_vendor"),
    readFact(join(root, "sys/hypervisor/uuid")),
    readRelease(root),
    readFact(join(root, "proc/sys/kernel/osrelease")),
  ]);
  const host = facts({
    name,
    os: release,
    kernel,
    architecture: arch(),
    vendor,
    product,
    serial,
    uuid,
  });
  const isAmazon = [vendor, bios].some((text) => text?.startsWith("Amazon EC2")) ||
    (hypervisor?.startsWith("ec2") ?? false);
  return { host, isAmazon };
}

/** As os-release(5) names the system for people. */
async function readRelease(root: string): Promise<string | undefined> {
  const text = await readFact(join(root, "etc/os-release")) ??
    await readFact(join(root, "usr/lib/os-release"));
  const line = /^PRETTY_NAME=(.*)$/m.exec(text ?? "")?.[1];
  return line?.replace(/^(["'])(.*)\1$/, "$2");
}
