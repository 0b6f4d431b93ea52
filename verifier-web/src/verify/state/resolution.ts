// The DID document as others read it (DID Core 1.0, EBSI DID registry v5).

import type { Jwk } from "../base/keys.js";
import type { Did } from "../records/did.js";
import { checkMethod, type DidEntry, type Relationship, RELATIONSHIPS, type VerificationMethod } from "./identity.js";

/** The contexts of every document. */
export const CONTEXTS: readonly string[] = [
  "https://www.w3.org/ns/did/v1",
  "https://w3id.org/security/suites/jws-2020/v1",
];

/** A verification method of a document. */
export interface DocumentMethod {
  /** The key id. */
  readonly id: string;
  /** Always this. */
  readonly type: "JsonWebKey2020";
  /** The DID. */
  readonly controller: Did;
  /** The public key. */
  readonly publicKeyJwk: Jwk;
}

/** A service of a document. */
export interface DocumentService {
  /** Its id. */
  readonly id: string;
  /** Its type. */
  readonly type: string;
  /** Its address. */
  readonly serviceEndpoint: string;
}

/** A DID document (W3C DID Core 1.0 §5); relationships without keys are left out. */
export type DidDocument = {
  /** JSON-LD contexts. */
  readonly "@context": readonly string[];
  /** The DID. */
  readonly id: Did;
  /** Who may change it. */
  readonly controller: readonly Did[];
  /** Its keys in use at the time. */
  readonly verificationMethod: readonly DocumentMethod[];
  /** Services. */
  readonly service?: readonly DocumentService[];
} & { readonly [relationship in Relationship]?: readonly string[] };

/**
 * The document that an entry makes at a time: keys without any valid relationship are left out, and a deactivated one
 * has no keys.
 */
export function didDocument(did: Did, entry: DidEntry, time: number): DidDocument {
  const idOf = (method: VerificationMethod): string => `${did}#${method.id}`;
  const valid = (method: VerificationMethod, relationship: Relationship): boolean =>
    !entry.deactivated && checkMethod(method, [relationship], time) === undefined;
  const inUse = entry.methods.filter((method) => RELATIONSHIPS.some((relationship) => valid(method, relationship)));
  const uses: { [relationship in Relationship]?: string[] } = {};
  for (const relationship of RELATIONSHIPS) {
    const ids = entry.methods.filter((method) => valid(method, relationship)).map(idOf);
    if (ids.length > 0) uses[relationship] = ids;
  }
  const service = entry.services.map(({ id, type, endpoint }) => ({ id: `${did}#${id}`, type, serviceEndpoint: endpoint }));
  return {
    "@context": CONTEXTS,
    id: did,
    controller: entry.controllers,
    verificationMethod: inUse.map((method) => ({
      id: idOf(method),
      type: "JsonWebKey2020",
      controller: did,
      publicKeyJwk: method.key,
    })),
    ...uses,
    ...(service.length > 0 ? { service } : {}),
  };
}
