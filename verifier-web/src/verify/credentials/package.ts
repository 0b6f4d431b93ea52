/**
 * The diploma package: one file that verifies with no network, and says how old its status is.
 *
 * ```text
 * { "credential": "<text of the credential>",
 *   "evidence": { … },         the ledger's state: issuer, accreditations, schema, status entries, under one header
 *   "lists": [ "<base64url of zlib of the bits>", … ],
 *   "receipt": { … },          the anchor's receipt
 *   "type": "testamur-diploma-package", "v": 1 }
 * ```
 * Read in any spacing and order, except that the receipt is exactly its own RFC 8785 form, as its file is. `evidence`, `lists` and
 * `receipt` may be missing. A list is known by the SHA-256 of its bits, which the evidence has; a list that nothing names is
 * ignored. Proofs are checked where they are used.
 *
 * The diplomas of one graduation come with the same evidence and the same lists, byte for byte, and reading those costs more than
 * all the rest; so what they read as is remembered, and nothing of a credential is.
 */

import { equalBytes, fromBase64url, utf8 } from "../base/bytes.js";
import { inflateZlib } from "../base/inflate.js";
import { quoted } from "../base/text.js";
import { Receipt, ReceiptError } from "../records/receipt.js";
import { Evidence, EvidenceError } from "../state/evidence.js";
import { keysOfMembers, readMembers, readText, readTexts, shownName } from "./json.js";
import {
  EVIDENCE_BYTES_MAX,
  PACKAGE_BYTES_MAX,
  PACKAGE_LIST_BYTES_MAX,
  PACKAGE_LISTS_MAX,
  PACKAGE_MEMORY_BYTES_MAX,
} from "./limits.js";
import { type Presentation, presentationOfText } from "./presentation.js";
import { Lists } from "./proofs.js";
import { Refusal } from "./refusal.js";

/** The `type` of a package. */
export const PACKAGE_TYPE = "testamur-diploma-package";

const TYPE_BYTES = utf8(`"${PACKAGE_TYPE}"`);
const VERSION_BYTES = utf8("1");
const KNOWN: ReadonlySet<string> = new Set(["credential", "evidence", "lists", "receipt", "type", "v"]);

/** Reads a package, or any object that has a credential. Throws {@link Refusal} and nothing else. */
export function readPackage(bytes: Uint8Array): Presentation {
  if (bytes.length > PACKAGE_BYTES_MAX) throw Refusal.tooLarge(bytes.length, PACKAGE_BYTES_MAX);
  const members = readMembers(bytes);
  checkKind(members);
  const written = members.get("credential");
  if (written === undefined) throw Refusal.noCredential();
  const credential = readText(written);
  if (credential === undefined) throw Refusal.malformed("the member credential is not text");
  const presentation = presentationOfText(credential);
  const receipt = read(members.get("receipt"), receiptOf);
  const evidence = read(members.get("evidence"), evidenceOf);
  const lists = read(members.get("lists"), (list) => LISTS.of(list, listsOf)) ?? new Lists();
  return {
    ...presentation,
    proofs: { ...(evidence instanceof Evidence ? { evidence } : {}), lists, tokens: new Map() },
    ...(receipt === undefined ? {} : { receipt }),
    ...(evidence instanceof EvidenceError ? { evidenceError: evidence } : {}),
  };
}

/** Whether it is a package of a known version without foreign members, or an object that says nothing of what it is. */
function checkKind(members: ReadonlyMap<string, Uint8Array>): void {
  const type = members.get("type");
  if (type === undefined) return;
  if (!equalBytes(type, TYPE_BYTES)) {
    // A receipt or an evidence by itself, or somebody else's file.
    throw members.has("credential") ? Refusal.unknownFormat("an unknown type of file") : Refusal.noCredential();
  }
  const version = members.get("v");
  if (version === undefined || !equalBytes(version, VERSION_BYTES)) {
    throw Refusal.unknownFormat("an unknown version of a package");
  }
  const other = keysOfMembers(members).find((name) => !KNOWN.has(name));
  if (other !== undefined) throw Refusal.malformed(`a package has no member ${quoted(shownName(other))}`);
}

function read<T>(bytes: Uint8Array | undefined, as: (bytes: Uint8Array) => T): T | undefined {
  return bytes === undefined ? undefined : as(bytes);
}

function receiptOf(bytes: Uint8Array): Receipt | ReceiptError {
  try {
    return Receipt.decode(bytes);
  } catch (error) {
    if (error instanceof ReceiptError) return error;
    throw error;
  }
}

function evidenceOf(bytes: Uint8Array): Evidence | EvidenceError {
  try {
    return EVIDENCE.of(bytes, readEvidence);
  } catch (error) {
    if (error instanceof EvidenceError) return error;
    throw error;
  }
}

function readEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > EVIDENCE_BYTES_MAX) throw EvidenceError.malformed(`not the expected JSON: ${bytes.length} bytes are too many`);
  return Evidence.read(bytes);
}

function listsOf(bytes: Uint8Array): Lists {
  const texts = readTexts(bytes);
  if (texts === undefined) throw Refusal.malformed("lists is not a list of texts");
  if (texts.length > PACKAGE_LISTS_MAX) throw Refusal.malformed("more lists than a package has");
  return Lists.of(texts.map(listOf));
}

function listOf(text: string): Uint8Array {
  const zlib = fromBase64url(text);
  if (zlib === undefined) throw Refusal.malformed("a list is not unpadded base64url");
  const bits = inflateZlib(zlib, PACKAGE_LIST_BYTES_MAX);
  if (typeof bits === "string") throw Refusal.archive("a list is damaged, or unpacks to more than is read");
  return bits;
}

/** What bytes read as. It is found again only if all of its bytes are equal, so an answer is the same without. */
class Remembered<T> {
  private entries: { bytes: Uint8Array; value: T }[] = [];

  /** What these bytes read as. An error is found anew each time. */
  of(bytes: Uint8Array, read: (bytes: Uint8Array) => T): T {
    const found = this.entries.find((entry) => equalBytes(entry.bytes, bytes));
    if (found !== undefined) {
      this.entries = [found, ...this.entries.filter((entry) => entry !== found)];
      return found.value;
    }
    const value = read(bytes);
    this.entries.unshift({ bytes: bytes.slice(), value });
    let room = PACKAGE_MEMORY_BYTES_MAX;
    this.entries = this.entries.filter((entry) => (room -= entry.bytes.length) >= 0);
    return value;
  }
}

const EVIDENCE = new Remembered<Evidence>();
const LISTS = new Remembered<Lists>();
