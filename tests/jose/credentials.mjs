// Verifies credentials and status tokens with the stock library `jose`, each with the issuer's key. Reads lines of JSON
// {"name", "jws", "jwk"} and prints one: how many verified by `typ`, and how many the library has no algorithm for.
//
//   node credentials.mjs FILE
import { readFileSync } from "node:fs";
import { compactVerify, decodeProtectedHeader, importJWK } from "jose";

// Web Cryptography has no secp256k1, so `jose` has no ES256K.
const UNSUPPORTED = new Set(["ES256K"]);

const verified = {};
let skipped = 0;
for (const line of readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
  const { name, jws, jwk } = JSON.parse(line);
  const { alg, typ } = decodeProtectedHeader(jws);
  if (UNSUPPORTED.has(alg)) {
    skipped += 1;
    continue;
  }
  const key = await importJWK(jwk, alg);
  const { payload } = await compactVerify(jws, key).catch((error) => {
    throw new Error(`${name}: ${error.message}`);
  });
  if (JSON.parse(Buffer.from(payload)).constructor !== Object) throw new Error(`${name}: no object`);
  // One bit of the payload, and it is no longer the issuer's.
  const [header, body, signature] = jws.split(".");
  const other = `${header}.${body.slice(0, -1)}${body.endsWith("A") ? "Q" : "A"}.${signature}`;
  const refused = await compactVerify(other, key).then(() => false, () => true);
  if (!refused) throw new Error(`${name}: altered, and verified`);
  verified[typ] = (verified[typ] ?? 0) + 1;
}
console.log(JSON.stringify({ verified, skipped }));
