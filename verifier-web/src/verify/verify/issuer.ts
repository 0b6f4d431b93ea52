/** Steps 3 and 4: who issued it, and whether it was allowed to. */

import type { Json } from "../base/json.js";
import { isNumber, jsonObject } from "../base/json.js";
import type { Credential } from "../credentials/credential.js";
import { numberText } from "../credentials/json.js";
import { fragmentOf } from "../records/did.js";
import type { EvidenceError } from "../state/evidence.js";
import type { Link, TrustChain } from "../state/chain.js";
import { checkMethod, findMethod } from "../state/identity.js";
import type { KeyRefusal, VerificationMethod } from "../state/identity.js";
import type { Entity } from "../state/issuers.js";
import { momentsOf } from "./ledger.js";
import type { Documents, Question } from "./ledger.js";
import { found, noProof } from "./report.js";
import type { Found } from "./report.js";
import type { ReasonCode } from "./reason.js";
import { LEVEL, NoChain, isLevel } from "./standing.js";
import type { Why } from "./standing.js";
import type { Part, View } from "./view.js";

/** What there is of the ledger, for one credential. */
export interface Ledger {
  /** Why the proof of its state does not hold, if it does not. */
  readonly refused: EvidenceError | undefined;
  /** What the state says. */
  readonly view: View | undefined;
  /** Whether the issuer's DID is of the kind that this ledger registers. */
  readonly own: boolean;
}

/** Step 3. */
export function checkIssuer(credential: Credential, { refused, view, own }: Ledger): Found {
  if (!own) return found("issuer.foreign-did", { did: credential.issuer });
  if (refused) {
    const other = refused.code === "receipt.unknown-network";
    const evidence = { error: refused.code, detail: refused.message };
    return found(other ? "issuer.other-network" : "issuer.evidence", evidence);
  }
  if (view === undefined) return found("issuer.no-proof", null);
  if (!view.documents.ok) return { reason: "issuer.no-proof", evidence: noProof(view.documents.detail) };
  if (view.documents.value.newest === undefined) return found("issuer.not-registered", { did: credential.issuer });
  // Step 2 has found the key.
  return view.key(fragmentOf(credential.kid))?.found ?? found("issuer.no-proof", null);
}

/** Step 4. */
export function checkAccreditation(credential: Credential, view: View | undefined): Found {
  if (view === undefined) return found("accreditation.no-proof", null);
  if (credential.types.length === 0) return found("accreditation.type", { detail: "it names no type" });
  if (!view.accreditation.ok) {
    return { reason: "accreditation.no-proof", evidence: noProof(view.accreditation.detail) };
  }
  const judged = view.accreditation.value;
  if (judged.reason !== "accreditation.ok" || levelAgrees(credential)) return judged;
  const types = credential.types.filter(isLevel);
  return found("accreditation.level", { types, eqfLevel: credential.subject["eqfLevel"] ?? null });
}

/**
 * Whether the level that the content says is the one whose type the accreditation allowed. A level that is only in the content is
 * one that nobody allowed.
 */
function levelAgrees(credential: Credential): boolean {
  const levels = credential.types.filter(isLevel);
  const said = credential.subject["eqfLevel"];
  if (said === undefined) return levels.length === 0;
  const [only] = levels;
  return levels.length === 1 && isNumber(said) && only === LEVEL + numberText(said);
}

const KEY_REASONS: Readonly<Record<KeyRefusal, ReasonCode>> = {
  compromised: "issuer.key-compromised",
  "not-granted": "issuer.key-purpose",
  unknown: "issuer.key-purpose",
  "not-yet-valid": "issuer.key-not-yet-valid",
  expired: "issuer.key-ended",
  revoked: "issuer.key-ended",
};

/** What is known of a key at the moments that count. */
export function judgeKey(
  question: Question,
  documents: Documents,
  standing: readonly (TrustChain | NoChain)[],
  method: VerificationMethod,
): Found {
  const anchored = question.issued !== undefined;
  const moments = momentsOf(question);
  let reason: ReasonCode = "issuer.ok";
  for (const [index, moment] of moments.entries()) {
    const document = documents.then[index];
    const then = document && findMethod(document, method.id);
    // The document, or the key in it, may have come later.
    const refusal = then ? checkMethod(then, ["assertionMethod"], moment) : "not-yet-valid";
    if (refusal === undefined) continue;
    const ended = refusal === "expired" || refusal === "revoked";
    reason = ended && !anchored ? "issuer.key-ended-unanchored" : KEY_REASONS[refusal];
    break;
  }
  // The name is the one that the accreditor gives, and stands for nothing without an accreditation that holds.
  const chain = standing.find((one): one is TrustChain => !(one instanceof NoChain));
  const entity = chain && entityJson(chain.issuer.entity);
  return found(reason, {
    did: question.issuer,
    names: entity?.names ?? null,
    country: entity?.country ?? null,
    identifiers: entity?.identifiers ?? null,
    key: method.id,
    judged_at: moments,
    anchored,
    revoked: method.revoked ?? null,
    compromised_from: method.compromisedFrom ?? null,
  });
}

/** What was found of the accreditation at the moments that count. */
export function judgeAccreditation(question: Question, standing: readonly (TrustChain | NoChain)[]): Part<Found> {
  const anchored = question.issued !== undefined;
  const moments = momentsOf(question);
  for (const [index, one] of standing.entries()) {
    if (!(one instanceof NoChain)) continue;
    const { refusal } = one;
    const evidence = {
      judged_at: moments[index] ?? null,
      anchored,
      refusal: refusal?.code ?? null,
      detail: refusal?.message ?? null,
    };
    return { ok: true, value: found(refusedReason(one, anchored), evidence) };
  }
  const [chain] = standing;
  if (chain === undefined || chain instanceof NoChain) return { ok: false, detail: "no moment was asked about" };
  const links = chain.links.map(linkJson);
  return { ok: true, value: found("accreditation.ok", { judged_at: moments, anchored, links }) };
}

const WHY_REASONS: Readonly<Record<Why, ReasonCode>> = {
  never: "accreditation.not-accredited",
  schema: "accreditation.schema",
  type: "accreditation.type",
  level: "accreditation.level",
  jurisdiction: "accreditation.jurisdiction",
  "not-in-place": "accreditation.not-in-place",
  dates: "accreditation.dates",
  ended: "accreditation.ended",
  chain: "accreditation.chain",
};

function refusedReason({ why, over }: NoChain, anchored: boolean): ReasonCode {
  return over && !anchored ? "accreditation.ended-unanchored" : WHY_REASONS[why];
}

function entityJson({ names, country, identifiers }: Entity): { names: Json; country: string; identifiers: Json } {
  return {
    names: names.map(({ lang, name }) => jsonObject({ lang, name })),
    country,
    identifiers: identifiers.map(({ scheme, value }) => jsonObject({ scheme, value })),
  };
}

function linkJson(link: Link): Json {
  return jsonObject({
    attribute: link.attribute,
    subject: link.subject,
    ...entityJson(link.entity),
    as: link.issuerType,
    accreditor: link.accreditation.issuer,
    filled: link.filled,
    ended: link.ended ? jsonObject({ effective: link.ended.effective, reason: link.ended.reason }) : null,
  });
}
