/**
 * Step 8: whether it is bound to a wallet; and if its holder has signed what was shown, that this holds.
 *
 * A key-binding JWT says that the key's holder made this presentation once. Nobody here asked for it with a nonce, so it is no proof
 * that the same person shows it now, and a good one changes nothing.
 */

import { base64url, utf8 } from "../base/bytes.js";
import { sha256 } from "../base/hash.js";
import { KeyError, PublicKey, jwkJson } from "../base/keys.js";
import type { Credential } from "../credentials/credential.js";
import { asU64 } from "../credentials/json.js";
import { jwsTyp, parseJws, verifyJws } from "../credentials/jws.js";
import { CLOCK_SKEW_S } from "../credentials/limits.js";
import { Refusal } from "../credentials/refusal.js";
import { keyBinding } from "../credentials/sdjwt.js";
import { DidError, isKeyDid, keyOfDid } from "../records/did.js";
import { found } from "./report.js";
import type { Found } from "./report.js";

/** Judges the binding. `text`: the credential's, with the holder's proof if there is one. */
export async function checkHolder(credential: Credential, text: string | undefined, clock: number): Promise<Found> {
  const { holder } = credential;
  const proof = text === undefined ? undefined : keyBinding(text);
  if (holder.kind === "unbound") {
    if (proof !== undefined) return found("holder.proof", { detail: "it is bound to no key" });
    return found("holder.unbound", null);
  }
  const evidence = holder.kind === "did" ? { did: holder.did } : { jwk: jwkJson(holder.jwk) };
  // A DID of a ledger or of the web is not looked up: whether its key is one is not for this credential to say.
  if (holder.kind === "did" && !isKeyDid(holder.did)) {
    return found(proof === undefined ? "holder.bound" : "holder.proof", evidence);
  }
  const key = keyOr(() => (holder.kind === "did" ? keyOfDid(holder.did) : PublicKey.fromJwk(holder.jwk)));
  if (key === undefined) return found("holder.key", evidence);
  const good = proof === undefined || text === undefined || (await holds(key, text, proof, clock));
  return found(good ? "holder.bound" : "holder.proof", evidence);
}

function keyOr(read: () => PublicKey): PublicKey | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof KeyError || error instanceof DidError) return undefined;
    throw error;
  }
}

/** Whether a key-binding JWT (RFC 9901 §4.3) is by a key, of this presentation, and not of the future. */
async function holds(key: PublicKey, text: string, proof: string, clock: number): Promise<boolean> {
  const shown = text.slice(0, text.length - proof.length);
  try {
    const jws = parseJws(proof);
    const { sd_hash: hash, iat, nonce, aud } = jws.payload;
    const time = asU64(iat);
    const fits =
      jwsTyp(jws) === "kb+jwt" &&
      hash === base64url(sha256(utf8(shown))) &&
      time !== undefined &&
      time <= clock + CLOCK_SKEW_S &&
      typeof nonce === "string" &&
      typeof aud === "string";
    if (fits) await verifyJws(jws, key);
    return fits;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
