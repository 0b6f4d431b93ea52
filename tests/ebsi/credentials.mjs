// Credentials as EBSI's libraries want them: W3C VCDM 1.1 in a JWT whose claims repeat the credential's members.
import { randomUUID } from "node:crypto";
import { signCompact } from "./jws.mjs";

/** Schemas that EBSI's libraries carry with them. */
export const SCHEMAS = {
  attestation: "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD",
  accreditation: "zG6xY9DG2CWyhsSc544hEezbQRmkQCfvgXGdCqt69v8TA",
  statusList: "z7DmpwC9doRxZrtQ9PBjz8qQgGWqojkGExELnrw1x8qdi",
};

export const schemaUrl = (base, id) => `${base}/trusted-schemas-registry/v3/schemas/${id}`;
export const attributeUrl = (base, did, id) => `${base}/trusted-issuers-registry/v5/issuers/${did}/attributes/${id}`;
const seconds = (date) => Math.floor(Date.parse(date) / 1000);
const list = (value) => (Array.isArray(value) ? value : [value]);

/**
 * A credential. `types` follow VerifiableCredential and VerifiableAttestation; `schemas` are URLs; `termsOfUse` is the
 * URL of the issuer's accreditation. validFrom is now by default: one second, no fraction.
 */
export function credential({
  issuer,
  subject,
  types,
  schemas,
  termsOfUse,
  credentialStatus,
  validFrom,
  expirationDate,
  id,
}) {
  const from = validFrom ?? new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return {
    "@context": ["https://www.w3.org/2018/credentials/v1"],
    id: id ?? `urn:uuid:${randomUUID()}`,
    type: ["VerifiableCredential", "VerifiableAttestation", ...types],
    issuer,
    issuanceDate: from,
    issued: from,
    validFrom: from,
    ...(expirationDate && { expirationDate }),
    credentialSubject: subject,
    credentialSchema: list(schemas).map((url) => ({ id: url, type: "FullJsonSchemaValidator2021" })),
    ...(termsOfUse && { termsOfUse: { id: termsOfUse, type: "IssuanceCertificate" } }),
    ...(credentialStatus && { credentialStatus }),
  };
}

/**
 * An accreditation. `kind` is Accredit (a TAO's) or Attest (a trusted issuer's); `attribute` is the place reserved for it;
 * `parent` is the URL of the accreditor's own. A schemaId must be a URI here and a jurisdiction too, or the schema of EBSI
 * refuses.
 */
export function accreditation({
  base,
  issuer,
  subject,
  kind,
  attribute,
  accreditedFor,
  parent,
  validFrom,
  expirationDate,
}) {
  return credential({
    issuer,
    types: ["VerifiableAccreditation", `VerifiableAccreditationTo${kind}`],
    subject: { id: subject, reservedAttributeId: attribute, accreditedFor },
    schemas: schemaUrl(base, SCHEMAS.accreditation),
    termsOfUse: parent,
    credentialStatus: { id: attributeUrl(base, subject, attribute), type: "EbsiAccreditationEntry" },
    validFrom,
    expirationDate,
  });
}

/** A Root TAO's accreditation of itself, for everything. */
export function rootAuthorisation({ base, issuer, attribute, validFrom, expirationDate }) {
  const url = attributeUrl(base, issuer, attribute);
  return credential({
    issuer,
    types: ["VerifiableAuthorisationForTrustChain"],
    subject: { id: issuer, reservedAttributeId: attribute, accreditedFor: [] },
    schemas: schemaUrl(base, SCHEMAS.attestation),
    termsOfUse: url,
    credentialStatus: { id: url, type: "EbsiAccreditationEntry" },
    validFrom,
    expirationDate,
  });
}

/** Lets the holder of one key, and nobody else, register a DID. */
export function authorisationToOnboard({ base, issuer, subject, jkt, parent, validFrom, expirationDate }) {
  return credential({
    issuer,
    types: ["VerifiableAuthorisationToOnboard"],
    subject: { id: subject, cnf: { jkt } },
    schemas: schemaUrl(base, SCHEMAS.attestation),
    termsOfUse: parent,
    validFrom,
    expirationDate,
  });
}

/** The JWT's claims for a credential. */
export function claims(vc) {
  return {
    jti: vc.id,
    sub: list(vc.credentialSubject)[0].id,
    iss: vc.issuer,
    iat: seconds(vc.issued),
    nbf: seconds(vc.validFrom),
    ...(vc.expirationDate && { exp: seconds(vc.expirationDate) }),
    vc,
  };
}

/** Signs a credential with a key of its issuer's assertionMethod. */
export function signCredential(vc, kid, privateJwk) {
  return signCompact({ kid, typ: "JWT" }, JSON.stringify(claims(vc)), privateJwk);
}
