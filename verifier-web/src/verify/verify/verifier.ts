/**
 * The eight steps, and the answer that they make.
 *
 * | step | rests on |
 * | --- | --- |
 * | 1 readable | the text, and the schema on the ledger |
 * | 2 signature | the issuer's DID document on the ledger; of a PDF, that it is the issuer's print |
 * | 3 issuer | that document as of the moment of issuance, by what is known now |
 * | 4 accreditation | the chain to the Root TAO at that moment, every signature checked |
 * | 5 status | the issuer's lists of a state that is fresh |
 * | 6 anchor | the receipt, under the trust file |
 * | 7 dates | the credential's own, against the clock |
 * | 8 holder | whether it is bound to a wallet |
 *
 * The moment of issuance is the block time of the anchor. What has no anchor may have been made a second ago, whatever it says of
 * itself: it is judged at the time of the proven header, and what has ended since is "cannot tell" at best.
 *
 * After a failure of step 1 or 2 the others are not looked at and nothing of the content is shown.
 *
 * - INV-VERIFY-3: nothing of the content is in a report whose signature was not verified.
 */

import { jsonObject } from "../base/json.js";
import type { Credential } from "../credentials/credential.js";
import { STATUS_AGE_S } from "../credentials/limits.js";
import type { Presentation } from "../credentials/presentation.js";
import { noProofs } from "../credentials/proofs.js";
import type { Proofs } from "../credentials/proofs.js";
import { Refusal } from "../credentials/refusal.js";
import type { Print } from "../files/print.js";
import { isLedgerDid, methodOf } from "../records/did.js";
import type { Did } from "../records/did.js";
import type { Receipt, ReceiptError } from "../records/receipt.js";
import type { TrustFile } from "../records/trust.js";
import { EvidenceError } from "../state/evidence.js";
import { checkAnchor } from "./anchor.js";
import { checkDates } from "./dates.js";
import { checkHolder } from "./holder.js";
import { checkAccreditation, checkIssuer } from "./issuer.js";
import { questionOf } from "./ledger.js";
import { Memory } from "./memory.js";
import { checkReadable } from "./readable.js";
import { STEPS, reasonOf } from "./reason.js";
import { conclude, found, notChecked, step } from "./report.js";
import type { Report, StepReport } from "./report.js";
import { checkSignature } from "./signature.js";
import { Freshness, checkStatus } from "./status.js";

/** What is asked, and how fresh an answer must be. */
export interface Policy {
  /** This machine's clock, in seconds since 1970. */
  readonly now: number;
  /** The time that is asked about; none for now. */
  readonly at?: number;
  /** A state proof older than this says nothing about now. */
  readonly statusAgeS: number;
}

/** Asks about now, with the usual demand for freshness. */
export function policyNow(now: number): Policy {
  return { now, statusAgeS: STATUS_AGE_S };
}

/** What somebody has shown, and the proofs at hand. */
export interface Presented {
  /** The credential, or why there is none. */
  readonly credential: Credential | Refusal;
  /** Its text, if it may end in a proof by its holder; what is there is checked. */
  readonly text?: string;
  /** The anchor's receipt, if one came with it, or why it is none. */
  readonly receipt?: Receipt | ReceiptError;
  /** State of the ledger, lists and tokens. */
  readonly proofs: Proofs;
  /** Why the state that came with it is none. */
  readonly evidenceError?: EvidenceError;
  /** The PDF that it came in. */
  readonly print: Print;
}

/** What was read, with the proofs that came with it. */
export function presented(read: Presentation | Refusal, print: Print): Presented {
  if (read instanceof Refusal) return { credential: read, proofs: noProofs(), print };
  const { credential, text, receipt, proofs, evidenceError } = read;
  return { credential, text, proofs, print, ...(receipt && { receipt }), ...(evidenceError && { evidenceError }) };
}

/** The same with other proofs: newer ones, from the ledger. */
export function withProofs({ credential, text, receipt, print }: Presented, proofs: Proofs): Presented {
  return { credential, proofs, print, ...(text !== undefined && { text }), ...(receipt && { receipt }) };
}

/** Verifies credentials under one trust file, and remembers what many of them have in common. */
export class Verifier {
  /** The trust file. */
  readonly trust: TrustFile;
  private readonly memory: Memory;

  /** A verifier of one network. */
  constructor(trust: TrustFile) {
    this.trust = trust;
    this.memory = new Memory(trust);
  }

  /** What the ledger's own addresses begin with. */
  get publicBase(): string {
    return this.trust.genesis.publicBase;
  }

  /** Whether a DID is of the kind that this ledger registers. */
  isOfThisLedger(did: Did): boolean {
    return isLedgerDid(did) && methodOf(did) === this.trust.genesis.didMethod;
  }

  /** Verifies one credential. The same question has the same answer, whatever was asked before (INV-VERIFY-2). */
  async verify(shown: Presented, policy: Policy): Promise<Report> {
    const { credential, proofs } = shown;
    if (credential instanceof Refusal) return conclude(refused(credential), policy.at ?? policy.now);
    const { memory } = this;
    const state = proofs.evidence ? memory.proven(proofs.evidence) : shown.evidenceError;
    const proven = state instanceof EvidenceError ? undefined : state;
    const stateTime = proven?.time;
    // A quorum's time is better than a clock that is behind it.
    const seen = Math.max(policy.now, stateTime ?? 0);
    const anchor = await checkAnchor(credential, shown.receipt, seen, policy.at, (receipt, clock) =>
      memory.receipt(receipt, clock),
    );
    const clock = Math.max(seen, anchor.issued ?? 0);
    const about = policy.at ?? clock;

    const own = this.isOfThisLedger(credential.issuer);
    const question = (time: number): ReturnType<typeof questionOf> =>
      questionOf(credential, anchor.issued, time, policy.at, this.publicBase);
    const view = proven && own ? await proven.view(question(proven.time)) : undefined;
    const signed = await checkSignature(credential, shown.print, view);
    const readable = checkReadable(credential, view, (body, lenient) => memory.schema(body, lenient));
    const first = [step(readable.found), step(signed.found)];
    const failed = first.findIndex(({ outcome }) => outcome === "failed");
    const reason = first[failed]?.reason;
    const asOf = stateTime;
    if (reason !== undefined) {
      const looked = failed === 0 ? first.slice(0, 1) : first;
      return conclude(notChecked(looked, reason), about, { asOf, format: credential.format });
    }
    const refusedState = state instanceof EvidenceError ? state : undefined;
    const status = await checkStatus(credential, {
      publicBase: this.publicBase,
      view,
      stateTime,
      proofs,
      fresh: new Freshness(about, clock, policy.at, policy.statusAgeS),
      token: (format, text) => memory.token(format, text),
    });
    const steps = [
      ...first,
      step(checkIssuer(credential, { refused: refusedState, view, own })),
      step(checkAccreditation(credential, view)),
      step(status),
      step(anchor.found),
      step(checkDates(credential, about)),
      step(await checkHolder(credential, shown.text, clock)),
    ];
    // INV-VERIFY-3: only what the issuer has verifiably signed is shown.
    const subject = signed.verified ? readable.subject : jsonObject({});
    return conclude(steps, about, { asOf, format: credential.format, subject });
  }
}

/** The steps of something that could not be read as a credential. */
function refused(refusal: Refusal): StepReport[] {
  const { reason } = refusal;
  const own = reasonOf(reason).step;
  const looked = own === "readable" ? [] : [step(found("readable.ok", null))];
  const all = notChecked(looked, reason);
  const at = STEPS.indexOf(own);
  return all.map((one, index) => (index === at ? step(found(reason, { detail: refusal.message })) : one));
}
