/** What a verification rests on beside the credential and its receipt: handed in, never fetched. */

import { sha256hex } from "../base/hash.js";
import type { Evidence } from "../state/evidence.js";

/** Proofs for one or many credentials. */
export interface Proofs {
  /** State of the ledger under one header. */
  readonly evidence?: Evidence;
  /** Bits of status lists of the ledger. */
  readonly lists: Lists;
  /** Status list tokens from elsewhere, by the URL that credentials point to. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** None at all. */
export function noProofs(): Proofs {
  return { lists: new Lists(), tokens: new Map() };
}

/** Bits of status lists. What is found under a SHA-256 has it: it is computed here, once, and never given. */
export class Lists {
  private readonly byDigest = new Map<string, Uint8Array>();

  /** The lists of these bits. */
  static of(all: Iterable<Uint8Array>): Lists {
    const lists = new Lists();
    for (const bits of all) lists.add(bits);
    return lists;
  }

  /** Takes a list's bits, as they are attached to its record, and says under which digest (hexadecimal) they are found. */
  add(bits: Uint8Array): string {
    const digest = sha256hex(bits);
    this.byDigest.set(digest, bits);
    return digest;
  }

  /** The bits of a digest. */
  get(digest: string): Uint8Array | undefined {
    return this.byDigest.get(digest);
  }

  /** All, in the order of their digests. */
  entries(): [string, Uint8Array][] {
    return [...this.byDigest].sort(([one], [other]) => (one < other ? -1 : 1));
  }

  /** How many there are. */
  get size(): number {
    return this.byDigest.size;
  }
}
