/** What all formats of a credential have in common: the one view that verification and everybody else works on. */

import { utf8 } from "../base/bytes.js";
import { sha256 } from "../base/hash.js";
import type { JsonObject } from "../base/json.js";
import type { Jwk } from "../base/keys.js";
import type { Did, DidUrl } from "../records/did.js";
import type { Scope } from "../state/accreditation.js";
import type { StatusPurpose } from "../state/status.js";
import type { TokenFormat } from "../state/tokens.js";
import { asText } from "./json.js";
import type { Jws } from "./jws.js";

/**
 * A format of credentials: SD-JWT VC (RFC 9901 for SD-JWT), W3C VCDM 2.0 as `vc+jwt`, EBSI's VCDM 1.1 as JWT, and the compact
 * credential of a QR code: an SD-JWT VC without disclosures, with the few members that fit.
 */
export type Format = "sd-jwt" | "vcdm2" | "ebsi" | "compact";

/** The list of a status entry, and where in it. */
export interface StatusPointer {
  /** The list's format. */
  readonly format: TokenFormat;
  /** Where the list is found. On this ledger: `public_base` and the format's path, or the path alone. */
  readonly url: string;
  /** The entry: any integer of 64 bits. */
  readonly index: bigint;
  /** What a set bit means; a Token Status List says it itself. */
  readonly purpose?: StatusPurpose;
}

/**
 * Who holds the credential, cryptographically: nobody's key (whoever shows it must be compared with name and birth date), a DID,
 * or a key that is known to lie on its curve.
 */
export type Holder =
  | { readonly kind: "unbound" }
  | { readonly kind: "did"; readonly did: Did }
  | { readonly kind: "key"; readonly jwk: Jwk };

/** A credential, read. Nothing of it is verified yet. */
export interface Credential {
  /** Its format. */
  readonly format: Format;
  /** Its own id, if it has one. */
  readonly id?: string;
  /** Who says to have issued it. */
  readonly issuer: Did;
  /** The key it says to be signed with: the issuer's. */
  readonly kid: DidUrl;
  /** Its types, without those that every credential has; none twice, in the order of their UTF-8 bytes. */
  readonly types: readonly string[];
  /** The schemas it says to follow, by their ids on the ledger (hexadecimal). */
  readonly schemas: readonly string[];
  /** The subject's id as it stands there; also when it is nobody's. */
  readonly subjectId?: string;
  /** What it attests, as far as it is disclosed: members of the subject without `id`. */
  readonly subject: JsonObject;
  /** Fields that the holder has kept to himself. */
  readonly undisclosed: number;
  /** Who holds it. */
  readonly holder: Holder;
  /** Not before this. */
  readonly validFrom?: number;
  /** Not from this on. */
  readonly validUntil?: number;
  /** Its entries in status lists. */
  readonly status: readonly StatusPointer[];
  /** The issuer's signature, and what it covers. */
  readonly jws: Jws;
}

/**
 * SHA-256 of the signing input: what the issuer's commitment on the ledger is to, and how a credential is named. Not of the whole
 * text, since anybody can turn an ECDSA signature into another valid one, and a holder leaves disclosures out.
 */
export function credentialDigest(credential: Credential): Uint8Array {
  return sha256(utf8(credential.jws.signingInput));
}

/** What the issuer must be accredited for: for each schema the types (an EQF level is one of them) and the jurisdiction. */
export function credentialScopes(credential: Credential): Scope[] {
  const jurisdiction = asText(credential.subject["jurisdiction"]);
  return credential.schemas.map((schema) => ({
    schema,
    types: new Set(credential.types),
    jurisdictions: new Set(jurisdiction === undefined ? [] : [jurisdiction]),
  }));
}
