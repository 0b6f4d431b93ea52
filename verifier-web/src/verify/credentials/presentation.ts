/**
 * What somebody hands in, read: a credential by itself, a package, or a link. Containers (PDF, zip) are opened by others.
 *
 * | what | told by |
 * | --- | --- |
 * | package | a JSON object with `"type": "testamur-diploma-package"` |
 * | `{"credential": "…"}`, with a `receipt` or without | a JSON object with the member `credential` |
 * | a link | `https://` or `http://` |
 * | the text of a credential of any format | everything else; also in quotes, as an API answers it |
 *
 * Line breaks that a mail program laid into a text are taken out: no format has white space in it.
 */

import { fromUtf8 } from "../base/bytes.js";
import type { Receipt, ReceiptError } from "../records/receipt.js";
import type { EvidenceError } from "../state/evidence.js";
import type { Credential } from "./credential.js";
import { parseCredential } from "./format.js";
import { CREDENTIAL_BYTES_MAX, FILE_BYTES_MAX } from "./limits.js";
import { isLink, parseLink } from "./link.js";
import { readPackage } from "./package.js";
import { noProofs, type Proofs } from "./proofs.js";
import { Refusal } from "./refusal.js";
import { keyBinding } from "./sdjwt.js";

/** What was handed in. */
export interface Presentation {
  /** The credential, read. */
  readonly credential: Credential;
  /** Its text. */
  readonly text: string;
  /** The key-binding JWT of an SD-JWT, not looked at: a diploma is shown by people, to people. */
  readonly keyBinding?: string;
  /** The receipt that came with it, or why it is none: a credential with a broken receipt is not one without. */
  readonly receipt?: Receipt | ReceiptError;
  /** The proofs that came with it. */
  readonly proofs: Proofs;
  /** Why the evidence that came with it is none. */
  readonly evidenceError?: EvidenceError;
}

/** Reads a credential that came by itself. Throws {@link Refusal} and nothing else. */
export function presentationOfText(given: string): Presentation {
  const text = given.replace(/[ \t\n\f\r]+/g, "");
  const credential = parseCredential(text);
  const binding = keyBinding(text);
  return { credential, text, proofs: noProofs(), ...(binding === undefined ? {} : { keyBinding: binding }) };
}

/** Reads what was handed in. Throws {@link Refusal} and nothing else. */
export function readPresentation(file: Uint8Array): Presentation {
  if (file.length > FILE_BYTES_MAX) throw Refusal.tooLarge(file.length, FILE_BYTES_MAX);
  const bytes = trim(hasByteOrderMark(file) ? file.subarray(3) : file);
  if (bytes[0] === 0x7b) return readPackage(bytes);
  // White space is no part of the text: a quarter of it would be a line break after three characters.
  const most = 2 * CREDENTIAL_BYTES_MAX;
  if (bytes.length > most) throw Refusal.tooLarge(bytes.length, most);
  const whole = fromUtf8(bytes);
  if (whole === undefined) throw Refusal.unknownFormat("neither text nor JSON");
  const isQuoted = whole.length > 1 && whole.startsWith('"') && whole.endsWith('"');
  const text = isQuoted ? whole.slice(1, -1) : whole;
  return presentationOfText(isLink(text) ? parseLink(text) : text);
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Bytes without white space of ASCII around them. */
function trim(bytes: Uint8Array): Uint8Array {
  const isSpace = (byte: number | undefined): boolean =>
    byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d;
  let [start, end] = [0, bytes.length];
  while (start < end && isSpace(bytes[start])) start++;
  while (start < end && isSpace(bytes[end - 1])) end--;
  return bytes.subarray(start, end);
}
