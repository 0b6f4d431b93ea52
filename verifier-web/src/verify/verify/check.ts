/** From a file to reports, without any network: opened, read, and verified with the proofs that came along or are handed in. */

import { FILE_BYTES_MAX } from "../credentials/limits.js";
import { readPresentation } from "../credentials/presentation.js";
import type { Presentation } from "../credentials/presentation.js";
import type { Proofs } from "../credentials/proofs.js";
import { Refusal } from "../credentials/refusal.js";
import { OpenError } from "../files/error.js";
import { openFile } from "../files/open.js";
import type { Opened } from "../files/open.js";
import type { Print } from "../files/print.js";
import { Receipt, ReceiptError } from "../records/receipt.js";
import type { TrustFile } from "../records/trust.js";
import type { ReasonCode } from "./reason.js";
import type { Report, Verdict } from "./report.js";
import { Verifier, presented, withProofs } from "./verifier.js";
import type { Policy } from "./verifier.js";

/** A credential of a file, or why there is none. */
export interface FoundCredential {
  /** Where in a container it was; none when the file is the credential. */
  readonly name?: string;
  /** The credential with what came along, the receipt that lay beside it included; or why it is none. */
  readonly presented: Presentation | Refusal;
  /** The PDF that it came in. */
  readonly print: Print;
}

/** The network that what came with a credential is of, by its own word: a genesis hash. */
export function networkOf({ presented: read }: FoundCredential): string | undefined {
  if (read instanceof Refusal) return undefined;
  const receipt = read.receipt instanceof Receipt ? read.receipt.content.network.genesis : undefined;
  return read.proofs.evidence?.network.genesis ?? receipt;
}

/**
 * Everything in a file that can be verified, at least one.
 *
 * @param receipt one that was handed in beside the file, which counts where the file itself has none
 */
export function findCredentials(bytes: Uint8Array, receipt?: Uint8Array): FoundCredential[] {
  let opened: Opened;
  try {
    opened = openFile(bytes);
  } catch (error) {
    if (error instanceof OpenError) return [{ presented: refusalOf(error), print: undefined }];
    throw error;
  }
  const all = opened.items.map((item): FoundCredential => {
    const beside = item.receipt ?? receipt;
    const read = withReceipt(reading(item.bytes), beside);
    return { ...(item.name !== "" && { name: item.name }), presented: read, print: item.print };
  });
  for (const { name, error } of opened.refused) all.push({ name, presented: refusalOf(error), print: undefined });
  return all.length > 0 ? all : [{ presented: Refusal.noCredential(), print: undefined }];
}

function reading(bytes: Uint8Array): Presentation | Refusal {
  try {
    return readPresentation(bytes);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

function withReceipt(read: Presentation | Refusal, beside: Uint8Array | undefined): Presentation | Refusal {
  if (read instanceof Refusal || read.receipt !== undefined || beside === undefined) return read;
  try {
    return { ...read, receipt: Receipt.decode(beside) };
  } catch (error) {
    if (error instanceof ReceiptError) return { ...read, receipt: error };
    throw error;
  }
}

function refusalOf(error: OpenError): Refusal {
  if (error.fault === "too-large") return Refusal.tooLarge(error.bytes, FILE_BYTES_MAX);
  if (error.fault === "no-credential") return Refusal.noCredential();
  return Refusal.archive("the container is damaged, encrypted or out of bounds");
}

/** A credential of a file, judged. */
export interface NamedReport extends Report {
  /** Where in a container it was; none when the file is the credential. */
  readonly name?: string;
}

/** The verifiers of the networks that are trusted here. */
export class Verifiers {
  /** One for each trust file, in order of preference; the first is asked where nothing says which network it is about. */
  readonly all: readonly Verifier[];
  private readonly first: Verifier;

  /** At least one trust file: without any, nobody would be trusted. */
  constructor(trusted: readonly TrustFile[]) {
    this.all = trusted.map((trust) => new Verifier(trust));
    const [first] = this.all;
    if (first === undefined) throw new RangeError("a verification needs a trust file");
    this.first = first;
  }

  /** The one to ask about something. */
  of(credential: FoundCredential): Verifier {
    const network = networkOf(credential);
    return this.all.find((verifier) => verifier.trust.network === network) ?? this.first;
  }

  /** Verifies with the proofs that came along; or with these in their place. */
  async judge(credential: FoundCredential, policy: Policy, proofs?: Proofs): Promise<NamedReport> {
    const own = presented(credential.presented, credential.print);
    const report = await this.of(credential).verify(proofs ? withProofs(own, proofs) : own, policy);
    return { ...(credential.name !== undefined && { name: credential.name }), ...report };
  }
}

/** The answer to one file. */
export interface Answer {
  /** The worst verdict of its reports: *not valid* before *cannot tell* before *valid*. */
  readonly verdict: Verdict;
  /** The reason of that report. */
  readonly reason: ReasonCode;
  /** All reports, in the order of the file; at least one. */
  readonly reports: readonly NamedReport[];
}

/** The answer that reports make: the first of the worst decides. */
export function answerOf(reports: readonly NamedReport[]): Answer {
  const [first] = reports;
  if (first === undefined) throw new RangeError("a file has a report");
  const weight = ({ verdict }: Report): number => ["valid", "cannot-tell", "not-valid"].indexOf(verdict);
  const worst = reports.reduce((so, next) => (weight(next) > weight(so) ? next : so), first);
  return { verdict: worst.verdict, reason: worst.reason, reports };
}

/** What {@link checkFile} may be told beside the file. */
export interface CheckOptions {
  /** What is asked, and when. */
  readonly policy: Policy;
  /** A receipt that was handed in beside the file. */
  readonly receipt?: Uint8Array;
  /** Proofs in place of those that came along. */
  readonly proofs?: Proofs;
}

/** Verifies everything in a file under a trust file, or under verifiers that are kept for the next file. */
export async function checkFile(
  trusted: TrustFile | Verifiers,
  bytes: Uint8Array,
  { policy, receipt, proofs }: CheckOptions,
): Promise<Answer> {
  const verifiers = trusted instanceof Verifiers ? trusted : new Verifiers([trusted]);
  const reports: NamedReport[] = [];
  for (const credential of findCredentials(bytes, receipt)) {
    reports.push(await verifiers.judge(credential, policy, proofs));
  }
  return answerOf(reports);
}
