/**
 * The files that people send, opened: a PDF's attached files, a ZIP's entries, anything else as it is.
 *
 * Who sends them: anybody, to an employer, who drops them on a verifier. So every size is bounded before memory is taken, a
 * container within a container is opened only once (a PDF in a ZIP), and what is found is handed on unread: whether it is a
 * credential is for the presentation's reader to say.
 */

import { fromUtf8 } from "../base/bytes.js";
import { FILE_BYTES_MAX } from "../credentials/limits.js";
import { ascii, find, latin1, startsWith, trimEnd, trimStart } from "./bytes.js";
import { OpenError } from "./error.js";
import { ZIP_BYTES_MAX, ZIP_ENTRIES_MAX, ZIP_NAME_CHARS_MAX, ZIP_RATIO_MAX, ZIP_SMALL } from "./limits.js";
import { attachedFiles, isPdf } from "./pdf.js";
import type { PdfFile } from "./pdf.js";
import { peekType } from "./peek.js";
import { printDigest, split } from "./print.js";
import type { Print } from "./print.js";
import { nameText, packedBytes, unpack, zipEntries } from "./zip-directory.js";

/** Name under which a diploma's PDF has the compact credential attached. */
export const COMPACT_NAME = "compact.txt";

/** Something that may be a credential, a package or a link, and what came with it. */
export interface Item {
  /** Where in the container it was: `weber.pdf/credential.sd-jwt`; empty for a plain file. */
  readonly name: string;
  /** The credential or package. */
  readonly bytes: Uint8Array;
  /** The receipt that lay beside it. */
  readonly receipt?: Uint8Array;
  /** What is known of the PDF it came in. */
  readonly print: Print;
}

/** What was inside a file. */
export interface Opened {
  /** What can be verified, in the order of the container. */
  readonly items: readonly Item[];
  /** Entries of a ZIP that hold nothing to verify or cannot be opened, by name. */
  readonly refused: readonly { readonly name: string; readonly error: OpenError }[];
}

/**
 * Opens a PDF, a ZIP, or anything else as it is.
 *
 * @throws OpenError
 */
export function openFile(bytes: Uint8Array): Opened {
  if (bytes.length > FILE_BYTES_MAX) throw OpenError.tooLarge(bytes.length);
  if (isZip(bytes)) return openZip(bytes);
  const items = isPdf(bytes) ? pdfItems("", bytes) : [{ name: "", bytes, print: undefined }];
  return { items, refused: [] };
}

/** The compact credential that a PDF has attached ({@link COMPACT_NAME}), for links and codes. */
export function compactOf(pdf: Uint8Array): string | undefined {
  if (pdf.length > FILE_BYTES_MAX || !isPdf(pdf)) return undefined;
  try {
    const file = pdfFiles(pdf).files.find((found) => found.name === COMPACT_NAME);
    return file && fromUtf8(file.bytes);
  } catch (error) {
    if (error instanceof OpenError) return undefined;
    throw error;
  }
}

/** What a PDF has attached. */
function pdfItems(name: string, bytes: Uint8Array): Item[] {
  const { files, print } = pdfFiles(bytes);
  // One document, one answer: its other forms (the compact credential, other formats) are left out if one is named the source.
  const sources = files.some((file) => file.source && contentOf(file.bytes) === "candidate");
  const wanted = files.filter((file) => file.source || !sources || contentOf(file.bytes) === "receipt");
  const items = paired(wanted);
  if (items.length === 0) throw OpenError.noCredential();
  return items.map((item) => ({ ...item, print, name: name === "" ? item.name : `${name}/${item.name}` }));
}

function pdfFiles(bytes: Uint8Array): { files: readonly PdfFile[]; print: Print } {
  // INV-PRINT-1: an update that is the issuer's is re-made and compared; only what is not goes through the lenient reader.
  const own = split(bytes);
  if (own === undefined) return { files: attachedFiles(bytes), print: { digest: printDigest(bytes), whole: false } };
  const files = own.files.map((file) => ({
    name: file.name,
    bytes: file.bytes,
    source: file.relationship === "Source",
  }));
  return { files, print: { digest: printDigest(bytes.subarray(0, own.end)), whole: true } };
}

interface Named {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Credentials and packages among files, each with the receipt that belongs to it. */
function paired(files: readonly Named[]): Item[] {
  const of = (content: Content): readonly Named[] => files.filter((file) => contentOf(file.bytes) === content);
  const [receipts, candidates] = [of("receipt"), of("candidate")];
  const single = candidates.length === 1 && receipts.length === 1;
  return candidates.map(({ name, bytes }) => {
    const named = [0, 1].map((near) => receipts.find((receipt) => kinship(name, receipt.name) === near));
    const receipt = named[0] ?? named[1] ?? (single ? receipts[0] : undefined);
    return { name, bytes, print: undefined, ...(receipt && { receipt: receipt.bytes }) };
  });
}

/** How near a receipt's name is to a credential's; `weber.jwt` has `weber.jwt.receipt.json` before `weber.receipt.json`. */
function kinship(credential: string, receipt: string): 0 | 1 | undefined {
  const file = receipt.endsWith(".json") ? receipt.slice(0, -".json".length) : receipt;
  const stem = file.endsWith(".receipt") || file.endsWith("-receipt") ? file.slice(0, -".receipt".length) : file;
  if (stem === credential) return 0;
  const dot = credential.lastIndexOf(".");
  const bare = dot < 0 || credential.includes("/", dot) ? credential : credential.slice(0, dot);
  return stem === bare ? 1 : undefined;
}

/**
 * What a file looks like from outside: JSON that says to be a receipt; text that begins like a credential (`ey…`), JSON, or a
 * link; pictures, letters, anything else.
 */
type Content = "receipt" | "candidate" | "other";

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

function contentOf(bytes: Uint8Array): Content {
  const text = trimEnd(trimStart(startsWith(bytes, BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes));
  if (text[0] === 0x7b) return peekType(text) === "testamur-receipt" ? "receipt" : "candidate";
  const start = latin1(text.subarray(0, 8));
  const link = /^https?:\/\//i.test(start);
  return start.startsWith("ey") || start.startsWith('"ey') || link ? "candidate" : "other";
}

const ENTRY = ascii("PK\x03\x04");
const EMPTY = ascii("PK\x05\x06");
const CENTRAL = ascii("PK\x01\x02");

/** Whether it begins like a ZIP: with an entry, or empty. */
function isZip(bytes: Uint8Array): boolean {
  return startsWith(bytes, ENTRY) || startsWith(bytes, EMPTY);
}

/**
 * Opens what is inside, entry by entry: one that cannot be opened does not keep the others from being verified. What breaks the
 * bounds of the whole breaks the whole.
 */
function openZip(bytes: Uint8Array): Opened {
  let signatures = 0;
  for (let at = find(bytes, CENTRAL); at >= 0; at = find(bytes, CENTRAL, at + 1)) signatures++;
  if (signatures > ZIP_ENTRIES_MAX) throw OpenError.container(`more than ${ZIP_ENTRIES_MAX} entries`);
  const items: Item[] = [];
  const refused: { name: string; error: OpenError }[] = [];
  const files: Named[] = [];
  let left = ZIP_BYTES_MAX;
  zipEntries(bytes).forEach((entry, index) => {
    const refuse = (name: string, why: string): void => void refused.push({ name, error: OpenError.container(why) });
    const packed = packedBytes(bytes, entry);
    if (packed === undefined) {
      refuse(`entry ${index + 1}`, "it is encrypted or damaged");
      return;
    }
    const name = Array.from(nameText(entry)).slice(0, ZIP_NAME_CHARS_MAX).join("").replace(/\p{Cc}/gu, "\ufffd");
    const last = name.split("/").pop() ?? "";
    // Folders, and what file managers add.
    if (last === "" || last.startsWith(".") || name.startsWith("__MACOSX/")) return;
    const most = Math.min(Math.max(entry.packed * ZIP_RATIO_MAX, ZIP_SMALL), left);
    const content = unpack(entry, packed, most);
    if (content === "too-large") throw OpenError.container(`${name} inflates beyond the bounds`);
    if (content === "damaged") {
      refuse(name, "it does not unpack");
      return;
    }
    left -= content.length;
    if (isPdf(content)) {
      try {
        items.push(...pdfItems(name, content));
      } catch (error) {
        if (!(error instanceof OpenError)) throw error;
        refused.push({ name, error });
      }
    } else if (isZip(content)) {
      refuse(name, "a ZIP within a ZIP is not opened");
    } else if (contentOf(content) === "other") {
      refused.push({ name, error: OpenError.noCredential() });
    } else {
      files.push({ name, bytes: content });
    }
  });
  items.push(...paired(files));
  const nothing = items.length === 0 && refused.every(({ error }) => error.fault === "no-credential");
  if (nothing) throw OpenError.noCredential();
  return { items, refused };
}
