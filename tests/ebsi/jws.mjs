// Keys, identifiers and signatures, with `jose` and Node alone.
import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { CompactSign, calculateJwkThumbprint, importJWK } from "jose";

const ALGORITHMS = { "P-256": "ES256", "P-384": "ES384", secp256k1: "ES256K", Ed25519: "EdDSA" };
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** The JWS algorithm of a key. EBSI's libraries know EdDSA by that name only, not by `Ed25519`, and not ES384 at all. */
export function algorithmOf(jwk) {
  const alg = ALGORITHMS[jwk.crv];
  if (!alg) throw new Error(`no algorithm for a key on ${jwk.crv}`);
  return alg;
}

/** A compact JWS over the text. `header` gets its `alg` from the key. */
export async function signCompact(header, text, privateJwk) {
  const alg = algorithmOf(privateJwk);
  if (alg !== "ES256K") {
    const signer = new CompactSign(new TextEncoder().encode(text)).setProtectedHeader({ alg, ...header });
    return signer.sign(await importJWK(privateJwk, alg));
  }
  // Web Cryptography has no secp256k1, so `jose` has no ES256K; OpenSSL has.
  const encode = (value) => Buffer.from(value).toString("base64url");
  const input = `${encode(JSON.stringify({ alg, ...header }))}.${encode(text)}`;
  const key = createPrivateKey({ key: privateJwk, format: "jwk" });
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** The public half of a private JWK, with the required members only: what a registry holds. */
export function publicJwk({ crv, kty, x, y }) {
  return y === undefined ? { crv, kty, x } : { crv, kty, x, y };
}

/** RFC 7638 thumbprint: the part of a key id after `#`. */
export const thumbprint = (jwk) => calculateJwkThumbprint(publicJwk(jwk));

/** A new private JWK for ES256, ES256K or EdDSA. */
export function newKey(alg = "ES256") {
  const curve = {
    ES256: ["ec", { namedCurve: "P-256" }],
    ES256K: ["ec", { namedCurve: "secp256k1" }],
    EdDSA: ["ed25519"],
  }[alg];
  if (!curve) throw new Error(`ES256, ES256K and EdDSA are known, not ${alg}`);
  return generateKeyPairSync(...curve).privateKey.export({ format: "jwk" });
}

/** A new did:ebsi of a legal entity: `z` and base58btc of 0x01 and 16 random bytes. */
export function newDid() {
  let number = BigInt(`0x01${randomBytes(16).toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = BASE58[Number(number % 58n)] + text;
  return `did:ebsi:z${text}`;
}

/** RFC 8785 JSON of strings, booleans, integers, arrays and objects; members that are undefined are left out. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).filter((name) => value[name] !== undefined);
  return `{${members
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(",")}}`;
}

/** SHA-256 in hexadecimal. */
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
