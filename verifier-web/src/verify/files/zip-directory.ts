/** The directory of a ZIP: which entries it has, and where. Its rules are those of the Rust side's reader (zip 9). */

import { fromUtf8 } from "../base/bytes.js";
import { crc32, inflateEntry } from "../base/inflate.js";
import { ascii, find, findLast, latin1, standsAt } from "./bytes.js";
import { OpenError } from "./error.js";

/** An entry as the directory has it. */
export interface ZipEntry {
  /** Its name as bytes; the last entry of a name counts, at the place of the first. */
  readonly name: Uint8Array;
  /** Whether it is encrypted. */
  readonly encrypted: boolean;
  /** How it is packed: 0 for not at all, 8 for DEFLATE. */
  readonly method: number;
  /** CRC-32 of the content. */
  readonly crc32: number;
  /** Bytes as packed. */
  readonly packed: number;
  /** Bytes of the content, by its own word. */
  readonly size: number;
  /** Where its local header stands. */
  readonly start: number;
}

const CENTRAL = ascii("PK\x01\x02");
const LOCAL = ascii("PK\x03\x04");
const END = ascii("PK\x05\x06");
const END_64 = ascii("PK\x06\x06");
const LOCATOR_64 = ascii("PK\x06\x07");
/** As far from the end as the end record is looked for: its own length, the longest comment, and a little. */
const END_REGION = 65_572;
const U16_MAX = 0xffff;
const U32_MAX = 0xffffffff;

/** A directory that is none. */
class Damaged extends Error {}

/** Little-endian numbers at a place of a file. */
class View {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(at: number): number {
    return this.view.getUint16(this.within(at, 2), true);
  }

  u32(at: number): number {
    return this.view.getUint32(this.within(at, 4), true);
  }

  /** Exact as far as any file here reaches. */
  u64(at: number): number {
    return Number(this.view.getBigUint64(this.within(at, 8), true));
  }

  /** Bytes that must be there. */
  slice(at: number, length: number): Uint8Array {
    return this.bytes.subarray(this.within(at, length), at + length);
  }

  private within(at: number, length: number): number {
    if (at + length > this.bytes.length) throw new Damaged("it ends too early");
    return at;
  }
}

/** Where a directory is. */
interface Place {
  /** By how much all places are off: bytes that somebody laid before the ZIP. */
  readonly offset: number;
  readonly start: number;
  readonly entries: number;
  /** Whether it ends where its end record begins, as it should. */
  readonly ends: boolean;
}

/**
 * The entries of a ZIP. The end record that stands last counts; one that is a stray signature in a comment gives way to an earlier.
 *
 * @throws OpenError when there is no directory that can be read
 */
export function zipEntries(bytes: Uint8Array): ZipEntry[] {
  const view = new View(bytes);
  const first = Math.max(0, bytes.length - END_REGION);
  let why = "it has no directory";
  for (let at = bytes.length; at > first; ) {
    at = first + findLast(bytes.subarray(first, at), END);
    if (at < first) break;
    const place = attempt(() => placeOf(view, at));
    if (!place.ok) {
      why = place.why;
      continue;
    }
    const entries = attempt(() => entriesOf(view, place.value));
    if (entries.ok) return entries.value;
    why = entries.why;
    // Others use a record that its directory ends at, so none is looked for before it.
    if (place.value.ends) break;
  }
  throw OpenError.container(why);
}

type Attempt<T> = { ok: true; value: T } | { ok: false; why: string };

function attempt<T>(read: () => T): Attempt<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Damaged) return { ok: false, why: error.message };
    throw error;
  }
}

/** What an end record says. */
function placeOf(view: View, at: number): Place {
  const [disk, startDisk] = [view.u16(at + 4), view.u16(at + 6)];
  const [here, entries] = [view.u16(at + 8), view.u16(at + 10)];
  const [size, start] = [view.u32(at + 12), view.u32(at + 16)];
  view.slice(at + 22, view.u16(at + 20));
  const locator = at - 20;
  if (entries === U16_MAX || size === U32_MAX || start === U32_MAX) {
    if (locator >= 0 && standsAt(view.bytes, LOCATOR_64, locator)) return place64(view, locator);
  }
  if (disk !== 0 || startDisk !== 0 || here !== entries) throw new Damaged("it has several disks");
  if (start > at || (start === at && entries > 0)) throw new Damaged("its directory stands after its end");
  if (entries === 0) return { offset: at - start, start: at, entries, ends: start + (at - start) + size === at };
  const implied = at - size;
  const found =
    implied >= start && standsAt(view.bytes, CENTRAL, implied)
      ? implied
      : find(view.bytes.subarray(0, at), CENTRAL, start);
  if (found < 0) throw new Damaged("it has no directory");
  return { offset: found - start, start: found, entries, ends: found + size === at };
}

/** As {@link placeOf}, of a ZIP whose numbers need 64 bits. */
function place64(view: View, locator: number): Place {
  const disk = view.u32(locator + 4);
  const named = view.u64(locator + 8);
  if (named >= locator) throw new Damaged("its directory stands after its end");
  if (view.u32(locator + 16) > 1) throw new Damaged("it has several disks");
  let why = "it has no directory";
  // Where it says to be; or, with something laid before the ZIP, further on.
  for (let at = find(view.bytes.subarray(0, locator), END_64, named); at >= 0; ) {
    const found = attempt(() => end64(view, at, named, locator, disk));
    if (found.ok) return found.value;
    why = found.why;
    at = find(view.bytes.subarray(0, locator), END_64, at + 1);
  }
  throw new Damaged(why);
}

function end64(view: View, at: number, named: number, locator: number, disk: number): Place {
  const record = view.u64(at + 4);
  if (record < 40 || record + 12 !== locator - at) throw new Damaged("its end record has another length");
  const [here, entries] = [view.u64(at + 24), view.u64(at + 32)];
  if (view.u32(at + 20) !== disk || view.u32(at + 16) !== 0 || here !== entries || disk !== 0) {
    throw new Damaged("it has several disks");
  }
  const [size, start] = [view.u64(at + 40), view.u64(at + 48)];
  if (at < entries * 46 + start) throw new Damaged("it has fewer entries than it says");
  const offset = at - named;
  return { offset, start: start + offset, entries, ends: start + offset + size === at };
}

function entriesOf(view: View, place: Place): ZipEntry[] {
  const entries = new Map<string, ZipEntry>();
  let at = place.start;
  for (let count = 0; count < place.entries; count++) {
    if (!standsAt(view.slice(at, 46), CENTRAL, 0)) throw new Damaged("an entry of its directory is none");
    const [nameLength, extraLength, commentLength] = [view.u16(at + 28), view.u16(at + 30), view.u16(at + 32)];
    const name = view.slice(at + 46, nameLength);
    const extra = view.slice(at + 46 + nameLength, extraLength);
    view.slice(at + 46 + nameLength + extraLength, commentLength);
    const entry = withExtra(new View(extra), {
      name,
      encrypted: (view.u16(at + 8) & 1) !== 0,
      method: view.u16(at + 10),
      crc32: view.u32(at + 16),
      packed: view.u32(at + 20),
      size: view.u32(at + 24),
      start: view.u32(at + 42),
    });
    entries.set(latin1(entry.name), { ...entry, start: entry.start + place.offset });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return Array.from(entries.values());
}

const ZIP_64 = 0x0001;
const TIMES = 0x5455;
const UNICODE_COMMENT = 0x6375;
const UNICODE_PATH = 0x7075;
const ALIGNMENTS = [0xa11e, 0xd935];
/** Fields whose length must be there; after any other, what is too short for a length is padding. */
const KNOWN = [ZIP_64, 0x000a, TIMES, UNICODE_COMMENT, UNICODE_PATH, ...ALIGNMENTS, 0x9901];

/** An entry with what its extra fields say. */
function withExtra(extra: View, entry: ZipEntry): ZipEntry {
  let result = entry;
  for (let at = 0; at + 2 <= extra.bytes.length; ) {
    const id = extra.u16(at);
    if (at + 4 > extra.bytes.length) {
      if (KNOWN.includes(id)) throw new Damaged("an extra field ends too early");
      break;
    }
    const length = extra.u16(at + 2);
    at += 4;
    if (id === ZIP_64) {
      result = with64(extra, at, length, entry, result);
      at = Math.min(at + length, extra.bytes.length);
      continue;
    }
    const field = extra.slice(at, length);
    at += length;
    const least = id === UNICODE_PATH || id === UNICODE_COMMENT ? 5 : ALIGNMENTS.includes(id) ? 2 : id === TIMES ? 1 : 0;
    if (length < least) throw new Damaged("an extra field is too short");
    if (id !== UNICODE_PATH) continue;
    const path = field.subarray(5);
    // It counts for the name that it was made for only.
    if (new View(field).u32(1) === crc32(entry.name) && fromUtf8(path) !== undefined) result = { ...result, name: path };
  }
  return result;
}

/** Sizes and place that did not fit 32 bits, in this order, each only if it did not. */
function with64(extra: View, from: number, length: number, entry: ZipEntry, result: ZipEntry): ZipEntry {
  let at = from;
  const next = (is: number): number | undefined => {
    if (is !== U32_MAX) return undefined;
    if (at + 8 > from + length) throw new Damaged("an extra field is too short");
    at += 8;
    return extra.u64(at - 8);
  };
  const [size, packed, start] = [next(entry.size), next(entry.packed), next(entry.start)];
  // The two sizes travel together.
  const sizes = { size: size ?? entry.size, packed: packed ?? entry.packed };
  const sized = size === undefined && packed === undefined ? result : { ...result, ...sizes };
  return start === undefined ? sized : { ...sized, start };
}

/** What came of unpacking an entry: the content, that there is more than may be, or that it is damaged. */
export type Unpacked = Uint8Array | "too-large" | "damaged";

/** Where an entry's packed bytes are; none when its local header is none, or it is encrypted. */
export function packedBytes(bytes: Uint8Array, entry: ZipEntry): Uint8Array | undefined {
  const { start } = entry;
  if (entry.encrypted || !standsAt(bytes, LOCAL, start) || start + 30 > bytes.length) return undefined;
  const view = new View(bytes);
  const from = start + 30 + view.u16(start + 26) + view.u16(start + 28);
  return bytes.subarray(from, from + entry.packed);
}

/** Unpacks an entry. What it says of its size bounds it, and is not believed: what comes out is counted. */
export function unpack(entry: ZipEntry, packed: Uint8Array, most: number): Unpacked {
  if (entry.method !== 0 && entry.method !== 8) return "damaged";
  const { content, end } =
    entry.method === 0 ? { content: packed, end: "done" as const } : inflateEntry(packed, most + 1);
  if (Math.min(content.length, most + 1) > entry.size) return "damaged";
  if (content.length > most) return "too-large";
  return end !== "done" || crc32(content) !== entry.crc32 ? "damaged" : content;
}

/** The upper half of code page 437, in which names are that are not UTF-8. */
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** An entry's name as text. */
export function nameText(entry: ZipEntry): string {
  const letter = (byte: number): string => (byte < 0x80 ? String.fromCharCode(byte) : CP437.charAt(byte - 0x80));
  return fromUtf8(entry.name) ?? Array.from(entry.name, letter).join("");
}
