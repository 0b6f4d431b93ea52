// Gzip (RFC 1952) and zlib (RFC 1950) streams of *stored* DEFLATE blocks (RFC 1951 §3.2.4).
//
// The issuer of a status list signs tokens that hold the list compressed, and everybody derives the same tokens from its
// bits. Compressed bytes would depend on the compressor; stored blocks leave no choice.
//
//   gzip  = 1f8b08 00 00000000 00 ff ‖ blocks ‖ CRC-32 (little-endian) ‖ length (little-endian)
//   zlib  = 7801 ‖ blocks ‖ Adler-32 (big-endian)
//   block = 00, or 01 for the last ‖ length (2, little-endian) ‖ its complement ‖ bytes; 65,535 bytes in all but the last

import { crc32 } from "../base/inflate.js";

/** Bytes of a stored block: its length has 16 bits. */
const BLOCK_BYTES = 65_535;
/** Magic, method "deflate", no flags, no time, no hint, operating system "unknown". */
const GZIP_HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/** Method "deflate" with a window of 32 KiB, fastest level, no dictionary. */
const ZLIB_HEADER = [0x78, 0x01];
const ADLER_MODULUS = 65_521;

/** The one gzip stream of some bytes. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const stream = wrap(GZIP_HEADER, bytes, 8);
  const end = new DataView(stream.buffer, stream.length - 8);
  end.setUint32(0, crc32(bytes), true);
  end.setUint32(4, bytes.length, true);
  return stream;
}

/** The one zlib stream of some bytes. */
export function zlib(bytes: Uint8Array): Uint8Array {
  const stream = wrap(ZLIB_HEADER, bytes, 4);
  new DataView(stream.buffer).setUint32(stream.length - 4, adler32(bytes), false);
  return stream;
}

/** A header, the blocks, and room for what follows. */
function wrap(header: readonly number[], bytes: Uint8Array, trailer: number): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  const stream = new Uint8Array(header.length + 5 * blocks + bytes.length + trailer);
  stream.set(header);
  let at = header.length;
  for (let number = 0; number < blocks; number++) {
    const block = bytes.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
    const view = new DataView(stream.buffer, at);
    view.setUint8(0, number === blocks - 1 ? 1 : 0);
    view.setUint16(1, block.length, true);
    view.setUint16(3, ~block.length & 0xffff, true);
    stream.set(block, at + 5);
    at += 5 + block.length;
  }
  return stream;
}

/** Adler-32 of RFC 1950 §8. */
export function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % ADLER_MODULUS;
    b = (b + a) % ADLER_MODULUS;
  }
  return ((b << 16) | a) >>> 0;
}
