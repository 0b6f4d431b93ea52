// ECDSA over P-256, P-384 and secp256k1: points, and signatures of fixed length r ‖ s in which a high s is legal.
//
// Browsers verify P-256 and P-384 themselves (WebCrypto), which has neither compressed points nor secp256k1. Where it is
// absent, as on pages without TLS, the library does all three.

import { ecdsa, weierstrass, type ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { sha256, sha384 } from "@noble/hashes/sha2.js";

import { concat, hex } from "./bytes.js";

/** A curve y² = x³ + ax + b over p; p ≡ 3 mod 4 for all of them. */
export interface Curve {
  /** Name, as in JWK. */
  readonly name: "P-256" | "P-384" | "secp256k1";
  /** Bytes of a coordinate and of half a signature. */
  readonly size: number;
  readonly p: bigint;
  readonly n: bigint;
  readonly h: bigint;
  readonly a: bigint;
  readonly b: bigint;
  readonly Gx: bigint;
  readonly Gy: bigint;
}

/** NIST P-256 (SEC 2: secp256r1). */
export const P256: Curve = {
  name: "P-256",
  size: 32,
  p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  h: 1n,
  a: 0xffffffff00000001000000000000000000000000fffffffffffffffffffffffcn,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  Gx: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  Gy: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
};

/** NIST P-384 (SEC 2: secp384r1). */
export const P384: Curve = {
  name: "P-384",
  size: 48,
  p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
  n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  h: 1n,
  a: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffcn,
  b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  Gx: 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
  Gy: 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
};

/** SEC 2: secp256k1. */
export const SECP256K1: Curve = {
  name: "secp256k1",
  size: 32,
  p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn,
  n: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  h: 1n,
  a: 0n,
  b: 7n,
  Gx: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  Gy: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
};

const CURVES: readonly Curve[] = [P256, P384, SECP256K1];

/** The curve of this JWK name. */
export function curveNamed(name: string): Curve | undefined {
  return CURVES.find((curve) => curve.name === name);
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`);
}

function fixed(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = size - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

function power(base: bigint, exponent: bigint, p: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % p) {
    if (rest & 1n) result = (result * square) % p;
  }
  return result;
}

/**
 * The point that SEC1 bytes name (tags 2, 3 and 4), not compressed; undefined when there is none on the curve.
 * The groups have prime order, so that a point of the curve is one of the group.
 */
export function decodeSec1({ p, a, b, size }: Curve, sec1: Uint8Array): Uint8Array | undefined {
  const tag = sec1[0];
  const compressed = tag === 2 || tag === 3;
  if (!(compressed ? sec1.length === size + 1 : tag === 4 && sec1.length === 2 * size + 1)) return undefined;
  const x = number(sec1.subarray(1, size + 1));
  if (x >= p) return undefined;
  const square = (((x * x + a) % p) * x + b) % p;
  if (!compressed) {
    const y = number(sec1.subarray(size + 1));
    return y < p && (y * y) % p === square ? sec1.slice() : undefined;
  }
  const root = power(square, (p + 1n) >> 2n, p);
  if ((root * root) % p !== square) return undefined;
  const y = Number(root & 1n) === (tag & 1) ? root : p - root;
  // y = 0 has one sign only; no point of these curves has it, since their orders are odd.
  return y < p ? concat(Uint8Array.of(4), sec1.subarray(1), fixed(y, size)) : undefined;
}

/** The compressed form of a point. */
export function compressSec1({ size }: Curve, point: Uint8Array): Uint8Array {
  const odd = (point[2 * size] ?? 0) & 1;
  return concat(Uint8Array.of(2 + odd), point.subarray(1, size + 1));
}

/** A key made ready by the browser, or why it is not: then the library verifies. */
export type Imported = Promise<CryptoKey | undefined>;

/** Makes a key ready for {@link verifyEcdsa}, which takes it instead of doing so each time. */
export async function importEcdsa(curve: Curve, point: Uint8Array): Imported {
  // An insecure context has `crypto` without `subtle`, whatever the types say.
  const subtle: SubtleCrypto | undefined = curve === SECP256K1 ? undefined : globalThis.crypto?.subtle;
  try {
    const algorithm = { name: "ECDSA", namedCurve: curve.name };
    return await subtle?.importKey("raw", owned(point), algorithm, false, ["verify"]);
  } catch {
    return undefined;
  }
}

/** Verifies r ‖ s over a message, hashed with SHA-384 for P-384 and SHA-256 otherwise. */
export async function verifyEcdsa(
  curve: Curve,
  point: Uint8Array,
  imported: Imported,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { size, n } = curve;
  if (signature.length !== 2 * size) return false;
  const [r, s] = [number(signature.subarray(0, size)), number(signature.subarray(size))];
  if (r === 0n || s === 0n || r >= n || s >= n) return false;
  const key = await imported;
  if (key !== undefined) {
    const algorithm = { name: "ECDSA", hash: curve === P384 ? "SHA-384" : "SHA-256" };
    try {
      return await globalThis.crypto.subtle.verify(algorithm, key, owned(signature), owned(message));
    } catch {
      // A browser that can import a key and not verify with it.
    }
  }
  return library(curve).verify(signature, message, point, { lowS: false });
}

/** A copy in memory of its own, which is all that WebCrypto is typed to take. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}

const libraries = new Map<Curve, ECDSA>();

function library(curve: Curve): ECDSA {
  let found = libraries.get(curve);
  if (found === undefined) {
    const { p, n, h, a, b, Gx, Gy } = curve;
    found = ecdsa(weierstrass({ p, n, h, a, b, Gx, Gy }), curve === P384 ? sha384 : sha256);
    libraries.set(curve, found);
  }
  return found;
}
