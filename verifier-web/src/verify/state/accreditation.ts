// Accreditation credentials: EBSI's four kinds, as VC-JWT (W3C VCDM 1.1, EBSI accreditation schema 2024-01).
//
// A credential is a compact JWS whose payload may hold more than is read here. Nothing here says that the credential is
// in force: that needs its issuer's document and its parent (chain.ts).

import { compareUtf8, equalBytes, fromBase58, fromBase64url, hex, utf8 } from "../base/bytes.js";
import { isHash } from "../base/codec.js";
import { algorithmNamed, type JwsAlgorithm, KeyError, type PublicKey } from "../base/keys.js";
import { utf8Length } from "../base/text.js";
import { parseRfc3339 } from "../base/time.js";
import { type Did, didOf, type DidUrl, isDid, isDidUrl } from "../records/did.js";
import type { IssuerType } from "./issuers.js";
import { MalformedAccreditation, readVcClaims, readVcHeader, type VcScope } from "./vcjwt.js";

export { MalformedAccreditation } from "./vcjwt.js";

/** Characters of a credential inside a record. */
export const CREDENTIAL_CHARS_MAX = 32_768;
/** Scopes (`accreditedFor`) of an accreditation. */
export const SCOPES_MAX = 64;
/** Credential types of one scope. */
export const SCOPE_TYPES_MAX = 32;
/** Jurisdictions of one scope. */
export const JURISDICTIONS_MAX = 64;
/** Bytes of a credential type, a schema id or a jurisdiction in an accreditation. */
export const SCOPE_TEXT_CHARS_MAX = 256;
/** Credentials remembered as read and verified: the upper links of every chain in use, about 5 KB each. */
const CREDENTIALS_REMEMBERED_MAX = 1_024;

/** What an accreditation credential is for, by EBSI's type names. */
export type CredentialKind =
  | "VerifiableAuthorisationToOnboard"
  | "VerifiableAuthorisationForTrustChain"
  | "VerifiableAccreditationToAccredit"
  | "VerifiableAccreditationToAttest";

const KINDS: readonly CredentialKind[] = [
  "VerifiableAuthorisationToOnboard",
  "VerifiableAuthorisationForTrustChain",
  "VerifiableAccreditationToAccredit",
  "VerifiableAccreditationToAttest",
];

const KIND_OF_ISSUER: Readonly<Record<IssuerType, CredentialKind>> = {
  "root-tao": "VerifiableAuthorisationForTrustChain",
  tao: "VerifiableAccreditationToAccredit",
  ti: "VerifiableAccreditationToAttest",
};

/** The kind that makes a subject an issuer of a type. */
export function kindOfIssuer(type: IssuerType): CredentialKind {
  return KIND_OF_ISSUER[type];
}

/** What an issuer may issue or accredit: credentials of some types, of one schema, in some jurisdictions. */
export interface Scope {
  /** The schema's id, in hexadecimal. */
  readonly schema: string;
  /** The types, without those that every credential has. */
  readonly types: ReadonlySet<string>;
  /** The jurisdictions (URIs of the EU's authority list of administrative units); empty for everywhere. */
  readonly jurisdictions: ReadonlySet<string>;
}

/** What lies outside an accreditation. */
export interface OutOfScope {
  /** The schema; a type, under that schema; or a jurisdiction, for that schema and types. */
  readonly what: "schema" | "type" | "jurisdiction";
  /** Which. */
  readonly name: string;
}

/** A sentence of what lies outside. */
export function outOfScopeText({ what, name }: OutOfScope): string {
  switch (what) {
    case "schema":
      return `schema ${name} is not among those accredited`;
    case "type":
      return `type ${name} is not accredited for this schema`;
    case "jurisdiction":
      return `jurisdiction ${name} is not accredited for this schema and these types`;
  }
}

function refuse(reason: string): MalformedAccreditation {
  return new MalformedAccreditation(reason);
}

interface Content {
  readonly kind: CredentialKind;
  readonly issuer: Did;
  readonly kid: DidUrl;
  readonly subject: Did;
  readonly attribute: string | undefined;
  readonly jkt: string | undefined;
  readonly scopes: readonly Scope[];
  readonly validFrom: number;
  readonly validUntil: number | undefined;
  readonly termsOfUse: string | undefined;
}

/** An accreditation credential, read. */
export class Accreditation implements Content {
  /** What it is for. */
  readonly kind: CredentialKind;
  /** Who issued it. */
  readonly issuer: Did;
  /** The key it is signed with. */
  readonly kid: DidUrl;
  /** Whom it is about. */
  readonly subject: Did;
  /** The place reserved for it; none for an authorisation to onboard. */
  readonly attribute: string | undefined;
  /** Thumbprint of the key that may register the subject; authorisations to onboard have one. */
  readonly jkt: string | undefined;
  /** What it allows. */
  readonly scopes: readonly Scope[];
  /** From this second on. */
  readonly validFrom: number;
  /** Before this second; none for no end. */
  readonly validUntil: number | undefined;
  /** Id of the accreditation that it rests on. */
  readonly termsOfUse: string | undefined;
  private readonly jws: Jws;
  /** The one key that it is known to verify with. */
  private verifiedWith: PublicKey | undefined;

  private constructor(content: Content, jws: Jws) {
    this.kind = content.kind;
    this.issuer = content.issuer;
    this.kid = content.kid;
    this.subject = content.subject;
    this.attribute = content.attribute;
    this.jkt = content.jkt;
    this.scopes = content.scopes;
    this.validFrom = content.validFrom;
    this.validUntil = content.validUntil;
    this.termsOfUse = content.termsOfUse;
    this.jws = jws;
  }

  /** Reads a VC-JWT; throws {@link MalformedAccreditation}. */
  static parse(jwt: string): Accreditation {
    if (jwt.length > CREDENTIAL_CHARS_MAX || /[^\x00-\x7f]/.test(jwt)) {
      throw refuse("a credential is ASCII of at most 32,768 characters");
    }
    const jws = splitJws(jwt);
    const claims = readVcClaims(jws.payload);
    const { vc } = claims;
    const { issuer, subject } = vc;
    const kinds = KINDS.filter((kind) => vc.types.includes(kind));
    const [kind] = kinds;
    if (kind === undefined || kinds.length !== 1) {
      throw refuse("type must hold exactly one of EBSI's authorisation and accreditation types");
    }
    if (claims.iss !== issuer || didOf(jws.kid) !== issuer) throw refuse("iss, issuer and the kid's DID differ");
    if (claims.sub !== undefined && claims.sub !== subject.id) throw refuse("sub and credentialSubject.id differ");
    const attribute = subject.reservedAttributeId === undefined ? undefined : attributeId(subject.reservedAttributeId);
    const validity = window(vc.validFrom ?? vc.issuanceDate, vc.expirationDate, claims.nbf, claims.exp);
    if (subject.accreditedFor.length > SCOPES_MAX) throw refuse("at most 64 entries in accreditedFor");
    for (const did of [issuer, subject.id]) if (!isDid(did)) throw refuse("issuer or subject is not a DID");
    const content = {
      kind,
      issuer,
      kid: jws.kid,
      subject: subject.id,
      attribute,
      jkt: subject.jkt,
      scopes: subject.accreditedFor.map(scopeOf),
      ...validity,
      termsOfUse: vc.termsOfUse.find((terms) => terms.type === "IssuanceCertificate")?.id,
    };
    return new Accreditation(content, jws);
  }

  /** Whether the key signed it. The key that did is remembered; another is verified anew, each time. */
  async verifySignature(key: PublicKey): Promise<boolean> {
    const known = this.verifiedWith;
    if (known && known.kind === key.kind && equalBytes(known.bytes, key.bytes)) return true;
    try {
      await key.verify(this.jws.alg, utf8(this.jws.signingInput), this.jws.signature);
    } catch (error) {
      if (error instanceof KeyError) return false;
      throw error;
    }
    this.verifiedWith ??= key;
    return true;
  }

  /** Whether its dates hold at a time. */
  isValidAt(time: number): boolean {
    return this.validFrom <= time && (this.validUntil === undefined || time < this.validUntil);
  }

  /** Whether it allows everything: a Root TAO's without scopes. */
  get isUnlimited(): boolean {
    return this.kind === "VerifiableAuthorisationForTrustChain" && this.scopes.length === 0;
  }

  /** What of a scope is not within this accreditation; undefined when all of it is. */
  covers(scope: Scope): OutOfScope | undefined {
    if (this.isUnlimited) return undefined;
    const ofSchema = this.scopes.filter((own) => own.schema === scope.schema);
    if (ofSchema.length === 0) return { what: "schema", name: scope.schema };
    const ofTypes = ofSchema.filter((own) => [...scope.types].every((type) => own.types.has(type)));
    if (ofTypes.length === 0) {
      const types = [...scope.types].sort(compareUtf8);
      const missing = types.find((type) => !ofSchema.some((own) => own.types.has(type)));
      return { what: "type", name: missing ?? types[0] ?? "" };
    }
    const jurisdictions = [...scope.jurisdictions].sort(compareUtf8);
    const within = (own: Scope): boolean =>
      own.jurisdictions.size === 0 ||
      (jurisdictions.length > 0 &&
        jurisdictions.every((inner) => [...own.jurisdictions].some((outer) => isPartOf(inner, outer))));
    if (ofTypes.some(within)) return undefined;
    return { what: "jurisdiction", name: jurisdictions[0] ?? "everywhere" };
  }
}

interface Jws {
  readonly kid: DidUrl;
  readonly alg: JwsAlgorithm;
  readonly payload: Uint8Array;
  readonly signingInput: string;
  readonly signature: Uint8Array;
}

/** The parts of a compact JWS, its header read. */
function splitJws(jwt: string): Jws {
  const end = jwt.lastIndexOf(".");
  const signingInput = jwt.slice(0, Math.max(0, end));
  const middle = signingInput.indexOf(".");
  if (end < 0 || middle < 0) throw refuse("not a compact JWS");
  const decode = (part: string): Uint8Array => {
    const bytes = fromBase64url(part);
    if (!bytes) throw refuse("not unpadded base64url");
    return bytes;
  };
  const [head, payload] = [decode(signingInput.slice(0, middle)), decode(signingInput.slice(middle + 1))];
  const signature = decode(jwt.slice(end + 1));
  const header = readVcHeader(head);
  if (header.extended) throw refuse("crit and b64 are not understood");
  if (header.typ !== undefined && header.typ !== "JWT") throw refuse("typ must be JWT");
  const alg = algorithmNamed(header.alg);
  if (!alg) throw refuse("use ES256, ES384, ES256K or EdDSA");
  if (!isDidUrl(header.kid)) throw refuse("kid is not a DID URL");
  return { kid: header.kid, alg, payload, signingInput, signature };
}

/** Whether a jurisdiction is the other, or a part of it in the EU's authority list: `…/atu/DEU_BY` lies in `…/atu/DEU`. */
function isPartOf(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}_`);
}

/** Types that every credential has, or that say nothing of what it attests. */
const GENERAL_TYPES: readonly string[] = ["VerifiableCredential", "VerifiableAttestation", "VerifiableAccreditation"];

/** The types of a credential that say what it attests. */
export function specificTypes(types: Iterable<string>): Set<string> {
  return new Set([...types].filter((type) => !GENERAL_TYPES.includes(type)));
}

function scopeOf(given: VcScope): Scope {
  const { types, limitJurisdiction } = given;
  if (types.length > SCOPE_TYPES_MAX || limitJurisdiction.length > JURISDICTIONS_MAX) {
    throw refuse("too many types or jurisdictions in accreditedFor");
  }
  if ([...types, ...limitJurisdiction].some((text) => text === "" || utf8Length(text) > SCOPE_TEXT_CHARS_MAX)) {
    throw refuse("a type or jurisdiction has 1 to 256 characters");
  }
  const schema = parseSchemaId(given.schemaId);
  if (schema === undefined) throw refuse("schemaId must end in a 32-byte id: z… (base58btc) or 0x…");
  return { schema, types: specificTypes(types), jurisdictions: new Set(limitJurisdiction) };
}

/** The id (in hexadecimal) at the end of a schema's URL or `ebsi:` URI, or by itself: `z` and base58btc, or hexadecimal. */
export function parseSchemaId(text: string): string | undefined {
  if (utf8Length(text) > SCOPE_TEXT_CHARS_MAX) return undefined;
  const id = text.slice(text.lastIndexOf("/") + 1);
  if (id.startsWith("z")) {
    const bytes = fromBase58(id.slice(1));
    return bytes?.length === 32 ? hex(bytes) : undefined;
  }
  const digits = without0x(id);
  return isHash(digits) ? digits : undefined;
}

function attributeId(text: string): string {
  const digits = without0x(text);
  if (!isHash(digits)) throw refuse("reservedAttributeId must be 64 lower-case hexadecimal digits");
  return digits;
}

function without0x(text: string): string {
  return text.startsWith("0x") ? text.slice(2) : text;
}

/** The narrowest window that the credential's dates and the JWT's claims agree on. */
function window(
  from: string | undefined,
  until: string | undefined,
  nbf: bigint | undefined,
  exp: bigint | undefined,
): { validFrom: number; validUntil: number | undefined } {
  const begins = [...(from === undefined ? [] : [BigInt(instant(from))])];
  const ends = [...(until === undefined ? [] : [BigInt(instant(until))])];
  if (nbf !== undefined) begins.push(nbf);
  if (exp !== undefined) ends.push(exp);
  if (begins.length === 0) throw refuse("validFrom or issuanceDate is missing");
  const begin = begins.reduce((a, b) => (a > b ? a : b));
  const end = ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b));
  if (end !== undefined && end <= begin) throw refuse("the credential ends before it begins");
  // Beyond 2^53 they are rounded, after having been compared: no block is of that time.
  return { validFrom: Number(begin), validUntil: end === undefined ? undefined : Number(end) };
}

/** An RFC 3339 time; what is below a second is cut off. Throws {@link MalformedAccreditation}. */
export function instant(text: string): number {
  const time = parseRfc3339(text);
  if (time === undefined) throw refuse("a date must be of the form 2026-01-31T12:00:00Z, not before 1970");
  return time;
}

// What was found out about credentials lately. A chain's upper links are the same for thousands of reads, and a read is
// repeated until all that it needs is proven. Two generations: when the newer is full, the older is forgotten.
let newer = new Map<string, Accreditation>();
let older = new Map<string, Accreditation>();

/** As {@link Accreditation.parse}, remembered by all of the credential's text. */
export function readAccreditation(jwt: string): Accreditation {
  const known = newer.get(jwt);
  if (known) return known;
  const found = older.get(jwt) ?? Accreditation.parse(jwt);
  if (newer.size >= CREDENTIALS_REMEMBERED_MAX / 2) [older, newer] = [newer, new Map()];
  newer.set(jwt, found);
  return found;
}
