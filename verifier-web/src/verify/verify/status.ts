/**
 * Step 5: not withdrawn, as of a state that is fresh.
 *
 * The lists of this ledger are looked at by the state: it says which version of the issuer's list, and of its two companions, is in
 * force, or that there is none, and by which digest its bits are found. Tokens of other servers are worth what their signature is.
 */

import type { Json } from "../base/json.js";
import { jsonObject } from "../base/json.js";
import type { Credential, StatusPointer } from "../credentials/credential.js";
import { CLOCK_SKEW_S, STATUS_POINTERS_MAX } from "../credentials/limits.js";
import type { Lists, Proofs } from "../credentials/proofs.js";
import { SUSPENDED as SUSPENDED_VALUE, Token, TokenFault } from "../credentials/statustoken.js";
import type { Did, DidUrl } from "../records/did.js";
import { didOf, fragmentOf, isDidUrl } from "../records/did.js";
import { checkMethod, findMethod } from "../state/identity.js";
import type { StatusPurpose } from "../state/status.js";
import type { TokenFormat } from "../state/tokens.js";
import { REPLACED, SUSPENDED, baseOf, placeOf } from "./pointer.js";
import type { ReasonCode } from "./reason.js";
import { found } from "./report.js";
import type { Found } from "./report.js";
import type { View } from "./view.js";

/** Entries that a list of another server has at least: fewer give away whose entry is asked for. */
const STATUS_ENTRIES_MIN = 131_072;

/** How fresh an answer must be. */
export class Freshness {
  /** The time that the answer is about. */
  readonly about: number;
  /** The clock, or the state's time where that is later. */
  readonly clock: number;
  private readonly toCome: boolean;
  private readonly acceptedS: number;

  constructor(about: number, clock: number, at: number | undefined, acceptedS: number) {
    this.about = about;
    this.clock = clock;
    // Nobody knows what will be withdrawn later.
    this.toCome = at !== undefined && at > clock;
    this.acceptedS = acceptedS;
  }

  /** Whether what was known at a time says something of the time that is asked about. */
  reaches(known: number): boolean {
    return !this.toCome && Math.max(0, this.about - known) <= this.acceptedS;
  }
}

/** What the step works with, beside the credential. */
export interface StatusContext {
  /** What the ledger's own addresses begin with. */
  readonly publicBase: string;
  /** What the state says. */
  readonly view: View | undefined;
  /** The state's time. */
  readonly stateTime: number | undefined;
  /** Lists and tokens at hand. */
  readonly proofs: Proofs;
  /** How fresh the answer must be. */
  readonly fresh: Freshness;
  /** Reads a token; remembered by the verifier. */
  readonly token: (format: TokenFormat, text: string) => Token;
}

/** What one entry says. */
interface Entry {
  readonly reason: ReasonCode;
  readonly evidence: Json;
}

/** A list of the ledger as a credential names it. */
interface Named {
  readonly list: string;
  readonly purpose: StatusPurpose | undefined;
}

/** A place in a list and its companions. */
interface Asked {
  readonly base: string;
  readonly index: bigint;
  readonly named: Named[];
}

/** Looks a credential up in the lists that it names. */
export async function checkStatus(credential: Credential, context: StatusContext): Promise<Found> {
  if (credential.status.length > STATUS_POINTERS_MAX) {
    return found("status.unknown-list", { detail: "it names more lists than are looked at" });
  }
  const { view, stateTime } = context;
  const entries: Entry[] = [];
  // Pointers into a list and into its companions are one question.
  const asked: Asked[] = [];
  for (const pointer of credential.status) {
    const place = placeOf(pointer, context.publicBase);
    if (place.kind === "nowhere") {
      entries.push(ofPointer("status.unknown-list", pointer));
    } else if (place.kind === "elsewhere") {
      entries.push(await elsewhere(credential, pointer, context));
    } else if (place.issuer !== credential.issuer) {
      entries.push(ofPointer("status.other-issuer", pointer));
    } else {
      const base = baseOf(place.list);
      let question = asked.find((known) => known.base === base && known.index === pointer.index);
      if (question === undefined) asked.push((question = { base, index: pointer.index, named: [] }));
      question.named.push({ list: place.list, purpose: pointer.purpose });
    }
  }
  asked.sort((one, other) => compare(one.base, other.base) || compare(one.index, other.index));
  for (const question of asked) entries.push(...onLedger(question, view, context.proofs.lists));
  if (stateTime !== undefined && !context.fresh.reaches(stateTime)) {
    entries.push({ reason: "status.stale", evidence: jsonObject({ known_until: stateTime }) });
  }
  if (view === undefined && entries.length === 0) return found("status.no-proof", null);
  // A withdrawal decides, whatever else is unknown; then what is unknown. Of two that weigh the same, the last.
  let worst: ReasonCode = "status.none";
  let most = -1;
  for (const { reason } of entries) {
    if (weight(reason) < most) continue;
    most = weight(reason);
    worst = reason;
  }
  return found(worst, { known_until: stateTime ?? null, entries: entries.map(({ evidence }) => evidence) });
}

function compare<T extends string | bigint>(one: T, other: T): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** A token of another server. */
async function elsewhere(credential: Credential, pointer: StatusPointer, context: StatusContext): Promise<Entry> {
  const text = context.proofs.tokens.get(pointer.url);
  if (text === undefined) return ofPointer("status.no-proof", pointer);
  let token: Token;
  try {
    token = context.token(pointer.format, text);
  } catch (error) {
    if (!(error instanceof TokenFault)) throw error;
    const reason = error.kind === "too-large" ? "status.list-too-large" : "status.list-malformed";
    return { reason, evidence: jsonObject({ list: pointer.url, detail: error.message }) };
  }
  const reason = await judge(token, credential, pointer, context);
  const evidence = { list: pointer.url, index: whole(pointer.index), issued: whole(token.issued) };
  return { reason, evidence: jsonObject(evidence) };
}

/** What a token says, from what makes it worthless to what it is asked for. */
async function judge(
  token: Token,
  credential: Credential,
  pointer: StatusPointer,
  { view, fresh }: StatusContext,
): Promise<ReasonCode> {
  const { issuer } = credential;
  const kid = token.kid !== undefined && isDidUrl(token.kid) ? token.kid : undefined;
  const foreign = token.issuer !== undefined && token.issuer !== issuer;
  if (foreign || (kid !== undefined && didOf(kid) !== issuer)) return "status.other-issuer";
  const good = await signed(token, kid, issuer, view);
  if (good === undefined) return "status.no-proof";
  if (!good) return "status.list-signature";
  const otherPurpose = token.purpose !== undefined && pointer.purpose !== undefined && pointer.purpose !== token.purpose;
  if (token.url !== pointer.url || otherPurpose) return "status.list-other";
  if (token.size < STATUS_ENTRIES_MIN) return "status.list-too-short";
  const value = token.get(pointer.index);
  if (value === undefined) return "status.index";
  // A withdrawal is one, however old the list is that says so; a suspension may have been lifted since.
  if (token.issued > fresh.clock + CLOCK_SKEW_S) return "status.list-not-yet-valid";
  if (value !== 0) {
    const lifts = token.purpose === "suspension" || (token.purpose === undefined && value === SUSPENDED_VALUE);
    return lifts ? "status.suspended" : "status.revoked";
  }
  if (token.expires !== undefined && token.expires <= fresh.about) return "status.list-expired";
  return fresh.reaches(Number(token.issued)) ? "status.ok" : "status.stale";
}

/** Whether a key of the issuer's that was good for it has signed a token; none when the issuer's keys are not known. */
async function signed(
  token: Token,
  kid: DidUrl | undefined,
  issuer: Did,
  view: View | undefined,
): Promise<boolean | undefined> {
  const document = view?.documents.ok ? view.documents.value.newest : undefined;
  if (view === undefined || document === undefined) return undefined;
  if (kid === undefined || didOf(kid) !== issuer) return false;
  const method = findMethod(document, fragmentOf(kid));
  const good = method !== undefined && checkMethod(method, ["assertionMethod"], Number(token.issued)) === undefined;
  const key = good ? view.key(fragmentOf(kid)) : undefined;
  return key !== undefined && (await token.verifySignature(key.ready));
}

/** The entries of a list of the ledger and of its companions. */
function onLedger({ base, index, named }: Asked, view: View | undefined, lists: Lists): Entry[] {
  const unproven = (detail: string | null): Entry[] => [
    { reason: "status.no-proof", evidence: jsonObject({ list: base, index: whole(index), detail }) },
  ];
  if (view === undefined) return unproven(null);
  if (!view.lists.ok) return unproven(view.lists.detail);
  const listed = view.lists.value.get(base);
  if (listed === undefined) return unproven(null);
  const entries: Entry[] = [];
  const all = [
    [listed.own, "", "status.revoked"],
    [listed.suspended, SUSPENDED, "status.suspended"],
    [listed.replaced, REPLACED, "status.replaced"],
  ] as const;
  for (const [version, ending, withdrawn] of all) {
    const list = base + ending;
    const own = named.find((one) => one.list === list);
    if (version === "absent" || version === "later") {
      // A list that the credential names must exist; a companion need not.
      const evidence = jsonObject({ list, index: whole(index) });
      if (own) entries.push({ reason: "status.unknown-list", evidence });
      continue;
    }
    const { sha256, purpose, version: number } = version.status;
    const bits = lists.get(sha256);
    const reason = bits ? ofBit(bits, index, purpose, own, withdrawn) : "status.no-proof";
    const evidence = { list, index: whole(index), version: number, published: version.time };
    entries.push({ reason, evidence: jsonObject(evidence) });
  }
  return entries;
}

/** What a bit says. Older bits are kept for a while only, and whoever gathered the proofs may have left them out. */
function ofBit(
  bits: Uint8Array,
  index: bigint,
  purpose: StatusPurpose,
  named: Named | undefined,
  withdrawn: ReasonCode,
): ReasonCode {
  // The most significant bit of byte 0 is the first.
  const byte = index < BigInt(bits.length) * 8n ? bits[Number(index / 8n)] : undefined;
  // INV-LISTS-1: these are the bytes of the proven digest.
  if (byte === undefined) return named ? "status.index" : "status.list-malformed";
  if ((byte & (0x80 >> Number(index % 8n))) === 0) {
    const other = named?.purpose !== undefined && named.purpose !== purpose;
    return other ? "status.list-other" : "status.ok";
  }
  // A list of suspensions suspends, whatever it is called.
  if (purpose === "suspension") return "status.suspended";
  return withdrawn === "status.suspended" ? "status.revoked" : withdrawn;
}

function ofPointer(reason: ReasonCode, pointer: StatusPointer): Entry {
  return { reason, evidence: jsonObject({ list: pointer.url, index: whole(pointer.index) }) };
}

/** A number as JSON has it here: what is exact as a double is a number. */
function whole(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

const WEIGHTS: Partial<Record<ReasonCode, number>> = {
  "status.replaced": 20,
  "status.revoked": 19,
  "status.suspended": 18,
  "status.other-issuer": 17,
  "status.index": 16,
  "status.ok": 0,
  "status.stale": 1,
};

/** Which of several reasons decides. */
function weight(reason: ReasonCode): number {
  return WEIGHTS[reason] ?? 10;
}
