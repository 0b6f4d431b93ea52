// What a verifier says of a receipt.

import { equalBytes, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError } from "../base/errors.js";
import { member, type Json } from "../base/json.js";
import { equalJwk, KeyError, PublicKey } from "../base/keys.js";
import { didObject, findMethod, readDidEntry } from "../state/identity.js";
import { StateProofError } from "../state/proof.js";
import type { Act } from "./acts.js";
import type { Certified } from "./checkpoint.js";
import {
  digestDocument,
  entryOf,
  equalDigests,
  formOf,
  leafOf,
  verifyBatch,
  type BatchLeaf,
  type DocumentDigest,
  type Opening,
} from "./commitment.js";
import { fragmentOf, type Did } from "./did.js";
import {
  decodeLinkHeader,
  EpochError,
  readEpochLink,
  type EpochLink,
  type TrustedEpoch,
  type ValidatorSet,
} from "./epoch.js";
import { decodeHeader, type Header } from "./header.js";
import { leafHash, MerkleError, verifyInclusion } from "./merkle.js";
import { malformed, ReceiptError, type AuthorState, type Receipt, type ReceiptContent } from "./receipt-file.js";
import { Record, RecordError } from "./record.js";
import type { TrustFile } from "./trust.js";

export { Receipt, ReceiptError } from "./receipt-file.js";
export type { AuthorState, ReceiptCode, ReceiptContent } from "./receipt-file.js";

/** A validator that cosigned. */
export interface Witness {
  /** Key name. */
  readonly name: string;
  /** Who runs it. */
  readonly operator: string;
  /** Its country. */
  readonly country: string;
}

/** What a verified receipt states. */
export interface Facts {
  /** The record's id. */
  readonly record: string;
  /** Who signed it. */
  readonly author: Did;
  /** The author's reference, if any. */
  readonly reference?: string;
  /** When: the block's time. */
  readonly time: number;
  /** Which block. */
  readonly height: number;
  /** Round of its decision. */
  readonly round: number;
  /** Where in the log. */
  readonly index: number;
  /** Log size of the checkpoint. */
  readonly logSize: number;
  /** The network. */
  readonly network: string;
  /** Its origin. */
  readonly origin: string;
  /** Who witnessed the block. */
  readonly witnesses: readonly Witness[];
  /** Validators of the epoch. */
  readonly validators: number;
  /** Until when these witnesses' keys are in office. */
  readonly inOfficeUntil: number;
  /** Whether a document was compared with the receipt. */
  readonly documentChecked: boolean;
  /** Height of the later checkpoint that the receipt is anchored under, if any. */
  readonly anchoredAt?: number;
}

/** What a verifier says of a receipt. */
export type ReceiptVerdict =
  | {
      /** A quorum in office witnessed it, or it is proven under a later trusted checkpoint. */
      readonly kind: "confirmed";
      readonly facts: Facts;
    }
  | {
      /** It verifies, but its witnesses' keys are no longer in office: refresh the receipt. Never green. */
      readonly kind: "out-of-office";
      readonly facts: Facts;
    }
  | {
      /** Something is wrong (`not-valid`), or something needed is missing (`cannot-tell`). */
      readonly kind: "not-valid" | "cannot-tell";
      readonly error: ReceiptError;
    };

/** Verifies a receipt against a trust file, at a time, with or without the document it is about. */
export async function verifyReceipt(
  receipt: Receipt,
  trust: TrustFile,
  now: number,
  document?: DocumentDigest,
): Promise<ReceiptVerdict> {
  try {
    const { facts, inOffice } = await check(receipt, trust, now, document);
    return { kind: inOffice ? "confirmed" : "out-of-office", facts };
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error;
    return { kind: error.isCannotTell ? "cannot-tell" : "not-valid", error };
  }
}

/** Verifies a receipt and that it is about this document. */
export function confirmDocument(
  receipt: Receipt,
  trust: TrustFile,
  now: number,
  document: Uint8Array,
): Promise<ReceiptVerdict> {
  // A record that notarises nothing is refused whatever the algorithm.
  const digest = digestDocument(receipt.digestAlgorithm ?? "sha2-256", document);
  return verifyReceipt(receipt, trust, now, digest);
}

async function check(
  { content }: Receipt,
  trust: TrustFile,
  now: number,
  document: DocumentDigest | undefined,
): Promise<{ readonly facts: Facts; readonly inOffice: boolean }> {
  if (content.network.genesis !== trust.network) {
    const next = "get its trust file from the network's operators";
    throw new ReceiptError(
      "receipt.unknown-network",
      `network ${content.network.genesis} is not installed here: ${next}`,
    );
  }
  if (content.network.origin !== trust.origin) {
    throw new ReceiptError("receipt.origin", "the origin is not that of the trusted network");
  }
  const header = readReceiptHeader(content.header);
  if (header.genesis !== trust.network) throw foreignHeader();
  const { epoch, certified } = certifyHeader(trust, header, content.note, content.validators, content.epochs);
  included(leafHash(utf8(content.record)), content.index, header.logSize, content.path, header.logRoot);
  const record = checkRecord(content.record, trust.network, header.time);
  await checkAuthor(content.author, record, header);
  checkOpening(content.opening, record.act, document);

  const anchoredAt = anchorInOffice(content.anchors, header, trust, now);
  const { validators } = epoch;
  const superseded = trust.pinned !== undefined && trust.pinned.epoch.epoch > epoch.epoch;
  const inOffice = !superseded && now <= validators.inOfficeUntil;
  const { act } = record;
  const reference = act.type === "notarise" || act.type === "notarise-batch" ? act.reference : undefined;
  const facts: Facts = {
    record: record.id,
    author: record.author,
    ...(reference === undefined ? {} : { reference }),
    time: header.time,
    height: header.height,
    round: certified.checkpoint.round,
    index: content.index,
    logSize: header.logSize,
    network: trust.network,
    origin: trust.origin,
    witnesses: certified.witnesses.map(({ name, operator, country }) => ({ name, operator, country })),
    validators: validators.validators.length,
    inOfficeUntil: validators.inOfficeUntil,
    documentChecked: document !== undefined,
    ...(anchoredAt === undefined ? {} : { anchoredAt }),
  };
  return { facts, inOffice: inOffice || anchoredAt !== undefined };
}

function foreignHeader(): ReceiptError {
  return new ReceiptError("receipt.header", "the header is malformed or of another network");
}

function readReceiptHeader(text: string): Header {
  try {
    return decodeHeader(text);
  } catch (error) {
    if (error instanceof CodecError) throw foreignHeader();
    throw error;
  }
}

function included(leaf: string, index: number, size: number, path: readonly string[], root: string): void {
  try {
    verifyInclusion(leaf, index, size, path, root);
  } catch (error) {
    if (!(error instanceof MerkleError)) throw error;
    throw new ReceiptError("receipt.inclusion", `the record is not in the log at this place: ${error.message}`);
  }
}

function refusedRecord(error: unknown): unknown {
  return error instanceof RecordError ? new ReceiptError("receipt.record", error.message) : error;
}

function checkRecord(text: string, network: string, time: number): Record {
  try {
    const record = Record.parse(text);
    record.checkAdmission(network, time);
    return record;
  } catch (error) {
    throw refusedRecord(error);
  }
}

/** Certifies a header with everything that a file brings for it: epochs, certificate, and the set it names. */
export function certifyHeader(
  trust: TrustFile,
  header: Header,
  note: string,
  validators: ValidatorSet,
  links: readonly EpochLink[],
): { readonly epoch: TrustedEpoch; readonly certified: Certified } {
  const found = certify(trust, header, note, links);
  // The hash covers all of a set.
  if (validators.hash !== found.epoch.validators.hash) {
    const why = "the validators in the receipt are not those of the trusted epoch";
    throw new ReceiptError("receipt.validators", why);
  }
  const pinned = trust.pinned?.header;
  if (pinned !== undefined && pinned.height === header.height && pinned.text !== header.text) {
    const next = "report this to the network's operators";
    throw new ReceiptError("receipt.contradiction", `the receipt contradicts the trust file's checkpoint: ${next}`);
  }
  return found;
}

/** Follows the epochs to the header's and checks its certificate there. */
function certify(
  trust: TrustFile,
  header: Header,
  note: string,
  links: readonly EpochLink[],
): { readonly epoch: TrustedEpoch; readonly certified: Certified } {
  const pinned = trust.pinned?.epoch;
  let epoch = pinned !== undefined && pinned.epoch <= header.epoch ? pinned : trust.genesisEpoch;
  try {
    for (const link of links) {
      // Links before the pinned epoch are older than what is trusted already.
      if (decodeLinkHeader(link).epoch >= epoch.epoch) epoch = epoch.follow(trust.origin, link);
    }
  } catch (error) {
    if (error instanceof EpochError) throw new ReceiptError("receipt.epoch", error.message);
    throw error;
  }
  try {
    return { epoch, certified: epoch.certify(trust.origin, header, note) };
  } catch (error) {
    if (!(error instanceof EpochError)) throw error;
    if (error.certificate === undefined) throw new ReceiptError("receipt.epoch", error.message);
    const noQuorum = error.certificate.reason === "no-quorum";
    throw new ReceiptError(noQuorum ? "receipt.no-quorum" : "receipt.certificate", error.certificate.message);
  }
}

/**
 * Checks the record's signature with the author's key, and that the key is the author's: a did:key names its key, and a
 * DID on the ledger has it in its document, proven under the header's state root. Whether the key might sign at that
 * time was part of the block's validity, which the quorum witnessed.
 */
async function checkAuthor(author: ReceiptContent["author"], record: Record, header: Header): Promise<void> {
  const known = author.state === undefined ? undefined : keyOnLedger(author.state, record, header);
  let key: PublicKey;
  try {
    if (known !== undefined) await record.verifySignature(known);
    key = known ?? (await record.verifyDidKey());
  } catch (error) {
    throw refusedRecord(error);
  }
  if (!equalJwk(key.toJwk(), author.jwk)) throw foreignKey();
}

function foreignKey(): ReceiptError {
  return new ReceiptError("receipt.author-key", "the author's key in the receipt is not the record's");
}

function keyOnLedger({ document, proof }: AuthorState, record: Record, header: Header): PublicKey {
  try {
    const entry = codec.fromCanonical(document, readDidEntry);
    proof.verify(header.stateRoot, didObject(record.author).head, utf8(document));
    const method = findMethod(entry, fragmentOf(record.kid));
    if (method === undefined) throw foreignKey();
    return PublicKey.fromJwk(method.key);
  } catch (error) {
    const refused = error instanceof CodecError || error instanceof StateProofError || error instanceof KeyError;
    throw refused ? foreignKey() : error;
  }
}

/** An anchor of kind `checkpoint`: a later block under whose history root the receipt's header lies. */
interface CheckpointAnchor {
  readonly header: string;
  readonly note: string;
  readonly epochs: readonly EpochLink[];
  readonly history: readonly string[];
}

function readCheckpointAnchor(value: Json): CheckpointAnchor {
  try {
    const anchor = codec.object(value, ["kind", "header", "note", "epochs", "history"]);
    return {
      header: codec.field(anchor, "header", codec.text),
      note: codec.field(anchor, "note", codec.text),
      epochs: codec.field(anchor, "epochs", codec.list(readEpochLink)),
      history: codec.field(anchor, "history", codec.list(codec.hash)),
    };
  } catch (error) {
    if (error instanceof CodecError) throw malformed(error.message);
    throw error;
  }
}

/** The height of a later checkpoint, by keys in office, under whose history the header lies. */
function anchorInOffice(
  anchors: readonly Json[],
  header: Header,
  trust: TrustFile,
  now: number,
): number | undefined {
  let best: number | undefined;
  for (const given of anchors) {
    if (member(given, "kind") !== "checkpoint") continue;
    const anchor = readCheckpointAnchor(given);
    const later = readReceiptHeader(anchor.header);
    const { epoch } = certify(trust, later, anchor.note, anchor.epochs);
    const leaf = leafHash(codec.hashBytes(header.hash));
    included(leaf, header.height, later.height, anchor.history, later.historyRoot);
    const superseded = trust.pinned !== undefined && trust.pinned.epoch.epoch > epoch.epoch;
    if (!superseded && now <= epoch.validators.inOfficeUntil) best = Math.max(best ?? 0, later.height);
  }
  return best;
}

/**
 * Checks that an opening shows a document of an act, and that it is the given one; without opening, that the act names
 * the document itself. Throws a {@link ReceiptError}.
 */
export function checkOpening(opening: Opening | undefined, act: Act, document: DocumentDigest | undefined): void {
  if (opening !== undefined) {
    const leaf = leafOf(opening);
    if (leaf === undefined || !isShown(opening, leaf, act)) {
      throw new ReceiptError("receipt.opening", "the opening does not show a document of this record");
    }
    if (document !== undefined && !equalDigests(document, leaf.digest)) throw otherDocument(document);
    return;
  }
  if (document === undefined) return;
  if (act.type === "notarise" && act.form === "digest") {
    const found = act.entries.some((entry) => equalBytes(entry, document.bytes));
    if (act.alg !== document.algorithm || !found) throw otherDocument(document);
  } else if (act.type === "notarise" || act.type === "notarise-batch") {
    const next = "the receipt that the author's gateway gave out has one";
    throw new ReceiptError(
      "receipt.opening-missing",
      `the record holds salted commitments and the receipt no opening: ${next}`,
    );
  } else {
    throw new ReceiptError("receipt.not-a-notarisation", "the record does not notarise documents");
  }
}

function otherDocument({ algorithm }: DocumentDigest): ReceiptError {
  const why = `the document is not the one that was notarised: its ${algorithm} differs`;
  return new ReceiptError("receipt.document-differs", why);
}

function isShown(opening: Opening, leaf: BatchLeaf, act: Act): boolean {
  if (act.type === "notarise") {
    const entry = act.entries[opening.index];
    const same = opening.path === undefined && act.alg === opening.alg && act.form === formOf(leaf);
    return same && entry !== undefined && equalBytes(entry, entryOf(leaf));
  }
  if (act.type !== "notarise-batch") return false;
  try {
    verifyBatch(opening, act.root, act.count);
    return true;
  } catch (error) {
    if (error instanceof MerkleError) return false;
    throw error;
  }
}
