// ZIPs for tests, honest ones and others.

import zlib from "node:zlib";

import { crc32 } from "../../../src/verify/dist/base/inflate.js";

/**
 * A ZIP of entries `{ name, content }`; `stored` are not packed, `crc`, `size` and `encrypted` are what the directory says of them,
 * true or not.
 */
export function makeZip(entries) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const { name, content, stored = false, crc, size, encrypted = false } of entries) {
    const data = Buffer.from(content, "latin1");
    const packed = stored ? data : zlib.deflateRawSync(data);
    const bytes = Buffer.from(name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2);
    shared.writeUInt16LE(stored ? 0 : 8, 4);
    shared.writeUInt32LE(crc ?? crc32(data), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(size ?? data.length, 18);
    shared.writeUInt16LE(bytes.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x00"), shared, place, bytes);
    parts.push(Buffer.from("PK\x03\x04"), shared, bytes, packed);
    at += 30 + bytes.length + packed.length;
  }
  const all = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(all.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, all, end]));
}
