/** Step 2: not altered since the issuer signed it; and of a PDF, that the page is the issuer's, too. */

import { utf8 } from "../base/bytes.js";
import type { Json } from "../base/json.js";
import { isArray, isObject } from "../base/json.js";
import { KeyError } from "../base/keys.js";
import type { PublicKey } from "../base/keys.js";
import type { Credential } from "../credentials/credential.js";
import { asU64 } from "../credentials/json.js";
import type { Print, PrintDigest } from "../files/print.js";
import { DidError, didOf, fragmentOf, keyOfKeyId } from "../records/did.js";
import { found } from "./report.js";
import type { Found } from "./report.js";
import type { ReasonCode } from "./reason.js";
import type { View } from "./view.js";

/** What the step found. */
export interface Signed {
  /** Reason and evidence. */
  readonly found: Found;
  /** Whether the issuer's key has verifiably signed the credential. */
  readonly verified: boolean;
}

/** Checks the signature with the issuer's key on the ledger, and the page around the credential. */
export async function checkSignature(credential: Credential, print: Print, view: View | undefined): Promise<Signed> {
  const evidence = { alg: credential.jws.alg, kid: credential.kid };
  const not = (reason: ReasonCode): Signed => ({ found: found(reason, evidence), verified: false });
  const key = keyOf(credential, view);
  if (typeof key === "string") return not(key);
  const { alg, signingInput, signature } = credential.jws;
  try {
    await key.verify(alg, utf8(signingInput), signature);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return not(error.reason === "wrong-algorithm" ? "signature.algorithm" : "signature.invalid");
  }
  const reason = printed(credential, print);
  return { found: found(reason, evidence), verified: reason !== "signature.foreign-print" };
}

/** The key that the credential says to be signed with, or why there is none. */
function keyOf(credential: Credential, view: View | undefined): PublicKey | ReasonCode {
  if (didOf(credential.kid) !== credential.issuer) return "signature.key-unknown";
  if (view && view.documents.ok) {
    // Nobody of this name is registered: that is the next step's to say.
    if (view.documents.value.newest === undefined) return "signature.no-proof";
    return view.key(fragmentOf(credential.kid))?.ready ?? "signature.key-unknown";
  }
  // Somebody else's network, or no proof. A did:key has its key in its name: a lie is told even so.
  try {
    return keyOfKeyId(credential.kid);
  } catch (error) {
    if (error instanceof DidError) return "signature.no-proof";
    throw error;
  }
}

/** INV-PRINT-1: a page counts as the issuer's only when it is the one that the credential names. */
function printed(credential: Credential, print: Print): ReasonCode {
  if (print === undefined) return "signature.ok";
  const named = readPrint(credential.subject["print"]);
  if (named === undefined) return "signature.print-not-bound";
  const same = named.bytes === BigInt(print.digest.bytes) && named.sha256 === print.digest.sha256;
  return same && print.whole ? "signature.ok" : "signature.foreign-print";
}

/** The print that a credential names; a list of the two members in order counts as well, as it does on the Rust side. */
function readPrint(value: Json | undefined): { bytes: bigint; sha256: PrintDigest["sha256"] } | undefined {
  const parts = isArray(value) ? value : isObject(value) ? [value["bytes"], value["sha256"]] : [];
  const members = isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;
  const [bytes, sha256] = [asU64(parts[0]), parts[1]];
  return members === 2 && bytes !== undefined && typeof sha256 === "string" ? { bytes, sha256 } : undefined;
}
