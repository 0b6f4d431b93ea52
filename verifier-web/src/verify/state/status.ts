// Status lists on the ledger: which of an issuer's credentials are revoked or suspended.
//
// The state says of every list its version, size and digest; the bits themselves are an attachment of the record:
//
//   attachment = size / 8 bytes; entry i is bit i of the list, the most significant bit of byte 0 first
//
// There is one bit store for an issuer, list and purpose. The formats in which verifiers read it are derived from it
// (tokens.ts), so they cannot disagree, and no list expires: how fresh it is, the state proof says.

import * as codec from "../base/codec.js";
import { sha256hex } from "../base/hash.js";
import type { Json } from "../base/json.js";
import { type Did, type DidUrl, readDid, readDidUrl } from "../records/did.js";
import { entryAt, type EntryShape, head, StateObject, type StateReader, type TimedEntry } from "./state.js";

/** What a set bit means: withdrawn for good, or not to be relied upon for now. */
export type StatusPurpose = "revocation" | "suspension";

/** The issuer's signatures over the derived tokens, by the key of `kid`. */
export interface StatusSignatures {
  /** Over the W3C StatusList2021 credential (VCDM 1.1 JWT). */
  readonly statusList2021: Uint8Array;
  /** Over the W3C Bitstring Status List v1.0 credential (`vc+jwt`). */
  readonly bitstring: Uint8Array;
  /** Over the IETF Token Status List (`statuslist+jwt`). */
  readonly token: Uint8Array;
}

/** A version of a list, as its issuer publishes it. */
export interface StatusVersion {
  /** The issuer's name for the list. */
  readonly list: string;
  /** 1 for the first, then one more each time. */
  readonly version: number;
  /** What a set bit means; never changes. */
  readonly purpose: StatusPurpose;
  /** Entries; never changes. */
  readonly size: number;
  /** SHA-256 of the attachment, in hexadecimal. */
  readonly sha256: string;
  /** When the derived tokens say they were issued. */
  readonly issued: number;
  /** The key that signed them, for `assertionMethod`. */
  readonly kid: DidUrl;
  /** The signatures. */
  readonly signatures: StatusSignatures;
}

/** A list from a block on; its number is the list's version. */
export interface StatusEntry extends TimedEntry {
  /** The record that wrote it. */
  readonly record: string;
  /** Whose list. */
  readonly issuer: Did;
  /** What was published. */
  readonly status: StatusVersion;
}

const PURPOSE = codec.word("revocation", "suspension");
const LIST_NAME = codec.textWhere("1 to 64 of A-Z a-z 0-9 . _ -", (text) => /^[A-Za-z0-9._-]{1,64}$/.test(text));

function readSignatures(json: Json): StatusSignatures {
  const signatures = codec.object(json, ["status_list_2021", "bitstring", "token"]);
  return {
    statusList2021: codec.field(signatures, "status_list_2021", codec.data),
    bitstring: codec.field(signatures, "bitstring", codec.data),
    token: codec.field(signatures, "token", codec.data),
  };
}

/** Reads a version of a list. */
export function readStatusVersion(json: Json): StatusVersion {
  const status = codec.object(json, ["list", "version", "purpose", "size", "sha256", "issued", "kid", "signatures"]);
  return {
    list: codec.field(status, "list", LIST_NAME),
    version: codec.field(status, "version", codec.integer),
    purpose: codec.field(status, "purpose", PURPOSE),
    size: codec.field(status, "size", codec.integer),
    sha256: codec.field(status, "sha256", codec.hash),
    issued: codec.field(status, "issued", codec.integer),
    kid: codec.field(status, "kid", readDidUrl),
    signatures: codec.field(status, "signatures", readSignatures),
  };
}

const STATUS_ENTRY: EntryShape<StatusEntry> = {
  members: ["height", "time", "record", "issuer", "status"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    record: codec.field(members, "record", codec.hash),
    issuer: codec.field(members, "issuer", readDid),
    status: codec.field(members, "status", readStatusVersion),
  }),
};

/** `status/<did>:<list>`: a list; each version is an entry. A list's name holds no colon, so the last one divides. */
export function statusObject(issuer: Did, list: string): StateObject {
  return new StateObject("status", `${issuer}:${list}`);
}

/** The newest version of a list. */
export function newestStatus(reader: StateReader, issuer: Did, list: string): StatusEntry | undefined {
  return head(reader, statusObject(issuer, list), STATUS_ENTRY);
}

/** The version of a list that was the newest at a time. */
export function statusAt(reader: StateReader, issuer: Did, list: string, time: number): StatusEntry | undefined {
  return entryAt(reader, statusObject(issuer, list), time, STATUS_ENTRY);
}

/** The entries of a list, a bit each, the most significant bit of byte 0 first. Its bytes are the attachment. */
export class BitList {
  private constructor(
    /** The attachment. */
    readonly bytes: Uint8Array,
  ) {}

  /** A list in which nothing is set; none unless the size is a multiple of 8. */
  static zeros(size: number): BitList | undefined {
    return size % 8 === 0 ? new BitList(new Uint8Array(size / 8)) : undefined;
  }

  /** The list that an attachment is; none unless it has exactly one bit for each entry. */
  static fromBytes(bytes: Uint8Array, size: number): BitList | undefined {
    return bytes.length * 8 === size ? new BitList(bytes) : undefined;
  }

  /** Number of entries. */
  get size(): number {
    return this.bytes.length * 8;
  }

  /** Whether an entry is set; none beyond the end. */
  get(index: number | bigint): boolean | undefined {
    if (index < 0 || index >= this.size) return undefined;
    const at = Number(index);
    return ((this.bytes[at >> 3] ?? 0) & (0x80 >> (at & 7))) !== 0;
  }

  /** Sets or clears an entry; false beyond the end. */
  set(index: number, value: boolean): boolean {
    const byte = this.bytes[index >> 3];
    if (index < 0 || index >= this.size || byte === undefined) return false;
    const mask = 0x80 >> (index & 7);
    this.bytes[index >> 3] = value ? byte | mask : byte & ~mask;
    return true;
  }

  /** Entries that are set. */
  get ones(): number {
    let ones = 0;
    for (let byte of this.bytes) for (; byte > 0; byte &= byte - 1) ones++;
    return ones;
  }

  /** SHA-256 of the attachment, in hexadecimal. */
  sha256(): string {
    return sha256hex(this.bytes);
  }

  /**
   * The entries in the order of the IETF Token Status List: least significant bit first, each with as many bits as its
   * status needs. A set entry has the status `INVALID` (1) in one bit, `SUSPENDED` (2) in two.
   */
  leastSignificantFirst(bits: 1 | 2): Uint8Array {
    const reversed = this.bytes.map((byte) => REVERSED[byte] ?? 0);
    if (bits === 1) return reversed;
    const wide = new Uint8Array(2 * reversed.length);
    reversed.forEach((byte, i) => {
      wide[2 * i] = suspended(byte & 0x0f);
      wide[2 * i + 1] = suspended(byte >> 4);
    });
    return wide;
  }
}

const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) reversed |= 0x80 >> bit;
  return reversed;
});

/** Four entries, the first in the lowest bit, as two bits each with the higher one set. */
function suspended(four: number): number {
  let wide = 0;
  for (let n = 0; n < 4; n++) wide |= ((four >> n) & 1) << (2 * n + 1);
  return wide;
}
