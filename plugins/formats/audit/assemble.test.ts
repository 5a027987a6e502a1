// When an event is complete, what waits, and the bounds of it.

import { Buffer } from "node:buffer";
import t from "tap";
import { RejectedInput } from "../../sdk/errors.ts";
import type { FramePosition } from "../../sdk/format.ts";
import { eventsOf, newFormat } from "./read-log.ts";

/** A format that is fed by the line; each line stands 100 bytes after the one before. */
function feed(options?: Record<string, unknown>) {
  const format = newFormat(options);
  let offset = 0;
  const take = (line: string): string[] => {
    const at: FramePosition = { source: "f", offset };
    offset += 100;
    return eventsOf(format.decode(Buffer.from(line), at)).map((event) => event.id);
  };
  const flush = (nowMs: number): string[] => eventsOf(format.flush(nowMs)).map((event) => event.id);
  return { format, take, flush };
}

function syscall(stamp: string, items = 0): string {
  return `type=SYSCALL msg=audit(${stamp}): arch=c000003e syscall=59 items=${items} auid=1 uid=1`;
}

function path(stamp: string, item: number): string {
  return `type=PATH msg=audit(${stamp}): item=${item} name="/p${item}" nametype=NORMAL`;
}

function title(stamp: string): string {
  return `type=PROCTITLE msg=audit(${stamp}): proctitle="x"`;
}

t.test("decode hands out an event of user space at once, while a group waits", async (t) => {
  const { take, format } = feed();
  t.strictSame(take(syscall("1.000:1")), []);
  t.strictSame(take("type=USER_LOGIN msg=audit(1.001:2): uid=0 msg='res=success'"), ["1.001:2"]);
  t.strictSame(take("type=UNKNOWN[2313] msg=audit(1.001:3): a=b"), ["1.001:3"]);
  t.strictSame(format.oldestPending(), { source: "f", offset: 0 });
});

t.test("decode hands out a group at PROCTITLE when SYSCALL and its paths are there", async (t) => {
  const { take, format } = feed();
  take(syscall("1.000:1", 2));
  take(path("1.000:1", 0));
  take(path("1.000:1", 1));
  t.strictSame(take(title("1.000:1")), ["1.000:1"]);
  t.equal(format.oldestPending(), undefined);
});

t.test("decode waits for records that come after PROCTITLE when some are missing", async (t) => {
  const { take } = feed();
  take(title("1.000:1"));
  take(path("1.000:1", 1));
  take(syscall("1.000:1", 2));
  t.strictSame(take(path("1.000:1", 0)), ["1.000:1"]);
});

t.test("decode hands out a group at EOE, and an EOE alone is nothing", async (t) => {
  const { take, format } = feed();
  take("type=CONFIG_CHANGE msg=audit(1.000:1): op=set res=1");
  t.strictSame(take("type=EOE msg=audit(1.000:1): "), ["1.000:1"]);
  t.strictSame(take("type=EOE msg=audit(1.000:1): "), []);
  t.equal(format.oldestPending(), undefined);
});

t.test("decode keeps events of different nodes apart, and of different times", async (t) => {
  const { take, flush } = feed();
  take(`node=a ${syscall("1.000:1", 1)}`);
  take(`node=b ${syscall("1.000:1", 1)}`);
  take(syscall("1.000:1", 1));
  take(syscall("1.001:1", 1));
  take(`node=a ${path("1.000:1", 0)}`);
  t.strictSame(take(`node=a ${title("1.000:1")}`), ["a 1.000:1"]);
  t.strictSame(flush(Infinity), ["b 1.000:1", "1.000:1", "1.001:1"]);
});

t.test("decode refuses a record whose event is gone, and keeps what waits", async (t) => {
  const { take, format } = feed();
  take(syscall("1.000:1"));
  take(title("1.000:1"));
  take(syscall("1.000:2"));
  t.throws(() => take(path("1.000:1", 0)), RejectedInput);
  t.strictSame(format.oldestPending(), { source: "f", offset: 200 });
});

t.test("decode hands out the oldest group when more wait than the limit", async (t) => {
  const { take, flush } = feed({ max_open_events: 3 });
  for (const n of [1, 2, 3]) t.strictSame(take(syscall(`1.000:${n}`)), []);
  t.strictSame(take(syscall("1.000:4")), ["1.000:1"]);
  t.strictSame(flush(Infinity), ["1.000:2", "1.000:3", "1.000:4"]);
});

t.test("decode hands out the oldest groups when more bytes wait than the limit", async (t) => {
  const { take } = feed({ max_open_bytes: "200B" });
  t.strictSame(take(syscall("1.000:1")), []);
  t.strictSame(take(syscall("1.000:2")), []);
  t.strictSame(take(syscall("1.000:3")), ["1.000:1"]);
});

t.test("decode refuses a record that makes its event too large", async (t) => {
  const { take, flush } = feed({ max_event_bytes: "400B" });
  take(syscall("1.000:1"));
  t.throws(() => take(`type=EXECVE msg=audit(1.000:1): argc=1 a0="${"x".repeat(400)}"`), {
    message: 'Event "1.000:1" too large: over 400 bytes with this record',
  });
  t.strictSame(flush(Infinity), ["1.000:1"]);
});

t.test("decode refuses lines too long, and lines with a byte 0", async (t) => {
  const { take } = feed({ max_line_bytes: "200B" });
  t.throws(() => take("x".repeat(201)), {
    message: "Line too long: 201 bytes, max_line_bytes is 200",
  });
  t.throws(() => take("type=CWD msg=audit(1.000:1): cwd=\0"), RejectedInput);
  t.strictSame(take(""), []);
  t.strictSame(take("  \r"), []);
});

t.test("decode does not keep the frame's memory", async (t) => {
  const format = newFormat();
  const frame = Buffer.from('type=CWD msg=audit(1.000:1): cwd="/srv"');
  format.decode(frame, { source: "f", offset: 0 });
  frame.fill(0);
  t.match(eventsOf(format.flush(Infinity))[0], { request: { workingDirectory: "/srv" } });
});

t.test("decode takes a frame that is a view into a larger block", async (t) => {
  const format = newFormat();
  const block = new TextEncoder().encode('##type=USER_CMD msg=audit(1.000:1): cmd="id"##');
  const events = eventsOf(format.decode(block.subarray(2, -2), { source: "f", offset: 0 }));
  t.match(events, [{ action: "AssumeRole", request: { command: "id" } }]);
});

t.test("flush hands out what it has seen for two seconds, and all at Infinity", async (t) => {
  const { take, flush, format } = feed();
  t.strictSame(flush(1000), []);
  take(syscall("1.000:1"));
  t.strictSame(flush(50_000), []);
  take(syscall("1.000:2"));
  t.strictSame(flush(51_999), []);
  t.strictSame(flush(52_000), ["1.000:1"]);
  t.strictSame(format.oldestPending(), { source: "f", offset: 100 });
  t.strictSame(flush(Infinity), ["1.000:2"]);
  t.equal(format.oldestPending(), undefined);
});

t.test("flush starts the wait again when the clock is set back", async (t) => {
  const { take, flush } = feed();
  take(syscall("1.000:1"));
  t.strictSame(flush(100_000), []);
  t.strictSame(flush(5000), []);
  t.strictSame(flush(6999), []);
  t.strictSame(flush(7000), ["1.000:1"]);
});
