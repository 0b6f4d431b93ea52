// How the vectors of records and receipts are judged here: as `testamur verify` and the other implementations' tests do.

import { readFileSync } from "node:fs";

import { parse } from "../../../src/verify/dist/base/json.js";
import { digestDocument } from "../../../src/verify/dist/records/commitment.js";
import { Receipt, ReceiptError, verifyReceipt } from "../../../src/verify/dist/records/receipt.js";
import { Record, RecordError } from "../../../src/verify/dist/records/record.js";
import { TrustFile } from "../../../src/verify/dist/records/trust.js";

const vectors = new URL("../../../../tests/vectors/", import.meta.url);

/** A file of the golden vectors. */
export function load(name) {
  return new Uint8Array(readFileSync(new URL(name, vectors)));
}

/** A JSON file of the golden vectors, as JavaScript reads it. */
export function loadJson(name) {
  return JSON.parse(readFileSync(new URL(name, vectors), "utf8"));
}

/** The strict reader's value of what JavaScript has. */
export function strict(value) {
  return parse(JSON.stringify(value));
}

const trusted = new Map();

/** A trust file of the vectors, read once. */
export function trustNamed(name, read = load) {
  let found = trusted.get(name);
  if (found === undefined) {
    found = TrustFile.decode(read(name));
    trusted.set(name, found);
  }
  return found;
}

/** Exit code and slug of a receipt, as `testamur verify` gives them. `document` is the document's bytes, if there is one. */
export async function judgeReceiptBytes(bytes, trust, at, document) {
  let receipt;
  try {
    receipt = Receipt.decode(bytes);
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error;
    return [error.isCannotTell ? 4 : 3, error.code];
  }
  const digest = document && digestDocument(receipt.digestAlgorithm ?? "sha2-256", document);
  const verdict = await verifyReceipt(receipt, trust, at, digest);
  switch (verdict.kind) {
    case "confirmed":
      return [0, "confirmed"];
    case "out-of-office":
      return [5, "out-of-office"];
    case "not-valid":
      return [3, verdict.error.code];
    default:
      return [4, verdict.error.code];
  }
}

/** As {@link judgeReceiptBytes}, of a case of `receipts.json`; `read` gives the bytes of a file that it names. */
export function judgeReceipt(testCase, read = load) {
  const document = testCase.document === undefined ? undefined : new Uint8Array(Buffer.from(testCase.document, "base64"));
  const trust = trustNamed(testCase.trust, read);
  return judgeReceiptBytes(read(testCase.receipt), trust, testCase.at, document);
}

/** The code with which a record is refused in a block of a network at a time, or null. */
export async function judgeRecord(bytes, network, time) {
  try {
    const record = Record.parse(bytes);
    record.checkAdmission(network, time);
    await record.verifyDidKey();
    return null;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return error.code;
  }
}
