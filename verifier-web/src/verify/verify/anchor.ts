/**
 * Step 6: witnessed by the ledger, as its receipt shows; and the moment of issuance, which that is.
 *
 * A receipt counts as anchor only when the issuer itself made the record: anybody may notarise anything.
 */

import type { Json } from "../base/json.js";
import { jsonObject } from "../base/json.js";
import { credentialDigest } from "../credentials/credential.js";
import type { Credential } from "../credentials/credential.js";
import { ReceiptError, checkOpening } from "../records/receipt.js";
import type { Facts, Receipt, ReceiptVerdict } from "../records/receipt.js";
import { Record as LedgerRecord } from "../records/record.js";
import { found } from "./report.js";
import type { Found } from "./report.js";
import type { ReasonCode } from "./reason.js";

/** What the step found. */
export interface Anchor {
  /** Reason and evidence. */
  readonly found: Found;
  /** The block time of a receipt that holds and is the issuer's, of this credential. */
  readonly issued?: number;
}

/** What a receipt says without its opening: the same for all credentials of a batch. */
export type Anchored = (receipt: Receipt, clock: number) => Promise<ReceiptVerdict>;

/** Judges the receipt that came with a credential. `anchored` checks all of it but the opening, and remembers. */
export async function checkAnchor(
  credential: Credential,
  receipt: Receipt | ReceiptError | undefined,
  clock: number,
  at: number | undefined,
  anchored: Anchored,
): Promise<Anchor> {
  if (receipt === undefined) return { found: found("anchor.none", null) };
  if (receipt instanceof ReceiptError) return refused(receipt);
  const verdict = await anchored(receipt, clock);
  if ("error" in verdict) return refused(verdict.error);
  const { facts } = verdict;
  try {
    const { act } = LedgerRecord.parse(receipt.content.record);
    checkOpening(receipt.opening, act, { algorithm: "sha2-256", bytes: credentialDigest(credential) });
  } catch (error) {
    if (error instanceof ReceiptError) return refused(error);
    throw error;
  }
  const evidence = factsJson(facts);
  if (facts.author !== credential.issuer) return { found: { reason: "anchor.other-author", evidence } };
  const inOffice = verdict.kind === "confirmed";
  const reason = at !== undefined && at < facts.time ? "anchor.after" : inOffice ? "anchor.ok" : "anchor.unconfirmed";
  return { found: { reason, evidence }, issued: facts.time };
}

const REASONS: Partial<Readonly<Record<ReceiptError["code"], ReasonCode>>> = {
  "receipt.unknown-network": "anchor.other-network",
  "receipt.document-differs": "anchor.other-document",
  "receipt.not-a-notarisation": "anchor.other-document",
};

function refused(error: ReceiptError): Anchor {
  const reason = REASONS[error.code] ?? (error.isCannotTell ? "anchor.incomplete" : "anchor.invalid");
  return { found: found(reason, { error: error.code, detail: error.message }) };
}

function factsJson(facts: Facts): Json {
  return jsonObject({
    time: facts.time,
    height: facts.height,
    index: facts.index,
    record: facts.record,
    author: facts.author,
    origin: facts.origin,
    witnesses: facts.witnesses.map(({ name, operator, country }) => jsonObject({ name, operator, country })),
    validators: facts.validators,
    in_office_until: facts.inOfficeUntil,
    anchored_at: facts.anchoredAt ?? null,
  });
}
