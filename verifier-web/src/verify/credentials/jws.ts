/**
 * The compact JWS (RFC 7515) that every format here is signed as.
 *
 * One reading of each: strict unpadded base64url, header and payload JSON objects without doubled members. An unknown header
 * parameter is ignored as RFC 7515 §4 asks; one that brings a key (`jwk`, `jku`, `x5c`, `x5u`) is never used, and `crit` and `b64`
 * are refused. The algorithm is that of the issuer's key on the ledger; the header only has to agree.
 */

import { fromBase64url, utf8 } from "../base/bytes.js";
import type { JsonObject } from "../base/json.js";
import { algorithmNamed, type JwsAlgorithm, KeyError, type PublicKey } from "../base/keys.js";
import { beginning, quoted, splitOnce, utf8Length } from "../base/text.js";
import { asText, readObject } from "./json.js";
import { CREDENTIAL_BYTES_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";

/** A compact JWS, taken apart. */
export interface Jws {
  /** Header and payload as they are signed: `base64url . base64url`. */
  readonly signingInput: string;
  /** The protected header. */
  readonly header: JsonObject;
  /** The header's `alg`. */
  readonly alg: JwsAlgorithm;
  /** The payload. */
  readonly payload: JsonObject;
  /** The signature. */
  readonly signature: Uint8Array;
}

/**
 * Reads one. What is no JWS at all is of an unknown format; what only fails to be a good one is malformed. The shape is looked at
 * before the algorithm, and the algorithm before anybody looks at what the payload says. Throws {@link Refusal}.
 */
export function parseJws(text: string): Jws {
  const bytes = utf8Length(text);
  if (bytes > CREDENTIAL_BYTES_MAX) throw Refusal.tooLarge(bytes, CREDENTIAL_BYTES_MAX);
  const parts = splitOnce(text, ".");
  // Whatever else is wrong: a JWS begins with an object in base64url.
  const begin = parts === undefined ? undefined : fromBase64url(parts[0]);
  if (parts === undefined || begin === undefined || begin[0] !== 0x7b) {
    throw Refusal.unknownFormat("not a compact JWS");
  }
  const [body, mark] = splitOnce(parts[1], ".") ?? [parts[1], ""];
  const header = readObject(begin);
  const payload = readObject(decode(body));
  const signature = decode(mark);
  const alg = algorithm(header);
  if (signature.length === 0) throw Refusal.signatureMissing();
  return { signingInput: text.slice(0, text.lastIndexOf(".")), header, alg, payload, signature };
}

/** The header's `typ`. */
export function jwsTyp(jws: Jws): string | undefined {
  return asText(jws.header["typ"]);
}

/** Checks the signature with a key of the caller's: never one of the JWS. Rejects with a {@link Refusal}. */
export async function verifyJws(jws: Jws, key: PublicKey): Promise<void> {
  try {
    await key.verify(jws.alg, utf8(jws.signingInput), jws.signature);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw error.reason === "wrong-algorithm" ? Refusal.algorithm(error.message) : Refusal.signatureInvalid();
  }
}

function decode(part: string): Uint8Array {
  const bytes = fromBase64url(part);
  if (bytes === undefined) throw Refusal.malformed("a part is not unpadded base64url");
  return bytes;
}

/** The one algorithm of a header. */
function algorithm(header: JsonObject): JwsAlgorithm {
  for (const unsupported of ["crit", "b64"]) {
    if (unsupported in header) throw Refusal.algorithm(`the header has "${unsupported}", which is not understood`);
  }
  const name = asText(header["alg"]) ?? "none";
  const known = algorithmNamed(name);
  if (known === undefined) {
    const shown = quoted(beginning(name, 16));
    throw Refusal.algorithm(`the algorithm ${shown} is not accepted: use ES256, ES384, ES256K or EdDSA`);
  }
  return known;
}
