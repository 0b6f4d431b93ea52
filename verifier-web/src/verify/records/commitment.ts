// What stands for a document on the ledger: a digest, or a salted commitment to one; and batch trees over them.
//
//   commitment = SHA-256("testamur/commit/v1\0" ‖ alg ‖ salt ‖ digest)                  alg 1 byte, salt 32 bytes
//   leaf data  = "testamur/leaf/v1\0" ‖ form ‖ alg ‖ (commitment or digest)             form 1 byte: 0 digest, 1 commitment
//   batch root = RFC 6962 over the leaf data in the order given

import { sha256 as sha2_256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { sha3_256, sha3_384, sha3_512 } from "@noble/hashes/sha3.js";

import { concat, equalBytes, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError } from "../base/errors.js";
import { sha256 } from "../base/hash.js";
import type { Json } from "../base/json.js";
import { leafHash, MerkleError, verifyInclusion } from "./merkle.js";

/** Algorithm of a document's digest, by its multicodec name. */
export type DigestAlgorithm = "sha2-256" | "sha2-384" | "sha2-512" | "sha3-256" | "sha3-384" | "sha3-512";

/** All algorithms, in order of the numbers that stand for them in leaves and commitments: 1, 2, … */
export const DIGEST_ALGORITHMS: readonly DigestAlgorithm[] = [
  "sha2-256",
  "sha2-384",
  "sha2-512",
  "sha3-256",
  "sha3-384",
  "sha3-512",
];

/** A digest in the making: for documents that are read piece by piece. */
export interface Hasher {
  /** Takes the next piece. */
  update(bytes: Uint8Array): void;
  /** The digest of all pieces; nothing may follow. */
  digest(): DocumentDigest;
}

const FUNCTIONS = {
  "sha2-256": sha2_256,
  "sha2-384": sha384,
  "sha2-512": sha512,
  "sha3-256": sha3_256,
  "sha3-384": sha3_384,
  "sha3-512": sha3_512,
} as const;

/** Begins a digest. */
export function hasher(algorithm: DigestAlgorithm): Hasher {
  const state = FUNCTIONS[algorithm].create();
  return {
    update: (bytes) => void state.update(bytes),
    digest: () => ({ algorithm, bytes: state.digest() }),
  };
}

/** The digest of a document. */
export function digestDocument(algorithm: DigestAlgorithm, document: Uint8Array): DocumentDigest {
  return { algorithm, bytes: FUNCTIONS[algorithm](document) };
}

/** Bytes of an algorithm's digest. */
export function digestBytes(algorithm: DigestAlgorithm): number {
  return FUNCTIONS[algorithm].outputLen;
}

/** Reads an algorithm's name. */
export const readDigestAlgorithm: codec.Reader<DigestAlgorithm> = codec.word(...DIGEST_ALGORITHMS);

/** How an entry stands for its document: as it is, or salted. */
export type Form = "digest" | "commitment";

/** A document's digest, of its algorithm's length. */
export interface DocumentDigest {
  /** The algorithm. */
  readonly algorithm: DigestAlgorithm;
  /** The digest. */
  readonly bytes: Uint8Array;
}

/** Whether two are the same digest. */
export function equalDigests(a: DocumentDigest, b: DocumentDigest): boolean {
  return a.algorithm === b.algorithm && equalBytes(a.bytes, b.bytes);
}

/** The opening of one document of a record: goes into the receipt, never onto the ledger. */
export interface Opening {
  /** Zero-based place in the record's entries or in the batch: the author's claim. */
  readonly index: number;
  /** Algorithm of the digest. */
  readonly alg: DigestAlgorithm;
  /** The document's digest. */
  readonly digest: Uint8Array;
  /** Salt of the commitment; absent for a plain digest. */
  readonly salt?: Uint8Array;
  /** Path in the batch tree; absent for a `notarise` record. */
  readonly path?: readonly string[];
}

function readSalt(value: Json): Uint8Array {
  const salt = codec.data(value);
  if (salt.length !== 32) throw new CodecError("json", "a salt has 32 bytes");
  return salt;
}

/** Reads an opening. */
export function readOpening(value: Json): Opening {
  const opening = codec.object(value, ["index", "alg", "digest"], ["salt", "path"]);
  const salt = codec.maybe(opening, "salt", readSalt);
  const path = codec.maybe(opening, "path", codec.list(codec.hash));
  return {
    index: codec.field(opening, "index", codec.integer),
    alg: codec.field(opening, "alg", readDigestAlgorithm),
    digest: codec.field(opening, "digest", codec.data),
    ...(salt === undefined ? {} : { salt }),
    ...(path === undefined ? {} : { path }),
  };
}

/** One leaf of a batch: what stands for a document. */
export interface BatchLeaf {
  /** The document's digest. */
  readonly digest: DocumentDigest;
  /** The salt, for a commitment. */
  readonly salt?: Uint8Array;
}

/** The leaf an opening claims; undefined when the digest has not its algorithm's length. */
export function leafOf({ alg, digest, salt }: Opening): BatchLeaf | undefined {
  if (digest.length !== digestBytes(alg)) return undefined;
  const document = { algorithm: alg, bytes: digest };
  return salt === undefined ? { digest: document } : { digest: document, salt };
}

/** The form of a leaf. */
export function formOf(leaf: BatchLeaf): Form {
  return leaf.salt === undefined ? "digest" : "commitment";
}

function number(algorithm: DigestAlgorithm): Uint8Array {
  return Uint8Array.of(DIGEST_ALGORITHMS.indexOf(algorithm) + 1);
}

/** The value in a `notarise` entry: commitment or digest. */
export function entryOf({ digest, salt }: BatchLeaf): Uint8Array {
  if (salt === undefined) return digest.bytes;
  return sha256(utf8("testamur/commit/v1\0"), number(digest.algorithm), salt, digest.bytes);
}

/** The RFC 6962 hash of a batch tree's leaf. */
export function batchLeafHash(leaf: BatchLeaf): string {
  const form = Uint8Array.of(formOf(leaf) === "commitment" ? 1 : 0);
  return leafHash(concat(utf8("testamur/leaf/v1\0"), form, number(leaf.digest.algorithm), entryOf(leaf)));
}

/** Checks an opening against a batch's root and count; throws a {@link MerkleError}. */
export function verifyBatch(opening: Opening, root: string, count: number): void {
  const leaf = leafOf(opening);
  if (leaf === undefined || opening.path === undefined) throw new MerkleError("length");
  verifyInclusion(batchLeafHash(leaf), opening.index, count, opening.path, root);
}
