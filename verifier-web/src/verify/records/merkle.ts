// The SHA-256 Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1): inclusion and consistency proofs.
//
// Places and sizes are counted in bigints: shifts of numbers stop at 32 bits.

import { VerifyError } from "../base/errors.js";
import { hashBytes } from "../base/codec.js";
import { sha256hex } from "../base/hash.js";

/** Why a proof was refused. */
export type MerkleReason = "out-of-range" | "length" | "root";

const MESSAGES: { readonly [reason in MerkleReason]: string } = {
  "out-of-range": "index or size out of range",
  length: "the proof has the wrong length for this index and size",
  root: "the proof leads to another root",
};

/** A proof that was refused. */
export class MerkleError extends VerifyError {
  /** Why. */
  readonly reason: MerkleReason;

  constructor(reason: MerkleReason) {
    super(`merkle.${reason}`, MESSAGES[reason]);
    this.reason = reason;
  }
}

/** A place in a tree or its size. */
export type Count = number | bigint;

/** Root of the empty tree: SHA-256 of nothing. */
export const EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Hash of a leaf: SHA-256(0x00 ‖ data). */
export function leafHash(data: Uint8Array): string {
  return sha256hex(Uint8Array.of(0), data);
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: string, right: string): string {
  return sha256hex(Uint8Array.of(1), hashBytes(left), hashBytes(right));
}

/** The number of hashes in the path of leaf `index` in a tree of `size` leaves. */
export function inclusionProofLength(index: Count, size: Count): number {
  const [place, last] = [BigInt(index), BigInt(size) - 1n];
  const inner = place === last ? 0 : (place ^ last).toString(2).length;
  const border = [...(place >> BigInt(inner)).toString(2)].filter((bit) => bit === "1").length;
  return inner + border;
}

/** Checks that `leaf` is at `index` of the tree with `size` leaves and this root (RFC 9162 §2.1.3.2). */
export function verifyInclusion(
  leaf: string,
  index: Count,
  size: Count,
  path: readonly string[],
  expected: string,
): void {
  if (BigInt(index) < 0n || BigInt(index) >= BigInt(size)) throw new MerkleError("out-of-range");
  if (path.length !== inclusionProofLength(index, size)) throw new MerkleError("length");
  let [place, last, hash] = [BigInt(index), BigInt(size) - 1n, leaf];
  for (const sibling of path) {
    if ((place & 1n) === 1n || place === last) {
      hash = nodeHash(sibling, hash);
      while ((place & 1n) === 0n && place !== 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    place >>= 1n;
    last >>= 1n;
  }
  if (hash !== expected) throw new MerkleError("root");
}

/** Checks that the tree (`from`, `fromRoot`) is a prefix of the tree (`to`, `toRoot`) (RFC 9162 §2.1.4.2). */
export function verifyConsistency(
  from: Count,
  fromRoot: string,
  to: Count,
  toRoot: string,
  path: readonly string[],
): void {
  const [first, second] = [BigInt(from), BigInt(to)];
  if (first < 0n || first > second) throw new MerkleError("out-of-range");
  if (first === second || first === 0n) {
    if (path.length !== 0) throw new MerkleError("length");
    const same =
      first === 0n ? fromRoot === EMPTY_ROOT && (second > 0n || toRoot === fromRoot) : fromRoot === toRoot;
    if (!same) throw new MerkleError("root");
    return;
  }
  let [place, last] = [first - 1n, second - 1n];
  while ((place & 1n) === 1n) {
    place >>= 1n;
    last >>= 1n;
  }
  // A power of two is a full node, which is the older root itself.
  const whole = (first & (first - 1n)) === 0n;
  const start = whole ? fromRoot : path[0];
  if (start === undefined) throw new MerkleError("length");
  let [older, newer] = [start, start];
  for (const sibling of whole ? path : path.slice(1)) {
    if (last === 0n) throw new MerkleError("length");
    if ((place & 1n) === 1n || place === last) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
      while ((place & 1n) === 0n && place !== 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else {
      newer = nodeHash(newer, sibling);
    }
    place >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new MerkleError("length");
  if (older !== fromRoot || newer !== toRoot) throw new MerkleError("root");
}
