/**
 * SD-JWT VC (`dc+sd-jwt`): the holder shows which fields he likes, and the rest stays hidden.
 *
 * ```text
 * header.payload.signature ~ disclosure ~ disclosure ~ … ~ [key-binding JWT]
 * disclosure = base64url([salt, name, value]);   payload._sd = their SHA-256, sorted
 * ```
 * The content's members are claims of the payload. A few stand in the open, since an accreditation is checked against them
 * (`jurisdiction`, `eqfLevel`) or a page (`print`); every other member is one disclosure. `types` and `credentialSchema` are
 * claims of the ledger's own: SD-JWT VC has one `vct`, which says only that a credential is of this kind.
 */

import { isObject, type Json, type JsonObject, member } from "../base/json.js";
import { type Jwk, KeyError, PublicKey } from "../base/keys.js";
import { splitOnce } from "../base/text.js";
import { type Did, isDid, isKeyDid, keyOfDid } from "../records/did.js";
import * as claims from "./claims.js";
import type { Credential, Holder, StatusPointer } from "./credential.js";
import { applyDisclosures } from "./disclosures.js";
import { asText, asU64, keysOf } from "./json.js";
import type { Jws } from "./jws.js";
import { Refusal } from "./refusal.js";

/** Reads one: the signed part, and what follows its first `~`. Throws {@link Refusal}. */
export function readSdJwt(jws: Jws, rest: string): Credential {
  const disclosed = applyDisclosures(jws.payload, splitDisclosures(rest).given);
  const all = disclosed.claims;
  const vct = claims.requiredText(all, "vct");
  const issuer = issuerOf(all, jws);
  const kid = claims.kid(jws.header, issuer);
  const types = "types" in all ? claims.types(claims.oneOrMany(all, "types")) : new Set([vct]);
  claims.complete(types.size > 0, issuer, "types");
  const [notBefore, issued] = [claims.seconds(all, "nbf"), claims.seconds(all, "iat")];
  const subjectId = claims.text(all, "sub");
  const id = claims.text(all, "jti");
  const schemas = claims.schemas(all, issuer);
  const holder = holderOf(subjectId, all["cnf"]);
  const status = statusOf(all);
  const validUntil = claims.seconds(all, "exp");
  return claims.credential({
    format: "sd-jwt",
    id,
    issuer,
    kid,
    types,
    schemas,
    subjectId,
    subject: claims.without(all, (name) => claims.RESERVED.has(name)),
    undisclosed: disclosed.undisclosed,
    holder,
    validFrom: notBefore ?? issued,
    validUntil,
    status,
    jws,
  });
}

function issuerOf(all: JsonObject, jws: Jws): Did {
  const issuer = claims.text(all, "iss");
  if (issuer !== undefined) return claims.issuer(issuer);
  // Whoever signs under a certificate need not name himself otherwise; no ledger knows him.
  if ("x5c" in jws.header) throw Refusal.foreignIssuer("the subject of x5c");
  throw Refusal.incomplete("iss");
}

/** What follows the signed part: the disclosures, and the key-binding JWT if there is one. */
export function splitDisclosures(rest: string): { given: string[]; keyBinding: string | undefined } {
  const given = rest.split("~");
  const last = given.pop();
  return { given, keyBinding: last === "" ? undefined : last };
}

/** The key-binding JWT of a presentation, not looked at. */
export function keyBinding(text: string): string | undefined {
  const parts = splitOnce(text, "~");
  return parts === undefined ? undefined : splitDisclosures(parts[1]).keyBinding;
}

function statusOf(all: JsonObject): StatusPointer[] {
  const status = all["status"];
  if (status === undefined) return [];
  if (!isObject(status)) throw Refusal.malformed("status is not an object");
  const other = keysOf(status).find((name) => name !== "status_list");
  if (other !== undefined) throw Refusal.statusUnknown(claims.shown(other));
  const entry = status["status_list"];
  if (entry === undefined) throw Refusal.incomplete("status_list");
  if (!isObject(entry)) throw Refusal.malformed("status is not an object");
  const written = entry["idx"];
  if (written === undefined) throw Refusal.incomplete("idx");
  const url = claims.requiredText(entry, "uri");
  const index = asU64(written);
  if (index === undefined) throw Refusal.malformed("idx is not a number");
  return [{ format: "token", url, index }];
}

/** The holder: a DID, or the key of `cnf`. Where both are there, the key is what a wallet proves; a did:key names the same key. */
function holderOf(sub: string | undefined, cnf: Json | undefined): Holder {
  const subject = didOf(sub);
  const confirmed = member(cnf, "jwk");
  if (confirmed === undefined) {
    const did = subject ?? didOf(asText(member(cnf, "kid")));
    return did === undefined ? { kind: "unbound" } : { kind: "did", did };
  }
  const { jwk, key } = keyOf(confirmed);
  if (subject === undefined || !isKeyDid(subject)) return { kind: "key", jwk };
  if (namedKey(subject)?.equals(key) !== true) throw Refusal.malformed("sub and cnf name two keys");
  return { kind: "did", did: subject };
}

/** The DID of a text, or of a URL that begins with it. */
function didOf(text: string | undefined): Did | undefined {
  const did = text?.split("#")[0];
  return did !== undefined && isDid(did) ? did : undefined;
}

/** A wallet's key. It may say more of itself (`kid`, `use`); what names it is these members. */
function keyOf(written: Json): { jwk: Jwk; key: PublicKey } {
  const [crv, kty, x, y] = ["crv", "kty", "x", "y"].map((name) => asText(member(written, name)));
  if (crv !== undefined && kty !== undefined && x !== undefined) {
    const jwk = y === undefined ? { crv, kty, x } : { crv, kty, x, y };
    try {
      return { jwk, key: PublicKey.fromJwk(jwk) };
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
    }
  }
  throw Refusal.malformed("cnf.jwk is no key of a known kind");
}

function namedKey(did: Did): PublicKey | undefined {
  try {
    return keyOfDid(did);
  } catch {
    return undefined;
  }
}
