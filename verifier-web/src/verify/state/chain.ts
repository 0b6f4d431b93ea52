// The chain of accreditations behind an issuer, at a time, with every signature checked: nothing is taken from whoever
// answers. For each link, from the issuer's to the Root TAO's:
//
// 1. the attribute was filled at that time, with a credential of the right kind, for its subject and place;
// 2. the credential's dates hold at that time, and the accreditation had not ended;
// 3. the accreditor signed it, with a key that was good for `assertionMethod` when the ledger took the credential, and
//    that nobody has declared compromised since for that time;
// 4. its scopes lie within the parent's;
//
// and the last link is a Root TAO's, made by governance, at most CHAIN_LINKS_MAX links away.
//
// A read that meets a key of the state of which nothing is proven throws NotProven; with more keys it is done again.

import { type Did, fragmentOf } from "../records/did.js";
import {
  type Accreditation,
  kindOfIssuer,
  MalformedAccreditation,
  type OutOfScope,
  outOfScopeText,
  readAccreditation,
  type Scope,
} from "./accreditation.js";
import { documentAt, type KeyRefusal, keyRefusalText, usableKey } from "./identity.js";
import {
  attribute,
  attributeAt,
  type AttributeEntry,
  type Ended,
  type Entity,
  issuer,
  type IssuerType,
  mayAccredit,
} from "./issuers.js";
import type { StateReader } from "./state.js";

/** Accreditations from a leaf to its Root TAO, both counted. */
export const CHAIN_LINKS_MAX = 5;

/** One accreditation of a chain. */
export interface Link {
  /** Its place. */
  readonly attribute: string;
  /** Who is accredited. */
  readonly subject: Did;
  /** Who it is, as its accreditor says now. */
  readonly entity: Entity;
  /** As what. */
  readonly issuerType: IssuerType;
  /** Since when the ledger holds the credential. */
  readonly filled: number;
  /** Its end, when one was set (after the time asked for). */
  readonly ended: Ended | undefined;
  /** The credential. */
  readonly accreditation: Accreditation;
}

/** What of a chain does not hold, or does not allow what was asked. */
export type RefusedChain =
  | { readonly kind: "not-accredited"; readonly did: Did }
  | { readonly kind: "unknown-attribute"; readonly attribute: string }
  | { readonly kind: "not-in-place"; readonly attribute: string }
  | { readonly kind: "dates"; readonly attribute: string }
  | { readonly kind: "ended"; readonly attribute: string; readonly ended: Ended }
  | { readonly kind: "credential"; readonly attribute: string; readonly reason: string }
  | { readonly kind: "key"; readonly attribute: string; readonly reason: KeyRefusal }
  | { readonly kind: "accreditor-unknown"; readonly did: Did }
  | { readonly kind: "signature"; readonly attribute: string }
  | { readonly kind: "scope"; readonly attribute: string; readonly reason: OutOfScope }
  | { readonly kind: "no-root" }
  | { readonly kind: "not-permitted"; readonly reason: OutOfScope };

/** Why a chain does not hold. An answer, not an error. */
export class ChainRefusal {
  constructor(
    /** What it is. */
    readonly found: RefusedChain,
  ) {}

  /** Stable slug. */
  get code(): string {
    const { found } = this;
    switch (found.kind) {
      case "key":
        return found.reason === "compromised" ? "chain.key-compromised" : "chain.key";
      case "scope":
        return `chain.scope-${found.reason.what}`;
      case "not-permitted":
        return `chain.${found.reason.what}-not-permitted`;
      default:
        return `chain.${found.kind}`;
    }
  }

  /** A sentence. */
  get message(): string {
    const { found } = this;
    switch (found.kind) {
      case "not-accredited":
        return `${found.did} was never accredited on this ledger`;
      case "unknown-attribute":
        return `there is no accreditation ${found.attribute} on this ledger`;
      case "not-in-place":
        return `accreditation ${found.attribute} was not in place at that time`;
      case "dates":
        return `accreditation ${found.attribute} was outside its dates at that time`;
      case "ended":
        return `accreditation ${found.attribute} ended (${found.ended.reason})`;
      case "credential":
        return `the credential of accreditation ${found.attribute} is refused: ${found.reason}`;
      case "key":
        return `the key behind accreditation ${found.attribute} is refused: ${keyRefusalText(found.reason)}`;
      case "accreditor-unknown":
        return `${found.did}, who signed an accreditation, is not registered on this ledger`;
      case "signature":
        return `the signature of accreditation ${found.attribute} does not verify: it was not made by the accreditor`;
      case "scope":
        return `accreditation ${found.attribute} goes beyond its accreditor's own: ${outOfScopeText(found.reason)}`;
      case "no-root":
        return `the accreditations do not lead to a Root TAO within ${CHAIN_LINKS_MAX} links`;
      case "not-permitted":
        return `the issuer is accredited, but not for this: ${outOfScopeText(found.reason)}`;
    }
  }
}

/** A chain that holds, the issuer's link first. */
export class TrustChain {
  constructor(
    /** The issuer's own link. */
    readonly issuer: Link,
    /** All links, the issuer's first. */
    readonly links: readonly Link[],
    /** The time it holds at. */
    readonly at: number,
  ) {}

  /** The Root TAO's link. */
  get root(): Link {
    return this.links[this.links.length - 1] ?? this.issuer;
  }

  /** Why the issuer may not issue within a scope; undefined when it may. */
  permits(scope: Scope): ChainRefusal | undefined {
    const reason = this.issuer.accreditation.covers(scope);
    return reason && new ChainRefusal({ kind: "not-permitted", reason });
  }
}

/** Walks from an attribute to its Root TAO, as things stood at a time, by what is known now. */
export async function trustChain(reader: StateReader, leaf: string, at: number): Promise<TrustChain | ChainRefusal> {
  const links: Link[] = [];
  const subjects = new Set<Did>();
  for (let id = leaf; ; ) {
    const entry = inForce(reader, id, at);
    if (entry instanceof ChainRefusal) return entry;
    const child = links[links.length - 1];
    // At most CHAIN_LINKS_MAX links, no subject twice, each parent one that may accredit.
    const tooMany = links.length === CHAIN_LINKS_MAX || subjects.has(entry.subject);
    if (tooMany || (child && !mayAccredit(entry.issuerType, child.issuerType))) return refused({ kind: "no-root" });
    subjects.add(entry.subject);
    const link = await checkLink(reader, id, entry, at);
    if (link instanceof ChainRefusal) return link;
    if (child) {
      if (entry.subject !== child.accreditation.issuer) return refused({ kind: "no-root" });
      for (const scope of child.accreditation.scopes) {
        const reason = link.accreditation.covers(scope);
        if (reason) return refused({ kind: "scope", attribute: child.attribute, reason });
      }
    }
    links.push(link);
    if (entry.issuerType === "root-tao") return new TrustChain(links[0] ?? link, links, at);
    id = entry.parent;
  }
}

/**
 * Finds a chain by which an issuer may issue within a scope at a time; without scope, any chain that holds. When none
 * does, the refusal is that of the newest accreditation.
 */
export async function accredited(
  reader: StateReader,
  did: Did,
  scope: Scope | undefined,
  at: number,
): Promise<TrustChain | ChainRefusal> {
  let refusal = refused({ kind: "not-accredited", did });
  for (const id of issuer(reader, did)?.attributes ?? []) {
    const chain = await trustChain(reader, id, at);
    const found = chain instanceof ChainRefusal ? chain : scope && chain.permits(scope);
    if (!found) return chain;
    refusal = found;
  }
  return refusal;
}

function refused(found: RefusedChain): ChainRefusal {
  return new ChainRefusal(found);
}

/** The entry of an attribute at a time, unless the accreditation has ended for that time by what is known now. */
function inForce(reader: StateReader, id: string, at: number): AttributeEntry | ChainRefusal {
  const newest = attribute(reader, id);
  if (!newest) return refused({ kind: "unknown-attribute", attribute: id });
  const { ended, entity } = newest;
  if (ended && ended.effective <= at) return refused({ kind: "ended", attribute: id, ended });
  const entry = attributeAt(reader, id, at);
  if (!entry) return refused({ kind: "not-in-place", attribute: id });
  // Who the subject is, is what its accreditor says now: a corrected name corrects what is shown of old diplomas.
  return { ...entry, ended, entity };
}

/** Steps 1 to 3 for one link. */
async function checkLink(
  reader: StateReader,
  id: string,
  entry: AttributeEntry,
  at: number,
): Promise<Link | ChainRefusal> {
  const { subject, entity, issuerType, filled, ended } = entry;
  if (entry.credential === undefined || filled === undefined) return refused({ kind: "not-in-place", attribute: id });
  const bad = (reason: string): ChainRefusal => refused({ kind: "credential", attribute: id, reason });
  const accreditation = readOrReason(entry.credential);
  if (typeof accreditation === "string") return bad(accreditation);
  if (accreditation.kind !== kindOfIssuer(issuerType)) return bad("it is of another kind");
  if (accreditation.subject !== subject || accreditation.attribute !== id) {
    return bad("it is about another subject or place");
  }
  if (accreditation.issuer !== entry.accreditor) return bad("it is by another issuer");
  if (!accreditation.isValidAt(at)) return refused({ kind: "dates", attribute: id });
  const document = documentAt(reader, entry.accreditor, filled);
  if (!document) return refused({ kind: "accreditor-unknown", did: entry.accreditor });
  const key = usableKey(document, fragmentOf(accreditation.kid), ["assertionMethod"], filled);
  if (typeof key === "string") return refused({ kind: "key", attribute: id, reason: key });
  if (!(await accreditation.verifySignature(key))) return refused({ kind: "signature", attribute: id });
  return { attribute: id, subject, entity, issuerType, filled, ended, accreditation };
}

function readOrReason(jwt: string): Accreditation | string {
  try {
    return readAccreditation(jwt);
  } catch (error) {
    if (error instanceof MalformedAccreditation) return error.message;
    throw error;
  }
}
