/**
 * The reason codes: stable, closed, each with its step, what it makes of it, a sentence for a lay person and what to do next.
 *
 * Codes are a format: others act on them. The table is the one of FORMATS.md, which a test compares.
 */

/** The steps of a verification, in order. */
export const STEPS = [
  "readable",
  "signature",
  "issuer",
  "accreditation",
  "status",
  "anchor",
  "dates",
  "holder",
] as const;

/** A step of a verification. */
export type StepName = (typeof STEPS)[number];

/** How a step ended: good, wrong, undecided for want of something, or not looked at after an earlier failure. */
export type Outcome = "passed" | "failed" | "unknown" | "not-checked";

type Row = readonly [step: StepName, outcome: Exclude<Outcome, "not-checked">, sentence: string, next: string];

// `valid` stands for the whole of a valid answer and belongs to no step of its own.
const TABLE = {
  valid: ["readable", "passed", "This credential is genuine and in force.", ""],
  "readable.ok": ["readable", "passed", "The file could be read and is complete.", ""],
  "readable.unknown-format": [
    "readable",
    "unknown",
    "This is no credential of a format that is known here.",
    "Ask for the file that the issuer handed out: a PDF, a package or a credential.",
  ],
  "readable.too-large": [
    "readable",
    "unknown",
    "The file is larger than anything that is read here.",
    "Ask for the file that the issuer handed out.",
  ],
  "readable.no-credential": [
    "readable",
    "unknown",
    "The file holds no credential.",
    "Ask for the electronic original: a copy or a scan has lost what can be checked. Its QR code may still be read.",
  ],
  "readable.archive": [
    "readable",
    "unknown",
    "The file is damaged, or unpacks to more than is read here.",
    "Ask for the file again.",
  ],
  "readable.malformed": [
    "readable",
    "failed",
    "The credential is damaged or was not made by the rules of its format.",
    "Ask for the file again. If it stays so, ask the issuer.",
  ],
  "readable.duplicate-members": [
    "readable",
    "failed",
    "The credential says the same thing twice, so that it can be read in two ways.",
    "Do not rely on it. Ask the issuer.",
  ],
  "readable.incomplete": [
    "readable",
    "failed",
    "Something that every credential must say is missing.",
    "Ask the issuer for a correct one.",
  ],
  "readable.disclosure": [
    "readable",
    "failed",
    "A disclosed field does not belong to the credential.",
    "Do not rely on it. Ask the holder for the original.",
  ],
  "readable.schema": [
    "readable",
    "failed",
    "The content does not follow the schema that the credential names.",
    "Ask the issuer for a correct one.",
  ],
  "readable.schema-unknown": [
    "readable",
    "unknown",
    "The schema that the credential names is not on the ledger, or could not be looked up.",
    "Ask the issuer which schema it follows.",
  ],
  "signature.ok": ["signature", "passed", "Nothing was altered since it was signed.", ""],
  "signature.missing": [
    "signature",
    "failed",
    "The signature was taken away.",
    "Do not rely on it. Ask for the original.",
  ],
  "signature.algorithm": [
    "signature",
    "failed",
    "The signature is of a kind that proves nothing here, or does not fit the issuer's key.",
    "Do not rely on it. Ask for the original.",
  ],
  "signature.key-unknown": [
    "signature",
    "failed",
    "The key it says to be signed with is not the issuer's.",
    "Do not rely on it. Ask the issuer.",
  ],
  "signature.invalid": [
    "signature",
    "failed",
    "It was altered after it was signed, or never signed by this issuer.",
    "Do not rely on it. Ask for the original, or the issuer.",
  ],
  "signature.no-proof": [
    "signature",
    "unknown",
    "The issuer's key is not known here, so the signature could not be checked.",
    "Connect to the ledger, or ask for a diploma package.",
  ],
  "signature.foreign-print": [
    "signature",
    "failed",
    "The credential inside is genuine; this PDF is not the issuer's.",
    "Do not rely on what is printed. Ask for the original PDF, or check the attached credential by itself.",
  ],
  "signature.print-not-bound": [
    "signature",
    "unknown",
    "The credential inside does not vouch for the page around it.",
    "Rely on the credential's own fields only, or ask for the issuer's PDF.",
  ],
  "issuer.ok": ["issuer", "passed", "The issuer is registered on the ledger, and the key was in its hands.", ""],
  "issuer.not-registered": [
    "issuer",
    "failed",
    "Nobody of this identifier is registered on the ledger.",
    "Do not rely on it. Ask the institution that it names.",
  ],
  "issuer.foreign-did": [
    "issuer",
    "unknown",
    "The issuer's identifier is of a kind that this ledger does not register.",
    "Check it with the service that the issuer names.",
  ],
  "issuer.other-network": [
    "issuer",
    "unknown",
    "The proofs are of a ledger that is not installed here.",
    "Get that network's trust file from its operators, and install it.",
  ],
  "issuer.evidence": [
    "issuer",
    "unknown",
    "The proofs that came with it do not hold.",
    "Connect to the ledger, or ask another node.",
  ],
  "issuer.no-proof": [
    "issuer",
    "unknown",
    "Who issued it could not be looked up.",
    "Connect to the ledger, or ask for a diploma package.",
  ],
  "issuer.key-not-yet-valid": [
    "issuer",
    "failed",
    "The issuer's key was not in use yet when it was issued.",
    "Do not rely on it. Ask the issuer.",
  ],
  "issuer.key-ended": [
    "issuer",
    "failed",
    "The issuer's key had ended when it was issued.",
    "Do not rely on it. Ask the issuer.",
  ],
  "issuer.key-ended-unanchored": [
    "issuer",
    "unknown",
    "The issuer's key has ended, and nothing shows that this was issued before.",
    "Ask for the electronic original with its receipt: the PDF file or the package.",
  ],
  "issuer.key-compromised": [
    "issuer",
    "failed",
    "The issuer declared its key to be in other hands at that time.",
    "Do not rely on it. Ask the issuer for a new one.",
  ],
  "issuer.key-purpose": [
    "issuer",
    "failed",
    "The issuer's key is not one for signing credentials.",
    "Do not rely on it. Ask the issuer.",
  ],
  "accreditation.ok": [
    "accreditation",
    "passed",
    "The issuer was accredited to award this, up to the ministry at the root.",
    "",
  ],
  "accreditation.not-accredited": [
    "accreditation",
    "failed",
    "The issuer was never accredited on this ledger.",
    "Do not rely on it. Ask the authority that accredits in that country.",
  ],
  "accreditation.not-in-place": [
    "accreditation",
    "failed",
    "The issuer was not accredited yet when it was issued.",
    "Ask the issuer, or the authority that accredited it.",
  ],
  "accreditation.ended": [
    "accreditation",
    "failed",
    "The issuer's accreditation had ended when it was issued.",
    "Do not rely on it. Ask the authority that accredited it.",
  ],
  "accreditation.ended-unanchored": [
    "accreditation",
    "unknown",
    "The issuer's accreditation has ended, and nothing shows that this was issued before.",
    "Ask for the electronic original with its receipt: the PDF file or the package.",
  ],
  "accreditation.dates": [
    "accreditation",
    "failed",
    "It was issued outside the dates of the issuer's accreditation.",
    "Ask the issuer, or the authority that accredited it.",
  ],
  "accreditation.schema": [
    "accreditation",
    "failed",
    "The issuer is accredited, but not for credentials of this schema.",
    "Ask the authority that accredited it.",
  ],
  "accreditation.type": [
    "accreditation",
    "failed",
    "The issuer is accredited, but not for this kind of credential.",
    "Ask the authority that accredited it.",
  ],
  "accreditation.level": [
    "accreditation",
    "failed",
    "The issuer is accredited, but not for this level of qualification.",
    "Ask the authority that accredited it.",
  ],
  "accreditation.jurisdiction": [
    "accreditation",
    "failed",
    "The issuer is accredited, but not for this country or region.",
    "Ask the authority that accredited it.",
  ],
  "accreditation.chain": [
    "accreditation",
    "failed",
    "An accreditation above the issuer does not hold.",
    "Do not rely on it. Ask the ministry at the root.",
  ],
  "accreditation.no-proof": [
    "accreditation",
    "unknown",
    "Whether the issuer was accredited could not be looked up.",
    "Connect to the ledger, or ask for a diploma package.",
  ],
  "status.ok": ["status", "passed", "It was not withdrawn.", ""],
  "status.none": ["status", "passed", "Its issuer gave it no place in a list of withdrawn credentials.", ""],
  "status.revoked": ["status", "failed", "The issuer has withdrawn it.", "Ask the holder or the issuer."],
  "status.suspended": [
    "status",
    "failed",
    "The issuer has suspended it.",
    "Ask the holder or the issuer, or check again later.",
  ],
  "status.replaced": ["status", "failed", "The issuer has replaced it by another.", "Ask the holder for the new one."],
  "status.stale": [
    "status",
    "unknown",
    "It was valid on the date shown; whether it was withdrawn since is not known.",
    "Connect to confirm.",
  ],
  "status.no-proof": [
    "status",
    "unknown",
    "Whether it was withdrawn could not be looked up.",
    "Connect to the ledger, or ask for a newer diploma package.",
  ],
  "status.unknown-list": [
    "status",
    "unknown",
    "The list of withdrawn credentials that it names does not exist.",
    "Ask the issuer.",
  ],
  "status.index": [
    "status",
    "failed",
    "The place that it names is beyond the end of the list of withdrawn credentials.",
    "Do not rely on it. Ask the issuer.",
  ],
  "status.other-issuer": [
    "status",
    "failed",
    "It points to a list of withdrawn credentials that is not its issuer's.",
    "Do not rely on it. Ask the issuer.",
  ],
  "status.list-malformed": [
    "status",
    "unknown",
    "The list of withdrawn credentials cannot be read.",
    "Ask the issuer.",
  ],
  "status.list-too-large": [
    "status",
    "unknown",
    "The list of withdrawn credentials unpacks to more than is read here.",
    "Ask the issuer.",
  ],
  "status.list-too-short": [
    "status",
    "unknown",
    "The list of withdrawn credentials is too short to keep anybody's privacy.",
    "Ask the issuer.",
  ],
  "status.list-signature": [
    "status",
    "unknown",
    "The list of withdrawn credentials is not signed by the issuer.",
    "Ask the issuer.",
  ],
  "status.list-expired": [
    "status",
    "unknown",
    "The list of withdrawn credentials is out of date.",
    "Fetch it again, or ask the issuer.",
  ],
  "status.list-not-yet-valid": [
    "status",
    "unknown",
    "The list of withdrawn credentials is dated in the future.",
    "Check this machine's clock, or ask the issuer.",
  ],
  "status.list-other": [
    "status",
    "unknown",
    "The list at hand is another one than the credential names.",
    "Fetch the right one, or ask the issuer.",
  ],
  "anchor.ok": ["anchor", "passed", "The ledger witnessed it at the time shown.", ""],
  "anchor.none": [
    "anchor",
    "passed",
    "It came without a receipt of the ledger, and does not need one while its issuer's key and accreditation are in force.",
    "",
  ],
  "anchor.other-document": [
    "anchor",
    "failed",
    "The receipt that came with it is of something else.",
    "Do not rely on it. Ask for the original.",
  ],
  "anchor.other-network": [
    "anchor",
    "unknown",
    "The receipt is of a ledger that is not installed here.",
    "Get that network's trust file from its operators, and install it.",
  ],
  "anchor.invalid": [
    "anchor",
    "failed",
    "The receipt that came with it does not hold.",
    "Do not rely on it. Ask for the original.",
  ],
  "anchor.unconfirmed": [
    "anchor",
    "unknown",
    "The receipt's witnesses are no longer in office.",
    "Refresh the receipt, or ask the issuer for a newer package.",
  ],
  "anchor.incomplete": [
    "anchor",
    "unknown",
    "The receipt lacks the part that shows this credential.",
    "Ask the issuer for the receipt that belongs to it.",
  ],
  "anchor.other-author": [
    "anchor",
    "failed",
    "The receipt that came with it was not made by the issuer.",
    "Do not rely on it. Ask for the original.",
  ],
  "anchor.after": ["anchor", "failed", "It did not exist at the time asked about.", "Choose a later time."],
  "dates.ok": ["dates", "passed", "It is within its dates.", ""],
  "dates.expired": ["dates", "failed", "It has expired.", "Ask the holder for a renewed one."],
  "dates.not-yet-valid": ["dates", "failed", "It is not valid yet.", "Check again from the date shown."],
  "dates.inverted": ["dates", "failed", "Its end lies before its beginning.", "Ask the issuer for a correct one."],
  "holder.bound": [
    "holder",
    "passed",
    "It was issued to the key of a wallet.",
    "Ask the holder to show it from that wallet.",
  ],
  "holder.key": ["holder", "failed", "The holder's key that it names is no key.", "Ask the issuer for a correct one."],
  "holder.proof": [
    "holder",
    "failed",
    "The holder's proof that came with it does not hold.",
    "Ask the holder to show it again, from the wallet that it was issued to.",
  ],
  "holder.unbound": [
    "holder",
    "passed",
    "It is bound to no wallet.",
    "Compare name and birth date with an identity document.",
  ],
} as const satisfies Readonly<Record<string, Row>>;

/** A stable reason code. */
export type ReasonCode = keyof typeof TABLE;

/** What a reason says. */
export interface Reason {
  /** The step it belongs to. */
  readonly step: StepName;
  /** What it makes of its step. */
  readonly outcome: Exclude<Outcome, "not-checked">;
  /** A sentence for a lay person, in English. */
  readonly sentence: string;
  /** What to do next; empty when there is nothing to do. */
  readonly next: string;
}

/** All reason codes, in the order of the steps. */
export const REASON_CODES = Object.keys(TABLE) as readonly ReasonCode[];

/** What a reason says. */
export function reasonOf(code: ReasonCode): Reason {
  const [step, outcome, sentence, next] = TABLE[code];
  return { step, outcome, sentence, next };
}
