// DID documents on the ledger: what is stored, which key may do what when, and the document as of any time.
//
// A document is a state object `did/<did>`; each change writes its next entry, whole. Verification methods are never
// taken out: they end. So an old signature can always be judged with the key that made it.

import { base64url, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { sha256 } from "../base/hash.js";
import { jcs, type Json } from "../base/json.js";
import { jwkJson, type Jwk, PublicKey, readJwk } from "../base/keys.js";
import { type Did, type DidUrl, readDid } from "../records/did.js";
import { entryAt, type EntryShape, head, readEntry, StateObject, type StateReader, type TimedEntry } from "./state.js";

/** What a key may be used for (DID Core 1.0 §5.3). */
export type Relationship =
  | "authentication"
  | "assertionMethod"
  | "keyAgreement"
  | "capabilityInvocation"
  | "capabilityDelegation";

/** All relationships, in the order of a document. */
export const RELATIONSHIPS: readonly Relationship[] = [
  "authentication",
  "assertionMethod",
  "keyAgreement",
  "capabilityInvocation",
  "capabilityDelegation",
];

/** The relationship by which a record that changes a registry is signed. */
export const REGISTRY: readonly Relationship[] = ["capabilityInvocation"];

/** The right to use a key for something, from a time on and perhaps until another. */
export interface Grant {
  /** For what. */
  readonly relationship: Relationship;
  /** From this second on. */
  readonly notBefore: number;
  /** Before this second; none for no end. */
  readonly notAfter: number | undefined;
}

/** A verification method of a document. */
export interface VerificationMethod {
  /** The part after `#`: the RFC 7638 thumbprint of the key. */
  readonly id: string;
  /** The public key. */
  readonly key: Jwk;
  /** What it may be used for, and when. */
  readonly grants: readonly Grant[];
  /** When it was revoked; or when it ends because another took its place, which may be in the future. */
  readonly revoked: number | undefined;
  /** Since when it may be in other hands, if that was declared. */
  readonly compromisedFrom: number | undefined;
}

/** Where something about the subject is found. */
export interface Service {
  /** The part after `#`. */
  readonly id: string;
  /** Its type. */
  readonly type: string;
  /** An https URL. */
  readonly endpoint: string;
}

/** A DID document from a block on. */
export interface DidEntry extends TimedEntry {
  /** The record that wrote it. */
  readonly record: string;
  /** Who may change the document; the subject itself, usually. */
  readonly controllers: readonly Did[];
  /** Its keys, those that ended included, in order of arrival. */
  readonly methods: readonly VerificationMethod[];
  /** Its services. */
  readonly services: readonly Service[];
  /** Whether it is closed for ever. */
  readonly deactivated: boolean;
}

const GRANT = codec.word(...RELATIONSHIPS);

/** Reads a grant. */
export function readGrant(json: Json): Grant {
  const grant = codec.object(json, ["relationship", "not_before"], ["not_after"]);
  return {
    relationship: codec.field(grant, "relationship", GRANT),
    notBefore: codec.field(grant, "not_before", codec.integer),
    notAfter: codec.maybe(grant, "not_after", codec.integer),
  };
}

function readMethod(json: Json): VerificationMethod {
  const method = codec.object(json, ["id", "key", "grants"], ["revoked", "compromised_from"]);
  return {
    id: codec.field(method, "id", codec.text),
    key: codec.field(method, "key", readJwk),
    grants: codec.field(method, "grants", codec.list(readGrant)),
    revoked: codec.maybe(method, "revoked", codec.integer),
    compromisedFrom: codec.maybe(method, "compromised_from", codec.integer),
  };
}

/** Reads a service. */
export function readService(json: Json): Service {
  const service = codec.object(json, ["id", "type", "endpoint"]);
  const of = (name: string): string => codec.field(service, name, codec.text);
  return { id: of("id"), type: of("type"), endpoint: of("endpoint") };
}

const DID_ENTRY: EntryShape<DidEntry> = {
  members: ["height", "time", "record", "controllers", "methods", "services", "deactivated"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    record: codec.field(members, "record", codec.hash),
    controllers: codec.field(members, "controllers", codec.list(readDid)),
    methods: codec.field(members, "methods", codec.list(readMethod)),
    services: codec.field(members, "services", codec.list(readService)),
    deactivated: codec.field(members, "deactivated", codec.bool),
  }),
};

/** Reads a document's entry from the JSON of a state value. */
export const readDidEntry: codec.Reader<DidEntry> = readEntry(DID_ENTRY);

/** `did/<did>`: a document; each change is an entry. */
export function didObject(did: Did): StateObject {
  return new StateObject("did", did);
}

/** The newest entry of a document; none when the DID is not registered. */
export function newestDocument(reader: StateReader, did: Did): DidEntry | undefined {
  return head(reader, didObject(did), DID_ENTRY);
}

/**
 * The document as of a time: the entry in force then, with every compromise declared since, because a key that was in
 * other hands then was no better for nobody knowing it. None when the DID was not registered yet.
 */
export function documentAt(reader: StateReader, did: Did, time: number): DidEntry | undefined {
  const newest = newestDocument(reader, did);
  const then = newest && entryAt(reader, didObject(did), time, DID_ENTRY);
  if (!newest || !then) return undefined;
  const known = (method: VerificationMethod): VerificationMethod => ({
    ...method,
    compromisedFrom: findMethod(newest, method.id)?.compromisedFrom,
  });
  return { ...then, methods: then.methods.map(known) };
}

/** A verification method by its fragment. */
export function findMethod(entry: DidEntry, fragment: string): VerificationMethod | undefined {
  return entry.methods.find((method) => method.id === fragment);
}

/** Why a key may not be used. */
export type KeyRefusal = "unknown" | "not-granted" | "not-yet-valid" | "expired" | "revoked" | "compromised";

const KEY_REFUSALS: Readonly<Record<KeyRefusal, string>> = {
  unknown: "the DID document has no such key: the kid is <did>#<RFC 7638 thumbprint>",
  "not-granted": "the key is not granted for this use",
  "not-yet-valid": "the key is not valid yet",
  expired: "the key has expired",
  revoked: "the key was revoked",
  compromised: "the key was declared compromised",
};

/** A sentence for a refusal. */
export function keyRefusalText(refusal: KeyRefusal): string {
  return KEY_REFUSALS[refusal];
}

/** Whether a grant holds at a time. */
export function grantHolds(grant: Grant, time: number): boolean {
  return grant.notBefore <= time && (grant.notAfter === undefined || time < grant.notAfter);
}

/**
 * Why a key may not be used for any of these relationships at a time; undefined when it may. The reason that lasts
 * longest comes first.
 */
export function checkMethod(
  method: VerificationMethod,
  relationships: readonly Relationship[],
  time: number,
): KeyRefusal | undefined {
  if (method.compromisedFrom !== undefined && method.compromisedFrom <= time) return "compromised";
  const grants = method.grants.filter((grant) => relationships.includes(grant.relationship));
  if (grants.some((grant) => grantHolds(grant, time))) return undefined;
  if (method.revoked !== undefined && method.revoked <= time) return "revoked";
  if (grants.length === 0) return "not-granted";
  return grants.some((grant) => grant.notBefore > time) ? "not-yet-valid" : "expired";
}

/** The key of a key id's fragment, if it may be used for any of these relationships at a time. */
export function usableKey(
  entry: DidEntry,
  fragment: string,
  relationships: readonly Relationship[],
  time: number,
): PublicKey | KeyRefusal {
  const method = findMethod(entry, fragment);
  if (!method) return "unknown";
  return checkMethod(method, relationships, time) ?? publicKey(method.key) ?? "unknown";
}

/** Keys kept ready: decoding one and handing it to the browser costs as much as a signature. */
const KEYS_REMEMBERED_MAX = 256;
const keys = new Map<string, PublicKey>();

/** The key of a JWK, the same object for the same JWK while it is remembered; undefined when it is no key. */
export function publicKey(jwk: Jwk): PublicKey | undefined {
  const name = jcs(jwkJson(jwk));
  const found = keys.get(name);
  if (found) return found;
  try {
    const key = PublicKey.fromJwk(jwk);
    if (keys.size >= KEYS_REMEMBERED_MAX) keys.clear();
    keys.set(name, key);
    return key;
  } catch {
    return undefined;
  }
}

/** The RFC 7638 thumbprint of a key: base64url of SHA-256 of the JCS of its required members. */
export function thumbprint(key: PublicKey): string {
  return base64url(sha256(utf8(jcs(jwkJson(key.toJwk())))));
}

/** The key id of a key in a document. */
export function keyId(did: Did, key: PublicKey): DidUrl {
  return `${did}#${thumbprint(key)}`;
}
