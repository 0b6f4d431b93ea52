// Ed25519 by one rule: canonical A and R, neither of small order, S < L, and the bytes of [S]B − [k]A equal R.
//
// WebCrypto and the usual libraries accept more (RFC 8032 leaves room for it), and a certificate must mean the same to
// every verifier. So only the curve's arithmetic is taken from a library; C2SP CCTV's vectors decide.

import { mulAddUnsafe } from "@noble/curves/abstract/curve.js";
import { edwards, type EdwardsPoint } from "@noble/curves/abstract/edwards.js";

import { equalBytes, hex } from "./bytes.js";
import { sha512 } from "./hash.js";

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

// RFC 8032 §5.1. Only the curve: the library's own Ed25519 brings X25519, hashing to the curve and more along.
const Point = edwards({
  p: 2n ** 255n - 19n,
  n: ORDER,
  h: 8n,
  a: 2n ** 255n - 20n,
  d: 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
});

/** Keys remembered: those of a network's validators stand in every receipt and every evidence. */
const REMEMBERED_MAX = 1024;
/**
 * A table for a key costs as much as three verifications, the one for the base point as much as seven, and they make the
 * later ones twice as fast: good for whoever checks many files, and for nobody who checks one.
 */
const USES_BEFORE_TABLE = 8;
const TABLE_WINDOW = 4;
/** A certificate has many keys: their tables are made one after the other, so that no receipt takes ten times as long. */
const USES_BETWEEN_TABLES = 4;

interface Known {
  /** −A. */
  readonly negated: EdwardsPoint;
  uses: number;
  hasTable: boolean;
  torsionFree: boolean | undefined;
}

// Remembering is invisible but for the time that an answer takes: it is a property of the bytes.
const remembered = new Map<string, Known | null>();

/** The point of a canonical encoding that is not of small order. */
function known(key: Uint8Array): Known | null {
  if (key.length !== 32) return null;
  const name = hex(key);
  const found = remembered.get(name);
  if (found !== undefined) return found;
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  const point = decodePoint(key);
  const made = point && { negated: point.negate(), uses: 0, hasTable: false, torsionFree: undefined };
  remembered.set(name, made ?? null);
  return made ?? null;
}

function decodePoint(bytes: Uint8Array): EdwardsPoint | undefined {
  try {
    // Strict: y below p, and no sign on x = 0.
    const point = Point.fromBytes(bytes, false);
    return point.isSmallOrder() ? undefined : point;
  } catch {
    return undefined;
  }
}

/** Whether 32 bytes are an Ed25519 key: canonical, on the curve, not of small order. */
export function isEd25519Key(key: Uint8Array): boolean {
  return known(key) !== null;
}

/** Whether an Ed25519 key lies in the prime-order subgroup, as validators' keys must. */
export function isTorsionFree(key: Uint8Array): boolean {
  const point = known(key);
  if (point === null) return false;
  point.torsionFree ??= point.negated.isTorsionFree();
  return point.torsionFree;
}

/** Verifies an Ed25519 signature by the rule of this module. */
export function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const point = known(key);
  if (point === null) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  const k = littleEndian(sha512(r, key, message)) % ORDER;
  const expected = combine(point, s, k);
  // Bytes that equal those of a point are canonical, so R need not be decoded; its order is that of the point.
  return equalBytes(expected.toBytes(), r) && !expected.isSmallOrder();
}

let usesSinceTable = 0;

/** [s]B − [k]A. */
function combine(point: Known, s: bigint, k: bigint): EdwardsPoint {
  point.uses++;
  usesSinceTable++;
  if (!point.hasTable && point.uses > USES_BEFORE_TABLE && usesSinceTable > USES_BETWEEN_TABLES) {
    // The table is made by the first multiplication that wants it.
    point.negated.precompute(TABLE_WINDOW);
    point.hasTable = true;
    usesSinceTable = 0;
  }
  if (point.hasTable) {
    return Point.BASE.multiplyUnsafe(s).add(point.negated.multiplyUnsafe(k));
  }
  return mulAddUnsafe(Point, [Point.BASE, point.negated], [s, k]);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`);
}
