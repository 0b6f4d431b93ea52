/** The fields of an SD-JWT that its holder shows: which there are, and the text with some of them kept back. */

import { compareUtf8 } from "../base/bytes.js";
import { quoted, splitOnce } from "../base/text.js";
import { applyDisclosures } from "./disclosures.js";
import { parseCredential } from "./format.js";
import { splitDisclosures } from "./sdjwt.js";

/** Why fields cannot be chosen: a credential that shows all or nothing, or a field that is not there to be disclosed. */
export class DiscloseError extends Error {
  /** Which of both. */
  readonly kind: "format" | "unknown";

  /** An error of a kind. */
  constructor(kind: "format" | "unknown", message: string) {
    super(message);
    this.name = "DiscloseError";
    this.kind = kind;
  }
}

/** The fields that a holder of this text can show or keep back. Throws {@link DiscloseError} or a refusal of the text. */
export function disclosable(text: string): string[] {
  return [...new Set(partsOf(text).names)].sort(compareUtf8);
}

/**
 * The credential with these fields shown and all others kept back. What a key-binding JWT covers has changed then, so it is left
 * out. Throws {@link DiscloseError} or a refusal of the text.
 */
export function disclose(text: string, names: readonly string[]): string {
  const parts = partsOf(text);
  const unknown = names.find((name) => !parts.names.includes(name));
  if (unknown !== undefined) throw new DiscloseError("unknown", `there is no field ${quoted(unknown)} to disclose`);
  const shown = parts.given.filter((_, index) => names.includes(parts.names[index] ?? ""));
  return [parts.issued, ...shown, ""].join("~");
}

/** The signed part, the disclosures, and of each the claim that it is part of. */
function partsOf(text: string): { issued: string; given: readonly string[]; names: readonly string[] } {
  const credential = parseCredential(text);
  if (credential.format !== "sd-jwt") {
    const what = "only an SD-JWT lets its holder choose what to disclose";
    throw new DiscloseError("format", `${what}; this credential is ${credential.format}`);
  }
  const [issued, rest] = splitOnce(text, "~") ?? [text, ""];
  const { given } = splitDisclosures(rest);
  return { issued, given, names: applyDisclosures(credential.jws.payload, given).partsOf };
}
