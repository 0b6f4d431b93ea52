/** What a verification says. */

import { jsonObject } from "../base/json.js";
import type { Json, JsonObject } from "../base/json.js";
import type { Format } from "../credentials/credential.js";
import { STEPS, reasonOf } from "./reason.js";
import type { Outcome, ReasonCode, StepName } from "./reason.js";

/** The answer: every step passed or did not apply; one failed; none failed, and one could not be decided. */
export type Verdict = "valid" | "not-valid" | "cannot-tell";

/** A step of a report. */
export interface StepReport {
  /** Which. */
  readonly step: StepName;
  /** How it ended. */
  readonly outcome: Outcome;
  /**
   * Why; also says what was good, where there are several ways. Of a step that was not looked at: the reason that ended the
   * verification.
   */
  readonly reason: ReasonCode;
  /** What it rests on: plain JSON, for people and machines. */
  readonly evidence: Json;
}

/** What a verification says of a credential. Its members are those of its JSON. */
export interface Report {
  /** Format version. */
  readonly v: 1;
  /** The answer. */
  readonly verdict: Verdict;
  /** The reason that decides it: of the first step that failed, else of the first that could not be decided, else `valid`. */
  readonly reason: ReasonCode;
  /** The time the answer is about. */
  readonly at: number;
  /** As of when the ledger's state is proven; none without proof. */
  readonly as_of?: number;
  /** The credential's format, if it could be read. */
  readonly format?: Format;
  /** All eight steps, in order. */
  readonly steps: readonly StepReport[];
  /** What it attests; none unless the signature was checked and is good: nothing is shown of what anybody may have written. */
  readonly subject?: JsonObject;
}

/** A step's reason, and what it rests on. */
export interface Found {
  /** The reason. */
  readonly reason: ReasonCode;
  /** What it rests on. */
  readonly evidence: Json;
}

/** What a step found. `null` in evidence stands for what is not there. */
export function found(reason: ReasonCode, evidence: { readonly [name: string]: Json } | null): Found {
  return { reason, evidence: evidence && jsonObject(evidence) };
}

/** Why a step has no answer: nothing proves what it needs. */
export function noProof(detail?: string): Json {
  return detail === undefined ? null : jsonObject({ detail });
}

/** A step that was looked at. */
export function step({ reason, evidence }: Found): StepReport {
  return { step: reasonOf(reason).step, outcome: reasonOf(reason).outcome, reason, evidence };
}

/** The steps after these, which are not looked at. */
export function notChecked(steps: readonly StepReport[], reason: ReasonCode): StepReport[] {
  const rest = STEPS.slice(steps.length);
  return [...steps, ...rest.map((name) => ({ step: name, outcome: "not-checked" as const, reason, evidence: null }))];
}

/** The report of eight steps. */
export function conclude(
  steps: readonly StepReport[],
  at: number,
  more: { asOf?: number | undefined; format?: Format; subject?: JsonObject } = {},
): Report {
  const subject = more.subject && Object.keys(more.subject).length > 0 ? more.subject : undefined;
  return {
    v: 1,
    ...verdictOf(steps),
    at,
    ...(more.asOf !== undefined && { as_of: more.asOf }),
    ...(more.format && { format: more.format }),
    steps,
    ...(subject && { subject }),
  };
}

/**
 * The answer that eight steps make, and the reason that decides it.
 *
 * - INV-VERIFY-1: *valid* only if no step failed, none is unknown, and all were looked at.
 */
export function verdictOf(steps: readonly StepReport[]): { verdict: Verdict; reason: ReasonCode } {
  const complete = steps.length === STEPS.length && steps.every(({ step: name }, at) => name === STEPS[at]);
  if (!complete) throw new RangeError("a report has all eight steps, in order");
  const first = (outcome: Outcome): StepReport | undefined => steps.find((one) => one.outcome === outcome);
  const failed = first("failed");
  if (failed) return { verdict: "not-valid", reason: failed.reason };
  const unknown = first("unknown") ?? first("not-checked");
  if (unknown) {
    // Without the issuer's key nothing can be said of the signature: why there is none is the issuer's step to say.
    const issuer = steps[STEPS.indexOf("issuer")];
    const saysWhy = unknown.reason === "signature.no-proof" && issuer?.outcome === "unknown";
    return { verdict: "cannot-tell", reason: saysWhy ? issuer.reason : unknown.reason };
  }
  if (!steps.every(({ outcome }) => outcome === "passed")) throw new RangeError("INV-VERIFY-1");
  return { verdict: "valid", reason: "valid" };
}
