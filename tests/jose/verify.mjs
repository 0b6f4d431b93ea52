// Takes the records out of entry bundles as /log/tile/entries serves them, and verifies each with the stock library
// `jose`. Prints one JSON line: how many were verified, how many were skipped because the library lacks the algorithm.
//
//   node verify.mjs BUNDLE...
import { ECDH } from "node:crypto";
import { readFileSync } from "node:fs";
import { compactVerify, decodeProtectedHeader, importJWK } from "jose";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const CURVES = { e701: ["secp256k1", "secp256k1"], 8024: ["P-256", "prime256v1"], 8124: ["P-384", "secp384r1"] };
// Web Cryptography has no secp256k1, so `jose` has no ES256K.
const UNSUPPORTED = new Set(["ES256K"]);

/** Entries of a bundle: a 16-bit big-endian length before each. */
function* entries(bundle) {
  for (let at = 0; at < bundle.length; ) {
    const length = bundle.readUInt16BE(at);
    yield bundle.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
}

/** The public JWK in a did:key's key id. */
function jwkOf(kid) {
  let value = 0n;
  for (const letter of kid.split("#z")[1]) value = value * 58n + BigInt(BASE58.indexOf(letter));
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 ? `0${digits}` : digits, "hex");
  const codec = bytes.subarray(0, 2).toString("hex");
  if (codec === "ed01") return { kty: "OKP", crv: "Ed25519", x: bytes.subarray(2).toString("base64url") };
  if (codec === "d1d6") return JSON.parse(bytes.subarray(3).toString("utf8"));
  const [crv, openssl] = CURVES[codec];
  const point = ECDH.convertKey(bytes.subarray(2), openssl, undefined, undefined, "uncompressed");
  const half = (point.length - 1) / 2;
  const coordinate = (from) => point.subarray(from, from + half).toString("base64url");
  return { kty: "EC", crv, x: coordinate(1), y: coordinate(1 + half) };
}

let verified = 0;
let skipped = 0;
for (const path of process.argv.slice(2)) {
  for (const entry of entries(readFileSync(path))) {
    const record = entry.toString("ascii");
    const { alg, kid } = decodeProtectedHeader(record);
    if (UNSUPPORTED.has(alg)) {
      skipped += 1;
      continue;
    }
    const { payload } = await compactVerify(record, await importJWK(jwkOf(kid), alg));
    if (JSON.parse(Buffer.from(payload)).iss !== kid.split("#")[0]) throw new Error(`kid is not of iss: ${kid}`);
    verified += 1;
  }
}
console.log(JSON.stringify({ verified, skipped }));
