/**
 * W3C Verifiable Credentials as JWT: data model 2.0 secured as `vc+jwt` (VC-JOSE-COSE), whose payload is the credential itself, and
 * EBSI's data model 1.1, whose payload repeats the credential's members as claims.
 */

import { isObject, type JsonObject } from "../base/json.js";
import * as claims from "./claims.js";
import type { Credential } from "./credential.js";
import type { Jws } from "./jws.js";
import { Refusal } from "./refusal.js";

/** The first context of every credential of data model 2.0. */
const CONTEXT_2 = "https://www.w3.org/ns/credentials/v2";
/** The first context of every credential of data model 1.1. */
const CONTEXT_1 = "https://www.w3.org/2018/credentials/v1";

/**
 * Reads a credential of data model 2.0. Claims of a JWT beside the credential's own members are not needed; where they are, they
 * must say the same, and of two windows of time the narrower counts, since VC-JOSE-COSE gives `exp` to the signature and
 * `validUntil` to the content. Throws {@link Refusal}.
 */
export function readVcdm2(jws: Jws): Credential {
  const { payload } = jws;
  if ("vc" in payload || claims.oneOrMany(payload, "@context")[0] !== CONTEXT_2) {
    throw Refusal.malformed("not a credential of the W3C's data model 2.0");
  }
  const issuerText = requiredIssuer(payload);
  claims.agree(claims.text(payload, "iss"), issuerText, "iss and issuer");
  const issuer = claims.issuer(issuerText);
  const kid = claims.kid(jws.header, issuer);
  const { id, subject } = named(payload, payload);
  const [from, notBefore] = [claims.date(payload, "validFrom"), claims.seconds(payload, "nbf")];
  const [until, expires] = [claims.date(payload, "validUntil"), claims.seconds(payload, "exp")];
  const types = typesOf(payload);
  claims.complete(types.size > 0, issuer, "type");
  const schemas = claims.schemas(payload, issuer);
  const holder = claims.holder(subject.id, subject.attested);
  const status = claims.status(payload);
  return claims.credential({
    format: "vcdm2",
    id,
    issuer,
    kid,
    types,
    schemas,
    subjectId: subject.id,
    subject: subject.attested,
    undisclosed: 0,
    holder,
    validFrom: claims.latest(from, notBefore),
    validUntil: claims.earliest(until, expires),
    status,
    jws,
  });
}

/**
 * Reads EBSI's: the JWT's claims and the credential's members say the same where both are there: `iss` = `issuer`, `jti` = `id`,
 * `sub` = `credentialSubject.id`, `nbf` = `validFrom` = `issuanceDate`, `exp` = `expirationDate`, to the second. Throws
 * {@link Refusal}.
 */
export function readEbsi(jws: Jws): Credential {
  const { payload } = jws;
  const { vc } = payload;
  if (!isObject(vc)) throw Refusal.malformed("vc is not an object");
  if (claims.oneOrMany(vc, "@context")[0] !== CONTEXT_1) {
    throw Refusal.unknownFormat("vc is no credential of the W3C's data model 1.1");
  }
  const issuerText = requiredIssuer(vc);
  claims.agree(claims.text(payload, "iss"), issuerText, "iss and issuer");
  const issuer = claims.issuer(issuerText);
  claims.complete("iss" in payload, issuer, "iss");
  const kid = claims.kid(jws.header, issuer);
  const { id, subject } = named(payload, vc);

  const [validFrom, issued] = [claims.date(vc, "validFrom"), claims.date(vc, "issuanceDate")];
  claims.agree(validFrom, issued, "validFrom and issuanceDate");
  const [from, notBefore] = [validFrom ?? issued, claims.seconds(payload, "nbf")];
  claims.agree(from, notBefore, "nbf and validFrom");
  claims.agree(claims.date(vc, "issued"), claims.seconds(payload, "iat"), "iat and issued");
  const [until, expires] = [claims.date(vc, "expirationDate"), claims.seconds(payload, "exp")];
  claims.agree(until, expires, "exp and expirationDate");

  const types = typesOf(vc);
  claims.complete(types.size > 0, issuer, "type");
  claims.complete((from ?? notBefore) !== undefined, issuer, "validFrom");
  const schemas = claims.schemas(vc, issuer);
  const holder = claims.holder(subject.id, subject.attested);
  const status = claims.status(vc);
  return claims.credential({
    format: "ebsi",
    id,
    issuer,
    kid,
    types,
    schemas,
    subjectId: subject.id,
    subject: subject.attested,
    undisclosed: 0,
    holder,
    validFrom: from ?? notBefore,
    validUntil: until ?? expires,
    status,
    jws,
  });
}

/** The issuer: an id, or an object that has one. */
function requiredIssuer(credential: JsonObject): string {
  const { issuer } = credential;
  const id = isObject(issuer) ? claims.text(issuer, "id") : claims.text(credential, "issuer");
  if (id === undefined) throw Refusal.incomplete("issuer");
  return id;
}

/** The credential's id and its subject, which the JWT's claims must not contradict. */
function named(payload: JsonObject, credential: JsonObject): { id: string | undefined; subject: claims.Subject } {
  const id = claims.text(credential, "id");
  claims.agree(claims.text(payload, "jti"), id, "jti and id");
  const subject = claims.subject(credential);
  claims.agree(claims.text(payload, "sub"), subject.id, "sub and the subject's id");
  return { id, subject };
}

/** The types, of which one says that it is a credential. */
function typesOf(credential: JsonObject): Set<string> {
  const names = claims.oneOrMany(credential, "type");
  if (!names.includes("VerifiableCredential")) throw Refusal.incomplete("the type VerifiableCredential");
  return claims.types(names);
}
