// The JSON of an accreditation credential: what is read of a VC-JWT's header and payload, and nothing of what it means.

import { Cursor, nestsDeeper, ShapeError } from "./shape.js";

/** Nesting of a header or payload. */
const DEPTH_MAX = 16;

/** A protected header. */
export interface VcHeader {
  /** `alg`. */
  readonly alg: string;
  /** `kid`. */
  readonly kid: string;
  /** `typ`. */
  readonly typ: string | undefined;
  /** Whether `crit` or `b64` is there, and not null. */
  readonly extended: boolean;
}

/** Terms of use. */
export interface VcTerms {
  /** Its id. */
  readonly id: string;
  /** Its type. */
  readonly type: string;
}

/** An entry of `accreditedFor`. */
export interface VcScope {
  /** `schemaId`. */
  readonly schemaId: string;
  /** `types`. */
  readonly types: readonly string[];
  /** `limitJurisdiction`, one or many. */
  readonly limitJurisdiction: readonly string[];
}

/** The credential's subject. */
export interface VcSubject {
  /** `id`. */
  readonly id: string;
  /** `reservedAttributeId`. */
  readonly reservedAttributeId: string | undefined;
  /** `accreditedFor`. */
  readonly accreditedFor: readonly VcScope[];
  /** `cnf.jkt`. */
  readonly jkt: string | undefined;
}

/** The member `vc` of a payload. */
export interface VcCredential {
  /** `type`. */
  readonly types: readonly string[];
  /** `issuer`, or its `id`. */
  readonly issuer: string;
  /** `issuanceDate`. */
  readonly issuanceDate: string | undefined;
  /** `validFrom`. */
  readonly validFrom: string | undefined;
  /** `expirationDate`. */
  readonly expirationDate: string | undefined;
  /** `credentialSubject`. */
  readonly subject: VcSubject;
  /** `termsOfUse`, one or many. */
  readonly termsOfUse: readonly VcTerms[];
}

/** A payload. */
export interface VcClaims {
  /** `iss`. */
  readonly iss: string;
  /** `sub`. */
  readonly sub: string | undefined;
  /** `nbf`. */
  readonly nbf: bigint | undefined;
  /** `exp`. */
  readonly exp: bigint | undefined;
  /** `vc`. */
  readonly vc: VcCredential;
}

/** Why text is not an accreditation credential: one sentence, for a person. */
export class MalformedAccreditation extends Error {}

/** What was read of an object so far. */
type Partly<T> = { -readonly [name in keyof T]?: T[name] | undefined };

/** Reads a protected header; throws {@link MalformedAccreditation}. */
export function readVcHeader(bytes: Uint8Array): VcHeader {
  return document(bytes, (cursor) => {
    const header: Partly<VcHeader> = {};
    const extension = (): void => {
      const isThere = cursor.optional(() => {
        cursor.skip();
        return true;
      });
      if (isThere) header.extended = true;
    };
    cursor.struct({
      alg: () => (header.alg = cursor.text()),
      kid: () => (header.kid = cursor.text()),
      typ: () => (header.typ = optionalText(cursor)),
      crit: extension,
      b64: extension,
    });
    const { typ, extended } = header;
    return { alg: required("alg", header.alg), kid: required("kid", header.kid), typ, extended: extended ?? false };
  });
}

/** Reads a payload; throws {@link MalformedAccreditation}. */
export function readVcClaims(bytes: Uint8Array): VcClaims {
  return document(bytes, (cursor) => {
    const claims: Partly<VcClaims> = {};
    cursor.struct({
      iss: () => (claims.iss = cursor.text()),
      sub: () => (claims.sub = optionalText(cursor)),
      nbf: () => (claims.nbf = cursor.optional(() => cursor.u64())),
      exp: () => (claims.exp = cursor.optional(() => cursor.u64())),
      vc: () => (claims.vc = readCredential(cursor)),
    });
    const { sub, nbf, exp } = claims;
    return { iss: required("iss", claims.iss), sub, nbf, exp, vc: required("vc", claims.vc) };
  });
}

function readCredential(cursor: Cursor): VcCredential {
  const vc: Partly<VcCredential> = {};
  const text = (): string => cursor.text();
  cursor.struct({
    type: () => (vc.types = cursor.list(text)),
    issuer: () => (vc.issuer = cursor.either(text, () => idOf(cursor))),
    issuanceDate: () => (vc.issuanceDate = optionalText(cursor)),
    validFrom: () => (vc.validFrom = optionalText(cursor)),
    expirationDate: () => (vc.expirationDate = optionalText(cursor)),
    credentialSubject: () => (vc.subject = readSubject(cursor)),
    termsOfUse: () => (vc.termsOfUse = oneOrMany(cursor, () => readTerms(cursor))),
  });
  const { issuanceDate, validFrom, expirationDate, termsOfUse } = vc;
  return {
    types: required("type", vc.types),
    issuer: required("issuer", vc.issuer),
    issuanceDate,
    validFrom,
    expirationDate,
    subject: required("credentialSubject", vc.subject),
    termsOfUse: termsOfUse ?? [],
  };
}

/** The id of an object that has one. */
function idOf(cursor: Cursor): string {
  const object: Partly<{ id: string }> = {};
  cursor.onlyObject({ id: () => (object.id = cursor.text()) });
  return required("id", object.id);
}

function readSubject(cursor: Cursor): VcSubject {
  const subject: Partly<VcSubject> = {};
  cursor.struct({
    id: () => (subject.id = cursor.text()),
    reservedAttributeId: () => (subject.reservedAttributeId = optionalText(cursor)),
    accreditedFor: () => (subject.accreditedFor = cursor.list(() => readScope(cursor))),
    cnf: () => (subject.jkt = cursor.optional(() => readConfirmation(cursor))),
  });
  const { reservedAttributeId, accreditedFor, jkt } = subject;
  return { id: required("id", subject.id), reservedAttributeId, accreditedFor: accreditedFor ?? [], jkt };
}

function readConfirmation(cursor: Cursor): string {
  const confirmation: Partly<{ jkt: string }> = {};
  cursor.struct({ jkt: () => (confirmation.jkt = cursor.text()) });
  return required("jkt", confirmation.jkt);
}

function readScope(cursor: Cursor): VcScope {
  const scope: Partly<VcScope> = {};
  const text = (): string => cursor.text();
  cursor.struct({
    schemaId: () => (scope.schemaId = cursor.text()),
    types: () => (scope.types = cursor.list(text)),
    limitJurisdiction: () => (scope.limitJurisdiction = oneOrMany(cursor, text)),
  });
  return {
    schemaId: required("schemaId", scope.schemaId),
    types: required("types", scope.types),
    limitJurisdiction: scope.limitJurisdiction ?? [],
  };
}

function readTerms(cursor: Cursor): VcTerms {
  const terms: Partly<VcTerms> = {};
  cursor.struct({ id: () => (terms.id = cursor.text()), type: () => (terms.type = cursor.text()) });
  return { id: required("id", terms.id), type: required("type", terms.type) };
}

function oneOrMany<T>(cursor: Cursor, read: () => T): T[] {
  return cursor.either(
    () => [read()],
    () => cursor.list(read),
  );
}

function optionalText(cursor: Cursor): string | undefined {
  return cursor.optional(() => cursor.text());
}

function required<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw new ShapeError(`missing field ${name}`);
  return value;
}

function document<T>(bytes: Uint8Array, read: (cursor: Cursor) => T): T {
  if (nestsDeeper(bytes, DEPTH_MAX)) throw new MalformedAccreditation("JSON nested deeper than allowed");
  // Inside, an object may be given as the list of its members; no library of JOSE writes the whole so.
  if (!startsWithBrace(bytes)) throw new MalformedAccreditation("expected a JSON object");
  try {
    return Cursor.document(bytes, read);
  } catch (error) {
    if (error instanceof ShapeError) throw new MalformedAccreditation(`not the expected JSON: ${error.message}`);
    throw error;
  }
}

function startsWithBrace(bytes: Uint8Array): boolean {
  const space = [0x20, 0x09, 0x0a, 0x0c, 0x0d];
  return bytes.find((byte) => !space.includes(byte)) === 0x7b;
}
