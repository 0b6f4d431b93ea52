// The record: a compact JWS (RFC 7515) signed by its author's own key; one leaf of the log.
//
//   leaf bytes = base64url(header) "." base64url(payload) "." base64url(signature)      ASCII, ≤ 65,535 bytes
//   id         = SHA-256(base64url(header) "." base64url(payload))                      the JWS signing input
//
// ECDSA signatures can be changed by anybody, so records are compared by id and never by bytes (INV-RECORD-1).

import { fromBase64url, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import type { Json } from "../base/json.js";
import { algorithmNamed, KeyError, type JwsAlgorithm, type PublicKey } from "../base/keys.js";
import { readAct, type Act } from "./acts.js";
import { digestBytes } from "./commitment.js";
import { DidError, didOf, isDidUrl, keyOfKeyId, readDid, type Did, type DidUrl } from "./did.js";
import {
  BATCH_COUNT_MAX,
  DOSSIER_HASHES_MAX,
  JOSE_HEADER_BYTES_MAX,
  NOTARISE_ENTRIES_MAX,
  RECORD_AGE_S_MAX,
  RECORD_AHEAD_S_MAX,
  RECORD_BYTES_MAX,
  RECORD_LIFE_S_MAX,
} from "./limits.js";
import { leafHash } from "./merkle.js";
import { isReference } from "./names.js";

/** The `typ` of every record. */
export const RECORD_TYP = "testamur-record-v1+jws";

/** Why bytes are not a record, or not one of this network now. */
export type RecordCode =
  | "record.too-large"
  | "record.not-compact-jws"
  | "record.header"
  | "record.algorithm"
  | "record.type"
  | "record.seal"
  | "record.payload"
  | "record.version"
  | "record.key-not-of-author"
  | "record.key"
  | "record.signature"
  | "record.entry-count"
  | "record.entry-length"
  | "record.batch-count"
  | "record.wrong-network"
  | "record.life"
  | "record.too-old"
  | "record.too-early";

/** Bytes that are not a record, or not one of this network now. */
export class RecordError extends VerifyError {
  declare readonly code: RecordCode;

  constructor(code: RecordCode, message: string) {
    super(code, message);
  }
}

/** The signed content of a record. */
export interface Payload {
  /** Genesis hash of the network the record is for. */
  readonly net: string;
  /** The author. */
  readonly iss: Did;
  /** Unique id of the author's choice. */
  readonly jti: string;
  /** When the author made it. */
  readonly iat: number;
  /** Until when it may enter the ledger. */
  readonly exp: number;
  /** What it does. */
  readonly act: Act;
}

function readPayload(value: Json): Payload & { readonly v: number } {
  const payload = codec.object(value, ["v", "net", "iss", "jti", "iat", "exp", "act"]);
  return {
    v: codec.field(payload, "v", codec.u8),
    net: codec.field(payload, "net", codec.hash),
    iss: codec.field(payload, "iss", readDid),
    jti: codec.field(payload, "jti", codec.textWhere("a reference", isReference)),
    iat: codec.field(payload, "iat", codec.integer),
    exp: codec.field(payload, "exp", codec.integer),
    act: codec.field(payload, "act", readAct),
  };
}

/** A record of correct form. Its signature is checked by {@link Record.verifySignature}. */
export class Record {
  private constructor(
    /** The compact JWS: the bytes of the leaf. */
    readonly text: string,
    /** SHA-256 of the signing input. */
    readonly id: string,
    /** The signature algorithm of its header. */
    readonly algorithm: JwsAlgorithm,
    /** The key id it is signed with. */
    readonly kid: DidUrl,
    /** The signed content. */
    readonly payload: Payload,
    private readonly signingInput: Uint8Array,
    private readonly signature: Uint8Array,
  ) {}

  /** Parses a record and checks everything that needs neither key, state nor clock. */
  static parse(source: Uint8Array | string): Record {
    if (source.length > RECORD_BYTES_MAX) {
      const allowed = `at most ${RECORD_BYTES_MAX} are allowed: split it, or use a batch`;
      throw new RecordError("record.too-large", `the record has ${source.length} bytes; ${allowed}`);
    }
    const text = typeof source === "string" ? source : ascii(source);
    const last = text.lastIndexOf(".");
    const first = text.indexOf(".");
    if (first === last) throw notCompact();
    const [header, payloadBytes] = [decode(text.slice(0, first)), decode(text.slice(first + 1, last))];
    const signature = decode(text.slice(last + 1));
    const { alg, kid } = parseHeader(header);
    const { v, ...payload } = parsePayload(payloadBytes);
    if (v !== 1) {
      throw new RecordError("record.version", `payload version ${v} is unknown: this network speaks version 1`);
    }
    checkPayload(payload);
    if (didOf(kid) !== payload.iss) {
      throw new RecordError("record.key-not-of-author", "kid must be a key id of the payload's iss");
    }
    const signingInput = utf8(text.slice(0, last));
    return new Record(text, sha256hex(signingInput), alg, kid, payload, signingInput, signature);
  }

  /** The author. */
  get author(): Did {
    return this.payload.iss;
  }

  /** What it does. */
  get act(): Act {
    return this.payload.act;
  }

  /** The hash of its leaf in the log. */
  leafHash(): string {
    return leafHash(utf8(this.text));
  }

  /** Verifies the signature with a key of the author. */
  async verifySignature(key: PublicKey): Promise<void> {
    try {
      await key.verify(this.algorithm, this.signingInput, this.signature);
    } catch (error) {
      if (error instanceof KeyError) throw new RecordError("record.signature", error.message);
      throw error;
    }
  }

  /** Verifies the signature of a did:key author, whose key is in the key id. */
  async verifyDidKey(): Promise<PublicKey> {
    let key: PublicKey;
    try {
      key = keyOfKeyId(this.kid);
    } catch (error) {
      if (error instanceof DidError) throw refusedKey(error.message);
      throw error;
    }
    await this.verifySignature(key);
    return key;
  }

  /** Whether it may enter a block of a network at a time: `time − 24 h ≤ iat ≤ time + 300 s` and `time < exp`. */
  checkAdmission(network: string, time: number): void {
    const { net, iat, exp } = this.payload;
    if (net !== network) {
      throw new RecordError("record.wrong-network", `the record is for network ${net}, not for this one`);
    }
    if (iat + RECORD_AGE_S_MAX < time || exp <= time) {
      const times = `iat ${iat}, exp ${exp}, block time ${time}`;
      throw new RecordError("record.too-old", `the record is too old: ${times}; sign it anew`);
    }
    if (iat > time + RECORD_AHEAD_S_MAX) {
      const times = `iat ${iat} is more than ${RECORD_AHEAD_S_MAX} s after block time ${time}`;
      throw new RecordError("record.too-early", `the record is too early: ${times}; check the author's clock`);
    }
  }
}

function notCompact(): RecordError {
  const expected = "expected header.payload.signature in unpadded base64url";
  return new RecordError("record.not-compact-jws", `not a compact JWS: ${expected}`);
}

function refusedKey(why: string): RecordError {
  return new RecordError("record.key", `the author's key id is refused: ${why}`);
}

/** ASCII as text. Other bytes become characters that are no base64url either. */
function ascii(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function decode(part: string): Uint8Array {
  const bytes = fromBase64url(part);
  if (bytes === undefined) throw notCompact();
  return bytes;
}

function parseHeader(bytes: Uint8Array): { readonly alg: JwsAlgorithm; readonly kid: DidUrl } {
  const refuse = (why: string): RecordError =>
    new RecordError(
      "record.header",
      `the JOSE header is refused: ${why}; allowed members are alg, kid, typ, cty, x5c, x5t#S256, iat`,
    );
  if (bytes.length > JOSE_HEADER_BYTES_MAX) throw refuse("header too long");
  let header: ReturnType<typeof readHeader>;
  try {
    header = codec.fromStrict(bytes, readHeader);
  } catch (error) {
    if (error instanceof CodecError) throw refuse(error.message);
    throw error;
  }
  const alg = algorithmNamed(header.alg);
  if (alg === undefined) {
    const named = [...header.alg].slice(0, 32).join("");
    const accepted = "use ES256, ES384, ES256K, EdDSA or Ed25519";
    throw new RecordError("record.algorithm", `the algorithm "${named}" is not accepted: ${accepted}`);
  }
  if (header.typ !== RECORD_TYP || (header.cty !== undefined && header.cty !== "json")) {
    throw new RecordError("record.type", `typ must be "${RECORD_TYP}" and cty, if given, "json"`);
  }
  if (header.seal) {
    const why = "x5c, x5t#S256 and header iat belong to seals, which protocol 1 does not accept yet";
    throw new RecordError("record.seal", why);
  }
  if (!isDidUrl(header.kid)) throw refusedKey(new DidError("syntax").message);
  return { alg, kid: header.kid };
}

function readHeader(value: Json): {
  readonly alg: string;
  readonly kid: string;
  readonly typ: string;
  readonly cty: string | undefined;
  readonly seal: boolean;
} {
  const header = codec.object(value, ["alg", "kid", "typ"], ["cty", "x5c", "x5t#S256", "iat"]);
  const seal = [
    codec.maybe(header, "x5c", codec.list(codec.text)),
    codec.maybe(header, "x5t#S256", codec.text),
    codec.maybe(header, "iat", anyInteger),
  ];
  return {
    alg: codec.field(header, "alg", codec.text),
    kid: codec.field(header, "kid", codec.text),
    typ: codec.field(header, "typ", codec.text),
    cty: codec.maybe(header, "cty", codec.text),
    seal: seal.some((member) => member !== undefined),
  };
}

/** An integer of 64 bits: seals are refused, but not for the size of a number. */
function anyInteger(value: Json): number | bigint {
  if ((typeof value !== "number" && typeof value !== "bigint") || value < 0) {
    throw new CodecError("json", "not the expected JSON: expected an integer");
  }
  return value;
}

function parsePayload(bytes: Uint8Array): ReturnType<typeof readPayload> {
  try {
    return codec.fromCanonical(bytes, readPayload);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new RecordError("record.payload", `the payload is refused: ${error.message}`);
  }
}

function checkPayload({ iat, exp, act }: Payload): void {
  if (exp <= iat || exp - iat > RECORD_LIFE_S_MAX) {
    throw new RecordError("record.life", `exp must be after iat, by at most ${RECORD_LIFE_S_MAX} s`);
  }
  switch (act.type) {
    case "notarise":
      return checkEntries(act.entries, NOTARISE_ENTRIES_MAX, act.form === "digest" ? digestBytes(act.alg) : 32);
    case "notarise-batch":
      if (act.count < 1 || act.count > BATCH_COUNT_MAX) {
        throw new RecordError("record.batch-count", "a batch counts 1 to 2^32 documents");
      }
      return;
    default:
      if (act.dossier) checkEntries(act.dossier.entries, DOSSIER_HASHES_MAX, digestBytes(act.dossier.alg));
  }
}

function checkEntries(entries: readonly Uint8Array[], most: number, expected: number): void {
  if (entries.length < 1 || entries.length > most) {
    const why = `a record like this holds 1 to ${most} entries, this one ${entries.length}`;
    throw new RecordError("record.entry-count", `${why}: use a batch, or more records`);
  }
  const index = entries.findIndex((entry) => entry.length !== expected);
  if (index >= 0) {
    const why = `entry ${index} has ${entries[index]?.length ?? 0} bytes, expected ${expected} for its alg and form`;
    throw new RecordError("record.entry-length", why);
  }
}
