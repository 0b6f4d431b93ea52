// What this package offers. Everything is pure: no network, no clock, no storage. README.md has an example.

// Bytes, JSON and keys, read as the ledger's formats are.
export { base64url, equalBytes, fromBase64url, fromHex, fromUtf8, hex, utf8 } from "./base/bytes.js";
export { VerifyError } from "./base/errors.js";
export { sha256, sha256hex } from "./base/hash.js";
export { isArray, isObject, jcs, jsonObject, JsonFloat, member, parse as parseJson, toPlain } from "./base/json.js";
export type { Json, JsonObject } from "./base/json.js";
export { KeyError, PublicKey } from "./base/keys.js";
export type { Jwk, JwsAlgorithm } from "./base/keys.js";
export { formatRfc3339, parseRfc3339 } from "./base/time.js";

// Records, blocks and receipts.
export { digestBytes, digestDocument, DIGEST_ALGORITHMS, hasher } from "./records/commitment.js";
export type { DigestAlgorithm, DocumentDigest, Hasher } from "./records/commitment.js";
export { isDid, isKeyDid, isLedgerDid, methodOf } from "./records/did.js";
export type { Did, DidUrl } from "./records/did.js";
export { decodeHeader } from "./records/header.js";
export type { Header } from "./records/header.js";
export { parseNote } from "./records/note.js";
export type { Note } from "./records/note.js";
export { confirmDocument, Receipt, ReceiptError, verifyReceipt } from "./records/receipt.js";
export type { Facts, ReceiptVerdict, Witness } from "./records/receipt.js";
export { Record, RecordError } from "./records/record.js";
export { TrustError, TrustFile } from "./records/trust.js";

// State of the ledger, proven.
export { Evidence, EvidenceError, ProvenState } from "./state/evidence.js";
export { DamagedState, NotProven, Recorder } from "./state/state.js";
export type { StateReader } from "./state/state.js";
export { accredited, ChainRefusal, TrustChain, trustChain } from "./state/chain.js";
export { didObject } from "./state/identity.js";
export { schemaObject } from "./state/schemas.js";
export type { StatusEntry } from "./state/status.js";

// Credentials, and what comes with them.
export { parseCredential } from "./credentials/format.js";
export type { Credential, Format } from "./credentials/credential.js";
export { isLink, makeLink, parseLink } from "./credentials/link.js";
export { readPresentation, presentationOfText } from "./credentials/presentation.js";
export type { Presentation } from "./credentials/presentation.js";
export { Lists, noProofs } from "./credentials/proofs.js";
export type { Proofs } from "./credentials/proofs.js";
export { Refusal } from "./credentials/refusal.js";

// Files that hold credentials.
export { openFile } from "./files/open.js";
export type { Opened } from "./files/open.js";
export type { Print } from "./files/print.js";

// What a verification asks the ledger, and what it says.
export { questionKey, questionOf, readLedger } from "./verify/ledger.js";
export type { LedgerView, Question } from "./verify/ledger.js";
export { companionOf, REPLACED, SUSPENDED } from "./verify/pointer.js";
export { REASON_CODES, reasonOf, STEPS } from "./verify/reason.js";
export type { Outcome, Reason, ReasonCode, StepName } from "./verify/reason.js";
export type { Report, StepReport, Verdict } from "./verify/report.js";
export { answerOf, checkFile, findCredentials, networkOf, Verifiers } from "./verify/check.js";
export type { Answer, CheckOptions, FoundCredential, NamedReport } from "./verify/check.js";
export { policyNow, presented, Verifier, withProofs } from "./verify/verifier.js";
export type { Policy, Presented } from "./verify/verifier.js";
