// A MessagePack reader written from its specification alone, to show that the queue's files need no
// particular library. Extension types are refused: the format promises none.

import { Buffer } from "node:buffer";

/** Reads the first value in the bytes; what follows it is ignored. */
export function unpack(bytes: Buffer): unknown {
  let at = 0;
  const number = (size: number) => bytes.readUIntBE((at += size) - size, size);
  const take = (length: number) => bytes.subarray((at += length) - length, at);
  const list = (length: number) => Array.from({ length }, () => value());
  const map = (length: number) =>
    Object.fromEntries(Array.from({ length }, () => [String(value()), value()]));
  const value = (): unknown => {
    const tag = number(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag & 0x0f);
    if (tag < 0xa0) return list(tag & 0x0f);
    if (tag < 0xc0) return take(tag & 0x1f).toString("utf8");
    if (tag >= 0xe0) return tag - 256;
    if (tag === 0xc0) return null;
    if (tag === 0xc2 || tag === 0xc3) return tag === 0xc3;
    if (tag >= 0xc4 && tag <= 0xc6) return Buffer.from(take(number(1 << (tag - 0xc4))));
    if (tag === 0xcb) return take(8).readDoubleBE();
    if (tag >= 0xcc && tag <= 0xce) return number(1 << (tag - 0xcc));
    if (tag === 0xcf) return Number(take(8).readBigUInt64BE());
    if (tag === 0xd3) return Number(take(8).readBigInt64BE());
    if (tag >= 0xd0 && tag <= 0xd2) {
      const size = 1 << (tag - 0xd0);
      return take(size).readIntBE(0, size);
    }
    if (tag >= 0xd9 && tag <= 0xdb) return take(number(1 << (tag - 0xd9))).toString("utf8");
    if (tag === 0xdc || tag === 0xdd) return list(number(tag === 0xdc ? 2 : 4));
    if (tag === 0xde || tag === 0xdf) return map(number(tag === 0xde ? 2 : 4));
    throw new TypeError(`Cannot read MessagePack: type 0x${tag.toString(16)}`);
  };
  return value();
}
