// Proofs that a state key has a value, or none, under a state root.
//
// The state tree is a sparse Merkle tree over 256-bit paths in which a subtree with one leaf *is* that leaf:
//
//   path(key) = SHA-256(key text), most significant bit first
//   leaf      = SHA-256("JMT::LeafNode" ‖ path(key) ‖ SHA-256(value))
//   inner     = SHA-256("JMT::IntrnalNode" ‖ left ‖ right)                  (the spelling is the algorithm's own)
//   empty     = the 32 bytes "SPARSE_MERKLE_PLACEHOLDER_HASH__"
//
// A proof holds the siblings on the way up, the deepest first, and what stands at the deepest place: a leaf or nothing.

import { equalBytes, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { VerifyError } from "../base/errors.js";
import { sha256 } from "../base/hash.js";
import { jsonObject, type Json, type JsonObject } from "../base/json.js";

/** Siblings of a proof: one for each bit of a key's hash. */
export const PROOF_SIBLINGS_MAX = 256;

/** Root of a tree without keys. */
export const EMPTY_ROOT: Uint8Array = utf8("SPARSE_MERKLE_PLACEHOLDER_HASH__");

const LEAF = utf8("JMT::LeafNode");
const INNER = utf8("JMT::IntrnalNode");

/** Why a state proof is refused. */
export type StateProofReason = "form" | "not-present" | "not-absent" | "root";

const MESSAGES: Readonly<Record<StateProofReason, string>> = {
  form: "not a state proof of a known form",
  "not-present": "the state proof does not show that the key has this value",
  "not-absent": "the state proof does not show that the key is absent",
  root: "the state proof leads to another root",
};

/** A state proof that does not hold. */
export class StateProofError extends VerifyError {
  /** Which of its rules is broken. */
  readonly reason: StateProofReason;

  constructor(reason: StateProofReason) {
    super(`state-proof.${reason}`, MESSAGES[reason]);
    this.reason = reason;
  }
}

/** A leaf of the state tree, its hashes in hexadecimal. */
export interface ProofLeaf {
  /** SHA-256 of its key. */
  readonly path: string;
  /** SHA-256 of its value. */
  readonly value: string;
}

/** A proof of presence or absence. */
export class StateProof {
  constructor(
    /** Format version: 1. */
    readonly v: number,
    /** What stands at the deepest place on the key's path; none when nothing does. */
    readonly leaf: ProofLeaf | undefined,
    /** The siblings on the way up, the deepest first, in hexadecimal. */
    readonly siblings: readonly string[],
  ) {}

  /** Takes a proof's JSON; throws a CodecError when it is of another shape. */
  static fromJson(json: Json): StateProof {
    const proof = codec.object(json, ["v", "siblings"], ["leaf"]);
    const leaf = codec.maybe(proof, "leaf", readLeaf);
    return new StateProof(codec.field(proof, "v", codec.u8), leaf, codec.field(proof, "siblings", codec.list(codec.hash)));
  }

  /** Its JSON. */
  toJson(): JsonObject {
    const leaf = this.leaf && jsonObject({ path: this.leaf.path, value: this.leaf.value });
    return jsonObject({ v: this.v, leaf, siblings: this.siblings });
  }

  /**
   * Checks that under `root` (hexadecimal) the key has this value, or, with null, that it is absent.
   * Throws {@link StateProofError} when it does not show that.
   */
  verify(root: string, key: string, value: Uint8Array | null): void {
    if (this.v !== 1 || this.siblings.length > PROOF_SIBLINGS_MAX) throw new StateProofError("form");
    const path = sha256(utf8(key));
    const leaf = this.leaf && { path: codec.hashBytes(this.leaf.path), value: codec.hashBytes(this.leaf.value) };
    if (value !== null) {
      if (!leaf || !equalBytes(leaf.path, path) || !equalBytes(leaf.value, sha256(value))) {
        throw new StateProofError("not-present");
      }
    } else if (leaf && !this.isNeighbour(leaf.path, path)) {
      throw new StateProofError("not-absent");
    }
    let hash = leaf ? leafHash(leaf.path, leaf.value) : EMPTY_ROOT;
    let depth = this.siblings.length;
    for (const text of this.siblings) {
      const sibling = codec.hashBytes(text);
      depth--;
      hash = bit(path, depth) ? innerHash(sibling, hash) : innerHash(hash, sibling);
    }
    if (!equalBytes(hash, codec.hashBytes(root))) throw new StateProofError("root");
  }

  /** Whether a path is another that leads to the same place: a leaf there stands where the key would. */
  private isNeighbour(other: Uint8Array, path: Uint8Array): boolean {
    if (equalBytes(other, path)) return false;
    return this.siblings.every((_, depth) => bit(other, depth) === bit(path, depth));
  }
}

/** Hash of a leaf. */
export function leafHash(path: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return sha256(LEAF, path, valueHash);
}

/** Hash of an inner node. */
export function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(INNER, left, right);
}

/** A bit of a path, the most significant first. */
function bit(path: Uint8Array, depth: number): boolean {
  return ((path[depth >> 3] ?? 0) & (0x80 >> (depth & 7))) !== 0;
}

function readLeaf(json: Json): ProofLeaf {
  const leaf = codec.object(json, ["path", "value"]);
  return { path: codec.field(leaf, "path", codec.hash), value: codec.field(leaf, "value", codec.hash) };
}
