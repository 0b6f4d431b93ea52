// Signed notes and verifier keys (C2SP signed-note v1.0.0).
//
// A note is a text that ends in a newline, an empty line, and signature lines
// `— <key name> base64(4-byte key id ‖ signature)`. Lines of unknown keys are kept and ignored.

import { base64, concat, equalBytes, fromBase64, fromHex, hex, utf8 } from "../base/bytes.js";
import { VerifyError } from "../base/errors.js";
import { sha256 } from "../base/hash.js";
import { NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX } from "./limits.js";

/** Signature type of a log's Ed25519 signature over the text itself. */
export const TYPE_ED25519 = 0x01;
/** Signature type of an Ed25519 `cosignature/v1` (C2SP tlog-cosignature). */
export const TYPE_COSIGNATURE_V1 = 0x04;

/** Why a text is not a signed note or a verifier key. */
export type NoteReason = "text" | "structure" | "line" | "verifier-key";

const MESSAGES: { readonly [reason in NoteReason]: string } = {
  text: "not a signed note: control characters, or too long",
  structure: "not a signed note: text and signatures must be parted by an empty line",
  line: "not a signed note: malformed signature line",
  "verifier-key": "not a verifier key: expected <name>+<8 hex digits>+<base64>",
};

/** A text that is not a signed note or a verifier key. */
export class NoteError extends VerifyError {
  /** Why. */
  readonly reason: NoteReason;

  constructor(reason: NoteReason) {
    super(`note.${reason}`, MESSAGES[reason]);
    this.reason = reason;
  }
}

/** First four bytes of SHA-256(name ‖ "\n" ‖ type ‖ public key). */
export function keyId(name: string, signatureType: number, key: Uint8Array): Uint8Array {
  return sha256(utf8(name), utf8("\n"), Uint8Array.of(signatureType), key).subarray(0, 4);
}

/** A verifier key: `<name>+<key id>+base64(type ‖ key)`. */
export interface VerifierKey {
  /** Key name. */
  readonly name: string;
  /** Signature type. */
  readonly signatureType: number;
  /** Ed25519 public key. */
  readonly key: Uint8Array;
}

/** The text of a verifier key. */
export function verifierKeyText({ name, signatureType, key }: VerifierKey): string {
  const material = concat(Uint8Array.of(signatureType), key);
  return `${name}+${hex(keyId(name, signatureType, key))}+${base64(material)}`;
}

/** Reads a verifier key. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, id, ...rest] = text.split("+");
  const material = rest.length === 0 ? undefined : fromBase64(rest.join("+"));
  const given = id === undefined ? undefined : fromHex(id);
  if (name === undefined || material === undefined || given === undefined || material.length !== 33) {
    throw new NoteError("verifier-key");
  }
  const [signatureType, key] = [material[0] ?? 0, material.subarray(1)];
  if (!isKeyName(name) || !equalBytes(keyId(name, signatureType, key), given)) throw new NoteError("verifier-key");
  return { name, signatureType, key };
}

/** One signature line. */
export interface SignatureLine {
  /** Key name. */
  readonly name: string;
  /** Key id. */
  readonly id: Uint8Array;
  /** What follows the key id. */
  readonly signature: Uint8Array;
}

/** A text with signatures. */
export interface Note {
  /** The text, ending in a newline. */
  readonly text: string;
  /** The signature lines. */
  readonly signatures: readonly SignatureLine[];
}

/** Reads a note. What parses formats to the same text. */
export function parseNote(note: string): Note {
  if (utf8(note).length > NOTE_BYTES_MAX || /[\u0000-\u0009\u000b-\u001f]/.test(note)) throw new NoteError("text");
  const split = note.lastIndexOf("\n\n");
  if (split < 0) throw new NoteError("structure");
  const rest = note.slice(split + 2);
  if (!rest.endsWith("\n")) throw new NoteError("structure");
  const lines = rest.slice(0, -1).split("\n");
  const signatures = lines.slice(0, NOTE_SIGNATURES_MAX + 1).map(parseLine);
  if (signatures.length > NOTE_SIGNATURES_MAX) throw new NoteError("line");
  return { text: note.slice(0, split + 1), signatures };
}

function parseLine(line: string): SignatureLine {
  const space = line.indexOf(" ", 2);
  if (!line.startsWith("— ") || space < 0) throw new NoteError("line");
  const name = line.slice(2, space);
  const body = fromBase64(line.slice(space + 1));
  if (body === undefined || body.length <= 4 || !isKeyName(name)) throw new NoteError("line");
  return { name, id: body.subarray(0, 4), signature: body.subarray(4) };
}

/** Non-empty, no white space (Unicode's property, which JavaScript's `\s` is not), no plus sign. */
function isKeyName(name: string): boolean {
  return /^[^\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]+$/.test(name);
}
