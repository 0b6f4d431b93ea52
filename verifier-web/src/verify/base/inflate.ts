/**
 * Unpacking of DEFLATE (RFC 1951) and zlib (RFC 1950), never to more than is asked for.
 *
 * What is read of a damaged or odd stream must be what the Rust side reads, to the byte, and inflaters differ there: whether a
 * code without an end-of-block symbol is one, whether a distance may be larger than the window that the header names, what
 * follows the stream. This one has the rules of miniz_oxide 0.9: no preset dictionary, incomplete codes only of one bit, and
 * what follows the stream is ignored.
 */

/** What came of unpacking: the bytes, or that there are more than was asked for, or that the stream is none. */
export type Inflated = Uint8Array | "too-large" | "damaged";

/** Where unpacking stopped. */
export type InflateEnd = "done" | "too-large" | "truncated" | "invalid";

/** Bits that the fast table looks at. */
const FAST_BITS = 10;

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
/** The order in which the lengths of the code lengths' code stand. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_OF_BLOCK = 256;

/** Why unpacking ended early; thrown inside this module only. */
class Stopped {
  readonly end: InflateEnd;
  constructor(end: InflateEnd) {
    this.end = end;
  }
}

/** A canonical Huffman code. */
interface Code {
  /** By the next bits: `length << 9 | symbol`, 0 where the code is longer than these, or none. */
  readonly fast: Uint16Array;
  /** Number of codes of each length. */
  readonly counts: Uint16Array;
  /** Symbols in the order of their codes. */
  readonly symbols: Uint16Array;
}

/** Makes a code of its lengths. `whole`: whether a code of a single bit pattern must be complete as well. */
function code(lengths: Uint8Array, whole: boolean): Code {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  counts[0] = 0;
  const starts = new Uint16Array(17);
  const firsts = new Uint32Array(17);
  let [left, longest] = [1, 0];
  for (let length = 1; length < 16; length++) {
    const count = counts[length] ?? 0;
    if (count > 0) longest = length;
    left = left * 2 - count;
    if (left < 0) throw new Stopped("invalid");
    starts[length + 1] = (starts[length] ?? 0) + count;
    firsts[length + 1] = ((firsts[length] ?? 0) + count) * 2;
  }
  if (left !== 0 && (whole || longest > 1)) throw new Stopped("invalid");
  const fast = new Uint16Array(1 << FAST_BITS);
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length === 0) return;
    symbols[starts[length] ?? 0] = symbol;
    starts[length] = (starts[length] ?? 0) + 1;
    const first = firsts[length] ?? 0;
    firsts[length] = first + 1;
    if (length > FAST_BITS) return;
    let reversed = 0;
    for (let bit = 0; bit < length; bit++) reversed |= ((first >> bit) & 1) << (length - 1 - bit);
    for (let at = reversed; at < fast.length; at += 1 << length) fast[at] = (length << 9) | symbol;
  });
  return { fast, counts, symbols };
}

/** The codes of blocks that bring none. */
let fixed: { literals: Code; distances: Code } | undefined;

function fixedCodes(): { literals: Code; distances: Code } {
  if (fixed === undefined) {
    const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
    fixed = { literals: code(lengths, false), distances: code(new Uint8Array(32).fill(5), false) };
  }
  return fixed;
}

/** A stream in the middle of being unpacked. */
class Stream {
  readonly input: Uint8Array;
  readonly most: number;
  /** zlib refuses a literal code without end-of-block symbol at once, miniz_oxide never meets the end. */
  readonly needsEnd: boolean;
  at: number;
  output: Uint8Array;
  length = 0;
  /** Bits that were taken from the input and not used yet, the next one lowest. */
  private bits = 0;
  private count = 0;

  constructor(input: Uint8Array, at: number, most: number, needsEnd: boolean) {
    this.input = input;
    this.at = at;
    this.most = most;
    this.needsEnd = needsEnd;
    this.output = new Uint8Array(Math.min(most, Math.max(256, input.length * 2)));
  }

  /** Unpacks blocks up to the last. */
  run(): void {
    for (let last = false; !last; ) {
      last = this.take(1) === 1;
      const kind = this.take(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.packed(fixedCodes().literals, fixedCodes().distances);
      else if (kind === 2) this.packed(...this.codes());
      else throw new Stopped("invalid");
    }
    this.align();
  }

  /** Gives whole unused bytes back, and drops the rest of a begun one. */
  private align(): void {
    this.at -= this.count >> 3;
    this.bits = 0;
    this.count = 0;
  }

  private fill(): void {
    while (this.count <= 24 && this.at < this.input.length) {
      this.bits |= (this.input[this.at++] ?? 0) << this.count;
      this.count += 8;
    }
  }

  /** The next bits, 13 at most. */
  private take(count: number): number {
    if (this.count < count) {
      this.fill();
      if (this.count < count) throw new Stopped("truncated");
    }
    const bits = this.bits & ((1 << count) - 1);
    this.bits >>>= count;
    this.count -= count;
    return bits;
  }

  private symbol(of: Code): number {
    if (this.count < 15) this.fill();
    const found = of.fast[this.bits & ((1 << FAST_BITS) - 1)] ?? 0;
    const length = found >> 9;
    if (length > 0 && length <= this.count) {
      this.bits >>>= length;
      this.count -= length;
      return found & 511;
    }
    // Longer than the table's bits, at the end of the input, or no code at all.
    let [next, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      if (length > this.count) throw new Stopped("truncated");
      next |= (this.bits >>> (length - 1)) & 1;
      const count = of.counts[length] ?? 0;
      if (next - first < count) {
        this.bits >>>= length;
        this.count -= length;
        return of.symbols[index + next - first] ?? 0;
      }
      index += count;
      first = (first + count) << 1;
      next <<= 1;
    }
    throw new Stopped("invalid");
  }

  /** The codes that a block brings. */
  private codes(): [Code, Code] {
    const literals = this.take(5) + 257;
    const distances = this.take(5) + 1;
    const orders = this.take(4) + 4;
    if (literals > 286 || distances > 30) throw new Stopped("invalid");
    const own = new Uint8Array(19);
    for (const symbol of ORDER.slice(0, orders)) own[symbol] = this.take(3);
    const lengthCode = code(own, true);
    const all = literals + distances;
    const lengths = new Uint8Array(all);
    for (let at = 0; at < all; ) {
      const symbol = this.symbol(lengthCode);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw new Stopped("invalid");
      const value = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
      const times = symbol === 16 ? 3 + this.take(2) : symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
      if (at + times > all) throw new Stopped("invalid");
      lengths.fill(value, at, at + times);
      at += times;
    }
    if (this.needsEnd && lengths[END_OF_BLOCK] === 0) throw new Stopped("invalid");
    return [code(lengths.subarray(0, literals), false), code(lengths.subarray(literals), false)];
  }

  private stored(): void {
    this.align();
    const [a, b, c, d] = [0, 1, 2, 3].map((ahead) => this.input[this.at + ahead]);
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Stopped("truncated");
    const length = a | (b << 8);
    if (length !== ((c | (d << 8)) ^ 0xffff)) throw new Stopped("invalid");
    this.at += 4;
    const there = Math.min(length, this.input.length - this.at);
    const room = Math.min(there, this.most - this.length);
    this.grow(room);
    this.output.set(this.input.subarray(this.at, this.at + room), this.length);
    this.length += room;
    this.at += room;
    if (room < length) throw new Stopped(this.length === this.most ? "too-large" : "truncated");
  }

  private packed(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < END_OF_BLOCK) {
        if (this.length === this.output.length) this.grow(1);
        this.output[this.length++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) return;
      const extra = LENGTH_EXTRA[symbol - 257];
      if (extra === undefined) throw new Stopped("invalid");
      const length = (LENGTH_BASE[symbol - 257] ?? 0) + this.take(extra);
      const far = this.symbol(distances);
      const base = DISTANCE_BASE[far];
      if (base === undefined) throw new Stopped("invalid");
      const distance = base + this.take(far < 2 ? 0 : (far >> 1) - 1);
      if (distance > this.length) throw new Stopped("invalid");
      const room = Math.min(length, this.most - this.length);
      this.grow(room);
      const { output } = this;
      for (let end = this.length + room; this.length < end; this.length++) {
        output[this.length] = output[this.length - distance] ?? 0;
      }
      if (room < length) throw new Stopped("too-large");
    }
  }

  /** Makes room. */
  private grow(more: number): void {
    const needed = this.length + more;
    if (needed <= this.output.length) return;
    if (needed > this.most) throw new Stopped("too-large");
    const wider = new Uint8Array(Math.min(this.most, Math.max(needed, this.output.length * 2)));
    wider.set(this.output.subarray(0, this.length));
    this.output = wider;
  }
}

/** Runs a stream; what it throws is a value of {@link InflateEnd}. */
function run(stream: Stream): InflateEnd {
  try {
    stream.run();
    return "done";
  } catch (stopped) {
    if (stopped instanceof Stopped) return stopped.end;
    throw stopped;
  }
}

/**
 * Unpacks raw DEFLATE as zlib does, with what came out before the end.
 *
 * @param most how many bytes may come out
 */
export function inflateEntry(bytes: Uint8Array, most: number): { content: Uint8Array; end: InflateEnd } {
  const stream = new Stream(bytes, 0, most, true);
  const end = run(stream);
  return { content: stream.output.subarray(0, stream.length), end };
}

/**
 * Unpacks raw DEFLATE.
 *
 * @param most how many bytes may come out
 */
export function inflate(bytes: Uint8Array, most: number): Inflated {
  const stream = new Stream(bytes, 0, most, false);
  const end = run(stream);
  if (end === "done") return stream.output.slice(0, stream.length);
  return end === "too-large" ? "too-large" : "damaged";
}

/**
 * Unpacks a zlib stream.
 *
 * @param most how many bytes may come out
 */
export function inflateZlib(bytes: Uint8Array, most: number): Inflated {
  const [method, flags] = [bytes[0], bytes[1]];
  if (method === undefined || flags === undefined) return "damaged";
  const known = (method & 15) === 8 && method >> 4 <= 7 && (flags & 0x20) === 0;
  if (!known || (method * 256 + flags) % 31 !== 0) return "damaged";
  const stream = new Stream(bytes, 2, most, false);
  const end = run(stream);
  if (end !== "done") return end === "too-large" ? "too-large" : "damaged";
  if (stream.at + 4 > bytes.length) return "damaged";
  const [a, b, c, d] = [0, 1, 2, 3].map((ahead) => bytes[stream.at + ahead] ?? 0) as [number, number, number, number];
  const content = stream.output.slice(0, stream.length);
  return adler32(content) === (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) ? content : "damaged";
}

/** The checksum of zlib streams (RFC 1950 §8). */
function adler32(bytes: Uint8Array): number {
  let [low, high] = [1, 0];
  // So many sums stay below 2^32.
  for (let at = 0; at < bytes.length; at += 5552) {
    for (const byte of bytes.subarray(at, at + 5552)) {
      low += byte;
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return ((high << 16) | low) >>> 0;
}

const CRC_TABLE = /* @__PURE__ */ (() => {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    table[byte] = crc;
  }
  return table;
})();

/** CRC-32 (RFC 1952 §8), as gzip and ZIP have it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
