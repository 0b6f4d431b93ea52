import type { Checked, CheckedItem } from '../ledger/types.js';
import { plain, pretty } from './data.js';

/** What is known of a file that was checked. */
export interface FileFacts {
  /** Its name. */
  name: string;
  /** Its length. */
  bytes?: number;
  /** Whether it is a link that carries the diploma. */
  link?: boolean;
  /** Its SHA-256, in hexadecimal, if this browser can say. */
  sha256?: string;
}

/** Hands a file to the reader. Nothing is sent: the browser writes it to the device. */
export function download(name: string, type: string, content: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // Some browsers read it only after the click was dealt with.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A name that every system takes for a file. */
export function fileName(stem: string, ending: string): string {
  const safe = stem.normalize('NFC').replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+|[.-]+$/g, '').slice(0, 80);
  return `${safe === '' ? 'testamur' : safe}.${ending}`;
}

/** A diploma that was checked. */
export interface Outcome {
  readonly facts: FileFacts;
  readonly checked: Checked;
  readonly item: CheckedItem;
}

/** A report of one diploma, with all that it rests on. */
export function reportOf(outcome: Outcome): string {
  return pretty(contentOf(outcome));
}

/** A report of several. */
export function reportOfAll(outcomes: readonly Outcome[]): string {
  return pretty({ v: 1, type: 'testamur-checks', checks: outcomes.map(contentOf) });
}

function contentOf({ facts: file, checked, item }: Outcome): unknown {
  const { name, origin, genesisHash, installed } = checked.network;
  return {
    v: 1,
    type: 'testamur-check',
    checked_at: checked.checkedAt,
    file,
    network: { name, origin, genesis: genesisHash, installed_by_reader: installed },
    report: plain(item.report),
    nodes: checked.nodes,
    source: item.source,
    evidence: item.evidence,
    receipt: item.receipt,
    // Of what was not signed by who it says, nothing is kept as if it were.
    credential: isVerified(item) ? item.credential : undefined,
  };
}

/** Whether the signature was checked and is good. */
export function isVerified(item: CheckedItem): boolean {
  const signature = item.report.steps.find((step) => step.step === 'signature');
  return signature?.outcome === 'passed' || item.report.subject !== undefined;
}

/** SHA-256 in hexadecimal; none where the browser has no such thing on this kind of address. */
export async function sha256(bytes: Uint8Array): Promise<string | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) return undefined;
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
