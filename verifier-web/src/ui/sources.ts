import { loadQr } from '../ledger/shell.js';
import type { CheckInput } from '../ledger/types.js';
import type { Translator } from './i18n.js';
import { type FileFacts, sha256 } from './save.js';

/** Bytes of a file that are read: as much as the verifier itself reads. */
export const FILE_BYTES_MAX = 32 * 1024 * 1024;

/** Files that are checked at once. */
export const FILES_MAX = 200;

/** Why something could not even be given to the verifier, in the reader's language. */
export type Problem = (i18n: Translator) => string;

/** A thing to check: read when its turn comes, so that many files do not fill the memory. */
export interface Source {
  /** How it is called, where it has a name of its own. */
  name: string | undefined;
  /** Reads it. */
  read(): Promise<{ input: CheckInput; facts: FileFacts } | Problem>;
}

/** Pasted text, a link, or what was in a QR code. */
export function textSource(text: string, name: string): Source {
  const input: CheckInput = { kind: 'text', text };
  const facts: FileFacts = /^\s*https?:/i.test(text) ? { name, link: true } : { name };
  return { name, read: () => Promise.resolve({ input, facts }) };
}

/** Files to check: a receipt goes with the diploma that it is named after. */
export function fileSources(files: readonly File[]): Source[] {
  const receipts = files.filter((file) => isReceiptName(file.name));
  const rest = files.filter((file) => !isReceiptName(file.name));
  const taken = new Set<File>();
  const sources = rest.map((file) => {
    const alone = rest.length === 1 && receipts.length === 1 ? receipts[0] : undefined;
    const receipt =
      receipts.find((one) => one.name.toLowerCase() === `${file.name.toLowerCase()}.receipt.json`) ??
      receipts.find((one) => stem(one.name) === stem(file.name) && !taken.has(one)) ??
      alone;
    if (receipt !== undefined) taken.add(receipt);
    return fileSource(file, receipt);
  });
  return [...sources, ...receipts.filter((one) => !taken.has(one)).map((one) => fileSource(one, undefined))];
}

/** Whether a file says by its name to be a receipt. */
export function isReceiptName(name: string): boolean {
  return /\.receipt\.json$/i.test(name);
}

/** Reads a file whole, unless it is too large or cannot be read. */
export async function readFile(file: File, most: number): Promise<Uint8Array | Problem> {
  if (file.size > most) return (i18n) => i18n.t('error.too-large', { size: i18n.size(most) });
  if (file.size === 0) return (i18n) => i18n.t('error.empty');
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    // A folder, or a file that was taken away meanwhile.
    return (i18n) => i18n.t('error.unreadable');
  }
}

function fileSource(file: File, receipt: File | undefined): Source {
  return {
    name: file.name,
    async read() {
      const bytes = await readFile(file, FILE_BYTES_MAX);
      if (typeof bytes === 'function') return bytes;
      const digest = await sha256(bytes);
      const facts: FileFacts = { name: file.name, bytes: bytes.length, ...(digest === undefined ? {} : { sha256: digest }) };
      if (isPicture(bytes)) {
        const text = await codeIn(file);
        return typeof text === 'string' ? { input: { kind: 'text', text }, facts } : text;
      }
      const along = receipt === undefined ? undefined : await readFile(receipt, FILE_BYTES_MAX);
      const input: CheckInput = { kind: 'file', name: file.name, bytes };
      return { input: along instanceof Uint8Array ? { ...input, receipt: along } : input, facts };
    },
  };
}

async function codeIn(picture: File): Promise<string | Problem> {
  try {
    return await (await loadQr()).decodeImage(picture);
  } catch {
    return (i18n) => i18n.t('error.no-qr');
  }
}

/** Whether bytes begin as pictures do that browsers show: PNG, JPEG, GIF, WebP. */
function isPicture(bytes: Uint8Array): boolean {
  const begins = (at: number, ...marks: number[]): boolean => marks.every((mark, index) => bytes[at + index] === mark);
  return (
    begins(0, 0x89, 0x50, 0x4e, 0x47) ||
    begins(0, 0xff, 0xd8, 0xff) ||
    begins(0, 0x47, 0x49, 0x46, 0x38) ||
    (begins(0, 0x52, 0x49, 0x46, 0x46) && begins(8, 0x57, 0x45, 0x42, 0x50))
  );
}

function stem(name: string): string {
  return (name.split('.')[0] ?? '').toLowerCase();
}
