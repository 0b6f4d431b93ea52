// What is known of a document: by its receipt, offline; or by its digest, which is then sent to nodes because somebody asked for it.
import {
  digestBytes,
  DIGEST_ALGORITHMS,
  findCredentials,
  fromBase64url,
  fromHex,
  hasher,
  hex,
  Receipt,
  ReceiptError,
  Refusal,
  verifyReceipt,
  type DigestAlgorithm,
  type DocumentDigest,
  type TrustFile,
} from '@testamur/verify';

import { Fault } from './fault.js';
import { FILE_BYTES_MAX, NODES_AT_ONCE, NOTARISATIONS_MAX, READ_BYTES, RECEIPT_BYTES_MAX } from './limits.js';
import type { Node } from './node.js';
import type { CheckOptions, DocumentAnswer, DocumentInput, NodeAnswer, ProvenEntry } from './types.js';

/** Where documents are looked up. */
export interface Documents {
  readonly trust: TrustFile;
  readonly nodes: readonly Node[];
  /** This device's clock, in seconds. */
  now(): number;
}

/** Says what is known of a document. */
export async function lookUp(where: Documents, input: DocumentInput, options: CheckOptions): Promise<DocumentAnswer> {
  const { signal } = options;
  if (input.kind === 'receipt') return byReceipt(where, input.receipt, undefined, options);
  if (input.kind === 'hash') return byDigest(where, readDigest(input.hash, input.alg), signal);
  if (input.receipt !== undefined) return byReceipt(where, input.receipt, input.file, options);
  // A diploma's digest is nobody's business, and the ledger has no entry for it anyway.
  if (await isDiploma(input.file)) throw new DocumentError('document.diploma', 'it is a diploma');
  return byDigest(where, await digestOf(input.file, 'sha2-256', signal), signal);
}

/** Verifies a receipt, with or without its document. Nobody is asked. */
async function byReceipt(
  { trust, now }: Documents,
  bytes: Uint8Array,
  file: Blob | undefined,
  { at, signal }: CheckOptions,
): Promise<DocumentAnswer> {
  const receipt = decode(bytes);
  if (receipt instanceof ReceiptError) {
    const outcome = receipt.isCannotTell ? 'cannot-tell' : 'not-valid';
    const swapped = file !== undefined && (await isReceipt(file));
    return { kind: 'receipt', outcome, code: receipt.code, detail: receipt.message, swapped };
  }
  // A receipt that compares with no document is told so by the verification, which looks at that before the digest: so any
  // algorithm will do for it.
  const digest = file && (await digestOf(file, receipt.digestAlgorithm ?? 'sha2-256', signal));
  const verdict = await verifyReceipt(receipt, trust, at ?? now(), digest);
  const document = digest === undefined ? {} : { alg: digest.algorithm, digest: hex(digest.bytes) };
  if (verdict.kind === 'confirmed' || verdict.kind === 'out-of-office') {
    return { kind: 'receipt', outcome: verdict.kind, facts: verdict.facts, ...document, swapped: false };
  }
  const { code, message } = verdict.error;
  return { kind: 'receipt', outcome: verdict.kind, code, detail: message, ...document, swapped: false };
}

function decode(bytes: Uint8Array): Receipt | ReceiptError {
  try {
    return Receipt.decode(bytes);
  } catch (error) {
    if (error instanceof ReceiptError) return error;
    throw error;
  }
}

/** The mistake that is made most: the two files the wrong way round. */
async function isReceipt(file: Blob): Promise<boolean> {
  if (file.size > RECEIPT_BYTES_MAX) return false;
  return decode(new Uint8Array(await file.arrayBuffer())) instanceof Receipt;
}

async function isDiploma(file: Blob): Promise<boolean> {
  if (file.size > FILE_BYTES_MAX) return false;
  const found = findCredentials(new Uint8Array(await file.arrayBuffer()));
  return found.some(({ presented }) => !(presented instanceof Refusal));
}

/** Looks public entries up at several nodes, and proves each by its receipt. What one node leaves out, another may have. */
async function byDigest(where: Documents, digest: DocumentDigest, signal?: AbortSignal): Promise<DocumentAnswer> {
  const asked = where.nodes.slice(0, NODES_AT_ONCE);
  const found = await Promise.all(asked.map((node) => ask(where, node, digest, signal)));
  if (signal?.aborted === true) throw new DOMException('the lookup was given up', 'AbortError');
  const entries = new Map<string, ProvenEntry>();
  for (const one of found) {
    for (const entry of one.entries) entries.set(entry.facts.record, entry);
  }
  return {
    kind: 'lookup',
    alg: digest.algorithm,
    digest: hex(digest.bytes),
    entries: [...entries.values()].sort((a, b) => a.facts.index - b.facts.index),
    more: found.some((one) => one.more),
    nodes: found.map((one) => one.node),
  };
}

/** What one node proves of a document. */
interface Asked {
  readonly entries: readonly ProvenEntry[];
  readonly more: boolean;
  readonly node: NodeAnswer;
}

async function ask(where: Documents, node: Node, digest: DocumentDigest, signal?: AbortSignal): Promise<Asked> {
  const patience = signal ?? new AbortController().signal;
  const entries: ProvenEntry[] = [];
  try {
    const list = await node.notarisations(digest.algorithm, hex(digest.bytes), NOTARISATIONS_MAX, patience);
    for (const record of list.records) {
      const bytes = await node.receipt(record, patience);
      if (bytes === undefined) {
        throw new Fault(node.name, 'lies', 'receipt.missing', `it lists record ${record} and has no receipt of it`);
      }
      entries.push(await proven(where, node, record, bytes, digest));
    }
    const detail = entries.length === 0 ? 'it lists no public entry' : `it proved ${entries.length} entries`;
    return { entries, more: list.more, node: { node: node.name, state: 'ok', code: 'ok', detail } };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // What was proven before stays proven.
    return { entries, more: false, node: error.answer() };
  }
}

async function proven(
  { trust, now }: Documents,
  node: Node,
  record: string,
  bytes: Uint8Array,
  digest: DocumentDigest,
): Promise<ProvenEntry> {
  const refuse = (error: ReceiptError): Fault => new Fault(node.name, 'lies', error.code, error.message);
  const receipt = decode(bytes);
  if (receipt instanceof ReceiptError) throw refuse(receipt);
  const verdict = await verifyReceipt(receipt, trust, now(), digest);
  if (verdict.kind !== 'confirmed' && verdict.kind !== 'out-of-office') throw refuse(verdict.error);
  if (verdict.facts.record !== record) {
    throw new Fault(node.name, 'lies', 'client.bad-answer', 'it gave the receipt of another record than the one asked for');
  }
  return { facts: verdict.facts, outcome: verdict.kind, receipt: new TextDecoder().decode(bytes) };
}

/** Why nothing is looked up. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';

  constructor(
    /** A digest that cannot be read; or a file that is a diploma, whose digest no node is told. */
    readonly code: 'document.digest' | 'document.diploma',
    message: string,
  ) {
    super(message);
  }
}

/** A digest as tools print it: hexadecimal in either case, or base64url. Without a name the algorithm is SHA-256. */
function readDigest(text: string, name = 'sha2-256'): DocumentDigest {
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === name);
  if (algorithm === undefined) throw new DocumentError('document.digest', `${name} is no algorithm of a digest`);
  const plain = text.trim();
  const size = digestBytes(algorithm);
  const bytes = plain.length === 2 * size ? fromHex(plain.toLowerCase()) : fromBase64url(plain);
  if (bytes === undefined || bytes.length !== size) {
    throw new DocumentError('document.digest', `a ${name} digest has ${2 * size} hexadecimal digits`);
  }
  return { algorithm, bytes };
}

/** Reads a file piece by piece: it may be larger than the memory, and the page stays usable. */
async function digestOf(file: Blob, algorithm: DigestAlgorithm, signal?: AbortSignal): Promise<DocumentDigest> {
  const state = hasher(algorithm);
  for (let at = 0; at < file.size; at += READ_BYTES) {
    if (signal?.aborted === true) throw new DOMException('the check was given up', 'AbortError');
    state.update(new Uint8Array(await file.slice(at, at + READ_BYTES).arrayBuffer()));
  }
  return state.digest();
}
