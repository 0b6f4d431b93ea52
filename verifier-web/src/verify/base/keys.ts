// Public keys of authors and issuers, and the one rule for each kind of signature.

import { base64url, concat, fromBase64url } from "./bytes.js";
import * as codec from "./codec.js";
import { compressSec1, curveNamed, decodeSec1, importEcdsa, verifyEcdsa, type Curve, type Imported } from "./ecdsa.js";
import { isEd25519Key, verifyEd25519 } from "./ed25519.js";
import { VerifyError } from "./errors.js";
import type { Json, JsonObject } from "./json.js";
import { jsonObject } from "./json.js";

/** JWS algorithm (RFC 7518 §3.1, RFC 8037, RFC 8812, RFC 9864). */
export type JwsAlgorithm = "ES256" | "ES384" | "ES256K" | "EdDSA" | "Ed25519";

const ALGORITHMS: readonly JwsAlgorithm[] = ["ES256", "ES384", "ES256K", "EdDSA", "Ed25519"];

/** The algorithm of an `alg` value; `none` and everything unknown have none. */
export function algorithmNamed(name: string): JwsAlgorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm === name);
}

/** Why a key or signature was refused. */
export type KeyReason = "bad-public-key" | "wrong-algorithm" | "bad-signature";

/** A key or signature that was refused. */
export class KeyError extends VerifyError {
  /** Why. */
  readonly reason: KeyReason;

  constructor(reason: KeyReason) {
    super(`key.${reason}`, KEY_MESSAGES[reason]);
    this.reason = reason;
  }
}

const KEY_MESSAGES: { readonly [reason in KeyReason]: string } = {
  "bad-public-key": "not a valid public key of its curve in canonical form",
  "wrong-algorithm": "the signature algorithm does not belong to this kind of key",
  "bad-signature": "the signature does not verify",
};

/** A public JWK with its required members only (RFC 7517; RFC 7638 §3.2). */
export interface Jwk {
  /** Curve. */
  readonly crv: string;
  /** Key type: `EC` or `OKP`. */
  readonly kty: string;
  /** x coordinate, or the whole key for OKP. */
  readonly x: string;
  /** y coordinate; absent for OKP. */
  readonly y?: string;
}

/** Reads a JWK that has no other members. */
export function readJwk(value: Json): Jwk {
  const jwk = codec.object(value, ["crv", "kty", "x"], ["y"]);
  const y = codec.maybe(jwk, "y", codec.text);
  const [crv, kty, x] = [
    codec.field(jwk, "crv", codec.text),
    codec.field(jwk, "kty", codec.text),
    codec.field(jwk, "x", codec.text),
  ];
  return y === undefined ? { crv, kty, x } : { crv, kty, x, y };
}

/** A JWK as JSON. */
export function jwkJson(jwk: Jwk): JsonObject {
  return jsonObject({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
}

/** Whether two JWKs are the same. */
export function equalJwk(a: Jwk, b: Jwk): boolean {
  return a.crv === b.crv && a.kty === b.kty && a.x === b.x && a.y === b.y;
}

/** Kind of a key, by its curve's name in JWK. */
export type KeyKind = "Ed25519" | "P-256" | "P-384" | "secp256k1";

/** A public key, known to lie on its curve. */
export class PublicKey {
  /** Its kind. */
  readonly kind: KeyKind;
  /** Ed25519 as it is, elliptic curves SEC1 compressed. */
  readonly bytes: Uint8Array;
  private readonly ec: { readonly curve: Curve; readonly point: Uint8Array; imported?: Imported } | undefined;

  private constructor(kind: KeyKind, bytes: Uint8Array, ec?: { curve: Curve; point: Uint8Array }) {
    this.kind = kind;
    this.bytes = bytes;
    this.ec = ec;
  }

  /** An Ed25519 key; encodings that are not canonical and points of small order are refused. */
  static ed25519(bytes: Uint8Array): PublicKey {
    if (!isEd25519Key(bytes)) throw new KeyError("bad-public-key");
    return new PublicKey("Ed25519", bytes.slice());
  }

  /** A key of a curve from SEC1 bytes, compressed or not. */
  static ec(kind: Exclude<KeyKind, "Ed25519">, sec1: Uint8Array): PublicKey {
    const curve = curveNamed(kind);
    const point = curve === undefined ? undefined : decodeSec1(curve, sec1);
    if (curve === undefined || point === undefined) throw new KeyError("bad-public-key");
    return new PublicKey(kind, compressSec1(curve, point), { curve, point });
  }

  /** Reads a JWK; coordinates must have the curve's full length. */
  static fromJwk(jwk: Jwk): PublicKey {
    if (jwk.kty === "OKP" && jwk.crv === "Ed25519" && jwk.y === undefined) {
      return PublicKey.ed25519(coordinate(jwk.x, 32));
    }
    const curve = jwk.kty === "EC" ? curveNamed(jwk.crv) : undefined;
    if (curve === undefined || jwk.y === undefined) throw new KeyError("bad-public-key");
    const [x, y] = [coordinate(jwk.x, curve.size), coordinate(jwk.y, curve.size)];
    return PublicKey.ec(curve.name, concat(Uint8Array.of(4), x, y));
  }

  /** The key as a JWK. */
  toJwk(): Jwk {
    if (this.ec === undefined) return { crv: "Ed25519", kty: "OKP", x: base64url(this.bytes) };
    const { curve, point } = this.ec;
    const [x, y] = [point.subarray(1, curve.size + 1), point.subarray(curve.size + 1)];
    return { crv: curve.name, kty: "EC", x: base64url(x), y: base64url(y) };
  }

  /** The algorithm that new signatures of this key use. */
  get algorithm(): JwsAlgorithm {
    return ({ Ed25519: "EdDSA", "P-256": "ES256", "P-384": "ES384", secp256k1: "ES256K" } as const)[this.kind];
  }

  /** Whether two are the same key. */
  equals(other: PublicKey): boolean {
    return equalJwk(this.toJwk(), other.toJwk());
  }

  /** Verifies a JWS signature; `alg` is fixed by the key's type and curve. Rejects with a {@link KeyError}. */
  async verify(alg: JwsAlgorithm, message: Uint8Array, signature: Uint8Array): Promise<void> {
    const fits = alg === this.algorithm || (this.kind === "Ed25519" && alg === "Ed25519");
    if (!fits) throw new KeyError("wrong-algorithm");
    if (!(await this.verifies(message, signature))) throw new KeyError("bad-signature");
  }

  private async verifies(message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (this.ec === undefined) return verifyEd25519(this.bytes, message, signature);
    const { curve, point } = this.ec;
    this.ec.imported ??= importEcdsa(curve, point);
    return verifyEcdsa(curve, point, this.ec.imported, message, signature);
  }
}

function coordinate(text: string, size: number): Uint8Array {
  const bytes = fromBase64url(text);
  if (bytes === undefined || bytes.length !== size) throw new KeyError("bad-public-key");
  return bytes;
}
