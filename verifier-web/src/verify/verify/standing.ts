/**
 * Whether an issuer was accredited for what it issued.
 *
 * An issuer may have several accreditations. The first by which the credential could be issued decides; when there is none, the one
 * that came closest says why.
 */

import { ACCREDITATION_ENTRIES_MAX } from "../credentials/limits.js";
import { MalformedAccreditation, readAccreditation } from "../state/accreditation.js";
import type { Accreditation, OutOfScope, Scope } from "../state/accreditation.js";
import { ChainRefusal, trustChain } from "../state/chain.js";
import type { TrustChain } from "../state/chain.js";
import { attribute, attributeEntry, issuer as issuerEntry } from "../state/issuers.js";
import type { AttributeEntry } from "../state/issuers.js";
import type { StateReader } from "../state/state.js";
import type { Question } from "./ledger.js";

/** What the type that stands for a level of the European Qualifications Framework begins with: `EqfLevel7`. */
export const LEVEL = "EqfLevel";

/** Whether a type stands for a level of qualification. */
export function isLevel(name: string): boolean {
  return /^EqfLevel[0-9]*$/.test(name);
}

/** What was wrong, in order of how close it is to an accreditation that allows the credential. */
const WHYS = [
  "never",
  "schema",
  "type",
  "level",
  "jurisdiction",
  "not-in-place",
  "dates",
  "ended",
  "chain",
] as const;

/**
 * What was wrong: nothing was ever reserved for the issuer; the schema, types, level or jurisdiction are not allowed; it was not in
 * place yet, outside its dates, or had ended; one above it did not hold.
 */
export type Why = (typeof WHYS)[number];

/** Why no accreditation allowed a credential, by the one that came closest. */
export class NoChain {
  /** In one word. */
  readonly why: Why;
  /** What the walk of the chain said; none when there was nothing to walk. */
  readonly refusal: ChainRefusal | undefined;
  /** Whether it did allow the credential once, and has ended or changed since. */
  readonly over: boolean;

  constructor(why: Why, refusal: ChainRefusal | undefined, over: boolean) {
    this.why = why;
    this.refusal = refusal;
    this.over = over;
  }

  /** How close it came, among others: what once allowed it comes closest. */
  get closeness(): number {
    return WHYS.indexOf(this.why) + (this.over ? WHYS.length : 0);
  }
}

/** Finds a chain by which the credential could be issued at a moment. */
export async function standingAt(reader: StateReader, question: Question, at: number): Promise<TrustChain | NoChain> {
  let closest = new NoChain("never", undefined, false);
  for (const id of issuerEntry(reader, question.issuer)?.attributes ?? []) {
    const chain = await trustChain(reader, id, at);
    let found: NoChain;
    if (chain instanceof ChainRefusal) {
      found = refused(reader, question, id, chain, at);
    } else {
      const outside = outsideOf(chain.issuer.accreditation, question.scopes);
      if (outside === undefined) return chain;
      found = notPermitted(outside);
    }
    const inPlace = WHYS.indexOf(found.why) >= WHYS.indexOf("not-in-place");
    const over = found.over || (!inPlace && allowedOnce(reader, question, id));
    const next = new NoChain(found.why, found.refusal, over);
    // Of two that are as close, the later accreditation says more about now.
    if (next.closeness >= closest.closeness) closest = next;
  }
  return closest;
}

interface Outside {
  readonly why: Why;
  readonly reason: OutOfScope;
}

/** What lies outside an accreditation, if none of the scopes lies within. */
function outsideOf(accreditation: Accreditation, scopes: readonly Scope[]): Outside | undefined {
  let closest: Outside | undefined;
  for (const scope of scopes) {
    const reason = accreditation.covers(scope);
    if (reason === undefined) return undefined;
    const why = reason.what === "type" ? typeOrLevel(accreditation, scope) : reason.what;
    if (closest === undefined || WHYS.indexOf(why) > WHYS.indexOf(closest.why)) closest = { why, reason };
  }
  // A credential that names no schema is within nobody's accreditation.
  return closest ?? { why: "schema", reason: { what: "schema", name: "0".repeat(64) } };
}

/** Whether the types are allowed but for the level. */
function typeOrLevel(accreditation: Accreditation, scope: Scope): Why {
  const types = new Set(Array.from(scope.types).filter((name) => !isLevel(name)));
  const without = accreditation.covers({ ...scope, types });
  return without === undefined || without.what === "jurisdiction" ? "level" : "type";
}

function notPermitted({ why, reason }: Outside): NoChain {
  return new NoChain(why, new ChainRefusal({ kind: "not-permitted", reason }), false);
}

/** What a refused chain means for this credential. */
function refused(reader: StateReader, question: Question, id: string, refusal: ChainRefusal, at: number): NoChain {
  const accreditation = credentialOf(attribute(reader, id));
  // One that would not have allowed the credential anyway has ended for other credentials than this.
  const outside = accreditation && outsideOf(accreditation, question.scopes);
  if (outside) return notPermitted(outside);
  const { found } = refusal;
  const own = "attribute" in found && found.attribute === id;
  if (found.kind === "not-in-place" && own) return new NoChain("not-in-place", refusal, false);
  if (found.kind === "dates" && own) {
    const end = accreditation?.validUntil;
    return new NoChain("dates", refusal, end !== undefined && end <= at);
  }
  if (found.kind === "ended" && own) return new NoChain("ended", refusal, true);
  return new NoChain("chain", refusal, found.kind === "ended" || found.kind === "dates");
}

/**
 * Whether an earlier form of an accreditation allowed the credential: one that was renewed for less. Only asked where nothing shows
 * when the credential was issued.
 */
function allowedOnce(reader: StateReader, question: Question, id: string): boolean {
  if (question.issued !== undefined) return false;
  const last = attribute(reader, id)?.seq ?? 0;
  for (let seq = Math.max(1, last - ACCREDITATION_ENTRIES_MAX); seq < last; seq++) {
    const earlier = credentialOf(attributeEntry(reader, id, seq));
    if (earlier && outsideOf(earlier, question.scopes) === undefined) return true;
  }
  return false;
}

function credentialOf(entry: AttributeEntry | undefined): Accreditation | undefined {
  if (entry?.credential === undefined) return undefined;
  try {
    return readAccreditation(entry.credential);
  } catch (error) {
    // Not made by the rules: nothing can be read of what it allows.
    if (error instanceof MalformedAccreditation) return undefined;
    throw error;
  }
}
