// Credentials for tests of the readers, which look at no signature: any header and payload, under a signature that is none.

import { readFileSync } from "node:fs";

import { base64url, utf8 } from "../../../src/verify/dist/base/bytes.js";
import { sha256 } from "../../../src/verify/dist/base/hash.js";
import { parseCredential } from "../../../src/verify/dist/credentials/format.js";
import { Refusal } from "../../../src/verify/dist/credentials/refusal.js";

const vectors = new URL("../../../../tests/vectors/", import.meta.url);

/** A file of the golden vectors. */
export function vectorBytes(name) {
  return new Uint8Array(readFileSync(new URL(name, vectors)));
}

/** A JSON file of the golden vectors, as JavaScript reads it. */
export function vector(name) {
  return JSON.parse(readFileSync(new URL(name, vectors), "utf8"));
}

export const issuer = "did:ebsi:zZUptBCPeJW4AckamCgvThx";
export const schemaUrl = `https://ledger.example/trusted-schemas-registry/v3/schemas/0x${"09".repeat(32)}`;
const schema = { id: schemaUrl, type: "JsonSchema" };
const kid = `${issuer}#key`;

/** base64url of a text, or of a value as JSON. */
export function encoded(value) {
  return base64url(utf8(typeof value === "string" ? value : JSON.stringify(value)));
}

/** A compact JWS of header and payload, each a text or a value. */
export function jws(header, payload, signature = "AAAA") {
  return `${encoded(header)}.${encoded(payload)}.${signature}`;
}

/** A disclosure of salt, name and value, or of other parts. */
export function disclosure(...parts) {
  return encoded(parts);
}

/** The digest that stands for a disclosure. */
export function digestOf(given) {
  return base64url(sha256(utf8(given)));
}

const from = "2026-01-15T10:00:00Z";
const about = { familyName: "Curie", eqfLevel: 7 };

/** A good header and payload of a format, for changing. */
export function parts(format) {
  switch (format) {
    case "sd-jwt":
      return {
        header: { alg: "ES256", kid, typ: "dc+sd-jwt" },
        payload: {
          vct: "urn:testamur:credential:1",
          iss: issuer,
          jti: "urn:uuid:1",
          iat: 1_768_471_200,
          nbf: 1_768_471_200,
          types: ["UniversityDegree", "EqfLevel7"],
          credentialSchema: schema,
          status: { status_list: { idx: 9, uri: "https://ledger.example/list" } },
          eqfLevel: 7,
        },
      };
    case "vcdm2":
      return {
        header: { alg: "ES256", kid, typ: "vc+jwt" },
        payload: {
          "@context": ["https://www.w3.org/ns/credentials/v2"],
          id: "urn:uuid:1",
          type: ["VerifiableCredential", "UniversityDegree", "EqfLevel7"],
          issuer,
          validFrom: from,
          validUntil: "2031-01-15T10:00:00Z",
          credentialSubject: { ...about },
          credentialSchema: schema,
        },
      };
    case "ebsi":
      return {
        header: { alg: "ES256", kid, typ: "JWT" },
        payload: {
          iss: issuer,
          jti: "urn:uuid:1",
          sub: "did:key:zholder",
          nbf: 1_768_471_200,
          iat: 1_768_471_200,
          exp: 1_926_237_600,
          vc: {
            "@context": ["https://www.w3.org/2018/credentials/v1"],
            id: "urn:uuid:1",
            type: ["VerifiableCredential", "VerifiableAttestation", "UniversityDegree", "EqfLevel7"],
            issuer,
            issuanceDate: from,
            issued: from,
            validFrom: from,
            expirationDate: "2031-01-15T10:00:00Z",
            credentialSubject: { id: "did:key:zholder", holderBinding: "none", ...about },
            credentialSchema: { ...schema, type: "FullJsonSchemaValidator2021" },
          },
        },
      };
    case "compact":
      return {
        header: { alg: "ES256", kid, typ: "dc+sd-jwt" },
        payload: {
          vct: "urn:testamur:compact:1",
          nbf: 1_768_471_200,
          sc: base64url(new Uint8Array(32).fill(9)),
          ty: ["UniversityDegree"],
          eq: 7,
          st: ["diplomas-1", 9],
          fn: "Curie",
          ju: "FRA",
          ti: { fr: "Licence", en: "Bachelor" },
        },
      };
    default:
      throw new Error(format);
  }
}

/** A good credential with something of its header or payload changed. */
export function changed(format, change = () => {}) {
  const { header, payload } = parts(format);
  change(payload, header);
  return jws(header, payload) + (format === "sd-jwt" || format === "compact" ? "~" : "");
}

/** The code of the reason why a text is refused, or `read`. What is thrown beside refusals ends the test. */
export function reasonOf(text) {
  return refusalOf(() => parseCredential(text))?.reason ?? "read";
}

/** The refusal that something ends in, or none. */
export function refusalOf(run) {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Pseudo-random numbers below 2^32, the same for every run (xorshift32). */
export function random(seed) {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
