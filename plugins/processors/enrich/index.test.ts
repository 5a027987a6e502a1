// Processor enrich: conformance, what of a host, an instance, a task, a container and a pod stands in
// a record, with HTTP servers that speak as the metadata services do, and what happens without them.

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { validateRecord } from "../../sdk/cloudtrail/validate.ts";
import { conformance, testContext, testHost, testRecord } from "../../sdk/conformance.ts";
import { until } from "../../sdk/conformance.ts";
import type { CloudTrailRecord, JsonObject } from "../../sdk/index.ts";
import factory from "./index.ts";

const CONTAINER = "0123456789abcdef".repeat(4);
const POD_UID = "0b5e6a0c-7f3f-4a51-9c2e-1f1d0a8f5a11";

/** Files below a folder of the test's own, in place of a host's. */
function root(t: Test, files: Record<string, string> = {}): string {
  const folder = t.testdir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Options that look at nothing of the real host. */
function options(folder: string, more: object = {}): Record<string, unknown> {
  const kubernetes = {
    directory: join(folder, "etc/podinfo"),
    service_account_directory: join(folder, "serviceaccount"),
  };
  return { root: folder, kubernetes, timeout: "20s", ...more };
}

/** A record of the agent's own host. */
function own(number = 1, data: JsonObject = {}): CloudTrailRecord {
  return { ...testRecord(number), additionalEventData: { host: "web-01", ...data } };
}

interface Started {
  enrich(record?: CloudTrailRecord): Promise<CloudTrailRecord>;
  environment(): Promise<Record<string, JsonObject>>;
  readonly host: ReturnType<typeof testHost>;
  advance(ms: number): void;
}

async function start(t: Test, given: object): Promise<Started> {
  let now = Date.now();
  const host = testHost();
  const context = testContext({ clock: () => now });
  const processor = factory.create(factory.config.parse(given), context);
  await processor.start(host);
  t.teardown(() => processor.stop(new AbortController().signal));
  const enrich = async (record = own()) => (await processor.process([record]))[0]!;
  return {
    enrich,
    host,
    environment: async () =>
      ((await enrich()).additionalEventData?.environment ?? {}) as Record<string, JsonObject>,
    advance: (ms) => now += ms,
  };
}

/** An HTTP server; answers its address. */
async function serve(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const DOCUMENT = {
  accountId: "111122223333",
  architecture: "x86_64",
  availabilityZone: "eu-central-1a",
  billingProducts: null,
  imageId: "ami-5fb8c835",
  instanceId: "i-1234567890abcdef0",
  instanceType: "t3.micro",
  pendingTime: "2026-11-19T16:32:11Z",
  privateIp: "10.158.112.84",
  region: "eu-central-1",
  version: "2017-09-30",
};

/** EC2's metadata service as documented for version 2: a PUT gives a token, a GET needs it. */
function imds(asked: string[]) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const { method, url = "", headers } = request;
    asked.push(`${method} ${url}`);
    const send = (status: number, text = "") => response.writeHead(status).end(text);
    if (url === "/latest/api/token") {
      const ttl = Number(headers["x-aws-ec2-metadata-token-ttl-seconds"]);
      if (method !== "PUT") return send(405);
      return ttl >= 1 && ttl <= 21_600 ? send(200, "AQAEAToken==") : send(400);
    }
    if (method !== "GET" || headers["x-aws-ec2-metadata-token"] !== "AQAEAToken==") {
      return send(401);
    }
    if (url === "/latest/dynamic/instance-identity/document") {
      return send(200, JSON.stringify(DOCUMENT));
    }
    if (url === "/latest/meta-data/tags/instance/Name") return send(200, "web");
    if (url === "/latest/meta-data/tags/instance/cost%20center") return send(200, "4711");
    return send(404, "Not Found");
  };
}

t.test("enrich keeps the contract", async (t) => {
  const folder = root(t);
  await conformance(t, factory, { minimal: options(folder) });
});

t.test("host, hardware, container and pod come from files", async (t) => {
  const folder = root(t, {
    "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
    "sys/class/dmi/id/product_name": "Standard PC\n",
    "proc/self/cgroup": `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${
      POD_UID.replaceAll("-", "_")
    }.slice/cri-containerd-${CONTAINER}.scope\n`,
    "etc/podinfo/labels": 'app="web"\nteam="a \\"b\\""\n',
    "etc/podinfo/name": "web-0",
    "serviceaccount/namespace": "shop",
  });
  const kubernetes = { ...options(folder).kubernetes as object, node: "node-7" };
  const { enrich, host } = await start(t, options(folder, { kubernetes }));
  const { additionalEventData } = await enrich(own(1, { kept: true }));
  t.same(additionalEventData, {
    host: "web-01",
    kept: true,
    environment: {
      host: {
        name: "web-01",
        os: "Debian GNU/Linux 12 (bookworm)",
        kernel: "6.1.0-18-amd64",
        architecture: arch(),
        vendor: "QEMU",
        product: "Standard PC",
      },
      container: { id: CONTAINER, runtime: "containerd" },
      kubernetes: {
        namespace: "shop",
        pod: "web-0",
        podUid: POD_UID,
        node: "node-7",
        labels: { app: "web", team: 'a "b"' },
      },
    },
  });
  t.same(host.reports.at(-1), { state: "running", reason: undefined });
});

t.test("the container's id is found under every runtime's names", async (t) => {
  const mount = (path: string) => `712 700 8:1 ${path} /etc/hostname rw - ext4 /dev/sda1 rw\n`;
  const cases: [cgroup: string, mountinfo: string, runtime: string | undefined][] = [
    [`12:cpu:/docker/${CONTAINER}\n`, "", "docker"],
    [`0::/system.slice/docker-${CONTAINER}.scope\n`, "", "docker"],
    [`0::/machine.slice/libpod-${CONTAINER}.scope/container\n`, "", "podman"],
    [`0::/kubepods/besteffort/pod${POD_UID}/crio-${CONTAINER}.scope\n`, "", "cri-o"],
    [`9:cpu:/ecs/${"0".repeat(32)}/${CONTAINER}\n`, "", "ecs"],
    ["0::/\n", mount(`/var/lib/docker/containers/${CONTAINER}/hostname`), "docker"],
    [
      "0::/\n",
      mount(`/var/lib/containers/storage/overlay-containers/${CONTAINER}/userdata/hostname`),
      "podman",
    ],
  ];
  for (const [i, [cgroup, mountinfo, runtime]] of cases.entries()) {
    await t.test(`${i}: ${runtime}`, async (t) => {
      const folder = root(t, { "proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo });
      const { environment } = await start(t, options(folder));
      t.same((await environment()).container, { id: CONTAINER, runtime });
    });
  }
  const sandbox = `/run/containerd/io.containerd.grpc.v1.cri/sandboxes/${CONTAINER}/hostname`;
  const folder = root(t, {
    "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
    "proc/self/mountinfo": mount(sandbox),
  });
  const { environment } = await start(t, options(folder));
  t.equal(
    (await environment()).container,
    undefined,
    "neither a session nor a pod's sandbox is one",
  );
});

t.test("an EC2 instance is asked with a token, where the hardware is Amazon's", async (t) => {
  const asked: string[] = [];
  const endpoint = await serve(t, imds(asked));
  const amazon = root(t, { "sys/class/dmi/id/sys_vendor": "Amazon EC2\n" });
  const ec2 = { endpoint, tags: ["Name", "cost center", "none"] };
  const { environment, host, advance } = await start(t, options(amazon, { ec2 }));
  t.same((await environment()).cloud, {
    provider: "aws",
    accountId: "111122223333",
    region: "eu-central-1",
    availabilityZone: "eu-central-1a",
    instanceId: "i-1234567890abcdef0",
    instanceType: "t3.micro",
    imageId: "ami-5fb8c835",
    privateIp: "10.158.112.84",
    tags: { Name: "web", "cost center": "4711" },
  });
  t.equal(host.reports.at(-1)?.state, "running");
  const { length } = asked;
  await environment();
  t.equal(asked.length, length, "not for each record");
  advance(300_000);
  await environment();
  await until(() => asked.length === 2 * length, "asked again after 5 minutes");
  t.equal(asked[length], "PUT /latest/api/token", "with a new token");

  const other = root(t, { "sys/class/dmi/id/sys_vendor": "QEMU\n" });
  const elsewhere = await start(t, options(other, { ec2 }));
  t.equal((await elsewhere.environment()).cloud, undefined);
  t.equal(asked.length, 2 * length, "other hosts ask nobody");
});

t.test("an ECS task is asked at the endpoint it was given", async (t) => {
  const answers: Record<string, object> = {
    "/v4/abc": {
      DockerId: "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66",
      Name: "curl",
      Image: "111122223333.dkr.ecr.us-west-2.amazonaws.com/curltest:latest",
      ContainerARN: "arn:aws:ecs:us-west-2:111122223333:container/0206b271",
    },
    "/v4/abc/task": {
      Cluster: "default",
      TaskARN: "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c",
      Family: "curltest",
      Revision: "24",
      AvailabilityZone: "us-west-2d",
      LaunchType: "FARGATE",
      Containers: [],
    },
  };
  const endpoint = await serve(t, ({ url = "" }, response) => {
    const body = answers[url];
    response.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body ?? {}));
  });
  const folder = root(t);
  const { environment } = await start(
    t,
    options(folder, { ecs: { endpoint: `${endpoint}/v4/abc` } }),
  );
  t.match((await environment()).ecs, {
    cluster: "default",
    taskArn: /158d1c8083dd/,
    family: "curltest",
    revision: "24",
    launchType: "FARGATE",
    availabilityZone: "us-west-2d",
    containerName: "curl",
    containerId: /^ea32192c/,
  });
  const wrong = await start(t, options(folder, { ecs: { endpoint: `${endpoint}/v4/other` } }));
  await wrong.environment();
  t.match(wrong.host.reports.at(-1), {
    state: "degraded",
    reason: /answered 404 when asked for the/,
  });
});

t.test("a metadata service that is off, silent or talks nonsense holds nothing up", async (t) => {
  const folder = root(t);
  const cases: [Parameters<typeof serve>[1], RegExp, timeout?: string][] = [
    [(_, response) => response.writeHead(403).end(), /turned off for this instance/],
    [(_, response) => response.writeHead(500).end(), /answered 500 when asked for a token/],
    [(_, response) => response.writeHead(200).end("nonsense"), /its answer is no JSON object/],
    [(_, response) => response.writeHead(200).end("x".repeat(1_000_000)), /answer is too long/],
    [(request) => request.socket.destroy(), /Cannot ask/],
    [() => {}, /no answer in time; in a container the instance's hop limit must be 2/, "200ms"],
  ];
  for (const [answer, reason, timeout = "20s"] of cases) {
    await t.test(String(reason), async (t) => {
      const ec2 = { endpoint: await serve(t, answer), when: "always" };
      const { enrich, host } = await start(t, options(folder, { ec2, timeout }));
      const { additionalEventData } = await enrich();
      t.match(additionalEventData, { environment: { host: { name: "web-01" } } });
      t.notMatch(additionalEventData, { environment: { cloud: {} } });
      t.match(host.reports.at(-1), { state: "degraded", reason });
    });
  }
});

t.test("tables say what they know of a field, beside the environment", async (t) => {
  const folder = root(t, { "owners.csv": "name,team\nalice,web\n" });
  const owners = {
    path: join(folder, "owners.csv"),
    as: "owner",
    field: "userIdentity.userName",
    values: { team: "team" },
  };
  const missing = { ...owners, path: join(folder, "none.mmdb"), as: "geo" };
  const given = options(folder, { tables: [owners, missing], member: "context", host: false });
  const { enrich, host, advance } = await start(t, given);
  t.same((await enrich()).additionalEventData, {
    host: "web-01",
    context: { owner: { team: "web" } },
  });
  t.match(host.reports.at(-1), { state: "degraded", reason: /none\.mmdb": ENOENT/ });
  const bob = { ...own(), userIdentity: { type: "IAMUser", userName: "bob" } };
  t.equal(await enrich(bob), bob, "nothing known: the same record");
  const passed = own(1, { context: { owner: { team: "edge" } } });
  t.equal(await enrich(passed), passed, "what an agent before said stays");
  writeFileSync(join(folder, "owners.csv"), "name,team\nalice,web\nbob,databases\n");
  advance(10_000);
  await until(async () => await enrich(bob) !== bob, "the changed table is read");
  t.match((await enrich(bob)).additionalEventData, { context: { owner: { team: "databases" } } });
});

t.test("only records of this host get its environment, unless every record shall", async (t) => {
  const folder = root(t);
  const elsewhere = own(1, { host: "db-01" });
  const some = await start(t, options(folder));
  t.equal(await some.enrich(elsewhere), elsewhere);
  t.equal(
    await some.enrich(Object.freeze(testRecord(1))).then((r) => r.eventID),
    testRecord(1).eventID,
  );
  const every = await start(t, options(folder, { every_record: true }));
  t.match((await every.enrich(elsewhere)).additionalEventData, { environment: { host: {} } });
  for (const additionalEventData of ["text", { environment: "text" }]) {
    const odd = { ...testRecord(1), additionalEventData } as unknown as CloudTrailRecord;
    t.equal(await every.enrich(odd), odd, "what has another shape is left as it is");
  }
});

t.test("a mistake in the configuration is told where it stands", async (t) => {
  const issue = (given: object) => factory.config.safeParse(given).error?.issues[0];
  const table = { path: "x.csv", as: "x", field: "a", values: { v: "v" } };
  t.match(issue({ tables: [{ ...table, path: "x.txt" }] }), { path: ["tables", 0, "path"] });
  t.match(issue({ tables: [{ ...table, as: "host" }] }), { message: /part of the environment/ });
  t.match(issue({ tables: [table, table] }), { path: ["tables", 1, "as"] });
  t.match(issue({ tables: [{ ...table, path: "x.mmdb", key: "k" }] }), {
    path: ["tables", 0, "key"],
  });
  t.match(issue({ tables: [{ ...table, path: "x.mmdb", values: { v: "a." } }] }), {
    path: [/tables/],
  });
  t.match(issue({ ec2: { endpoint: "169.254.169.254" } }), { path: ["ec2", "endpoint"] });
});

t.test("any record stays valid, unchanged itself, and is enriched once", async (t) => {
  const { enrich } = await start(t, options(root(t), { every_record: true }));
  const data = fc.oneof(
    fc.constant(undefined),
    fc.constant(null),
    fc.string(),
    fc.dictionary(fc.constantFrom("environment", "host", "__proto__"), fc.jsonValue()),
  );
  await fc.assert(fc.asyncProperty(data, async (additionalEventData) => {
    const record = { ...testRecord(1), additionalEventData } as unknown as CloudTrailRecord;
    const before = JSON.stringify(record);
    const after = await enrich(record);
    return JSON.stringify(record) === before && after.eventID === record.eventID &&
      validateRecord(after) === validateRecord(record) && await enrich(after) === after;
  }));
});
