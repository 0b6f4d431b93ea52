// The receipt as a file. It is self-contained: record, path, header, certificate, validator set, epoch chain, author's key,
// and for a salted or batched document the opening.
//
// The file is exactly its own RFC 8785 form, and `digest` covers the rest
// (`SHA-256("testamur/receipt/v1\n" ‖ JCS without digest)`): a changed byte anywhere is noticed, also in lines that
// verification would ignore. The digest finds damage; the signatures find lies.

import { base64, base64url, equalBytes, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { sha256 } from "../base/hash.js";
import { isArray, isObject, jcs, jsonObject, type Json, type JsonObject } from "../base/json.js";
import { readJwk, type Jwk } from "../base/keys.js";
import { StateProof } from "../state/proof.js";
import { readOpening, type DigestAlgorithm, type Opening } from "./commitment.js";
import { readEpochLink, ValidatorSet, type EpochLink } from "./epoch.js";
import { EPOCH_LINKS_MAX, RECEIPT_ANCHORS_MAX, RECEIPT_BYTES_MAX, RECEIPT_DEPTH_MAX } from "./limits.js";
import { Record, RecordError } from "./record.js";

/** Why a receipt is not valid, or nothing can be said of it. */
export type ReceiptCode =
  | "receipt.too-large"
  | "receipt.malformed"
  | "receipt.unknown-format"
  | "receipt.changed"
  | "receipt.unknown-network"
  | "receipt.origin"
  | "receipt.header"
  | "receipt.epoch"
  | "receipt.no-quorum"
  | "receipt.certificate"
  | "receipt.validators"
  | "receipt.contradiction"
  | "receipt.inclusion"
  | "receipt.record"
  | "receipt.author-key"
  | "receipt.opening"
  | "receipt.document-differs"
  | "receipt.not-a-notarisation"
  | "receipt.opening-missing";

/** A receipt that is not valid, or of which nothing can be said. */
export class ReceiptError extends VerifyError {
  declare readonly code: ReceiptCode;

  constructor(code: ReceiptCode, message: string) {
    super(code, message);
  }

  /** Whether nothing was found wrong and only something needed is missing. */
  get isCannotTell(): boolean {
    const missing: readonly ReceiptCode[] = [
      "receipt.unknown-network",
      "receipt.opening-missing",
      "receipt.unknown-format",
    ];
    return missing.includes(this.code);
  }
}

/** The head of the author's DID document under the header's state root. */
export interface AuthorState {
  /** Text of the state value `did/<author>/head`. */
  readonly document: string;
  /** Its proof. */
  readonly proof: StateProof;
}

const ALGORITHMS: Json = jsonObject({
  tree: "rfc6962-sha256",
  header: "jcs-sha256",
  certificate: "ed25519-cosignature-v1",
});

/** What a receipt holds beside its format's constants. */
export interface ReceiptContent {
  /** The network it claims. */
  readonly network: { readonly genesis: string; readonly origin: string };
  /** The record, a compact JWS: the leaf. */
  readonly record: string;
  /** Place of the record in the log. */
  readonly index: number;
  /** Path from the leaf to the header's log root. */
  readonly path: readonly string[];
  /** Text of the header of the block that holds the record. */
  readonly header: string;
  /** The certificate: checkpoint, cosignatures, log signatures. */
  readonly note: string;
  /** The validators of the header's epoch. */
  readonly validators: ValidatorSet;
  /** The epochs from genesis to the header's. */
  readonly epochs: readonly EpochLink[];
  /** The author's key, and where it stands on the ledger unless the author is a did:key. */
  readonly author: { readonly jwk: Jwk; readonly state?: AuthorState };
  /** What shows the document behind a commitment or in a batch. */
  readonly opening: Opening | undefined;
  /** What carries the receipt past its witnesses' term. Unknown kinds are kept and ignored. */
  readonly anchors: readonly Json[];
}

function readAuthorState(value: Json): AuthorState {
  const state = codec.object(value, ["document", "proof"]);
  return {
    document: codec.field(state, "document", codec.text),
    proof: codec.field(state, "proof", (proof) => StateProof.fromJson(proof)),
  };
}

const MEMBERS = [
  "v",
  "type",
  "network",
  "record",
  "index",
  "path",
  "header",
  "note",
  "validators",
  "epochs",
  "author",
  "anchors",
  "algorithms",
] as const;

function readReceipt(value: Json) {
  const json = codec.object(value, MEMBERS, ["opening", "digest"]);
  const network = codec.object(json["network"] ?? null, ["genesis", "origin"]);
  const author = codec.object(json["author"] ?? null, ["jwk"], ["state"]);
  const algorithms = codec.object(json["algorithms"] ?? null, ["tree", "header", "certificate"]);
  for (const name of Object.keys(algorithms)) codec.field(algorithms, name, codec.text);
  const state = codec.maybe(author, "state", readAuthorState);
  const digest = codec.maybe(json, "digest", codec.data);
  if (digest?.length === 0) throw new CodecError("not-canonical", "an empty digest is left out");
  const content: ReceiptContent = {
    network: {
      genesis: codec.field(network, "genesis", codec.hash),
      origin: codec.field(network, "origin", codec.text),
    },
    record: codec.field(json, "record", codec.text),
    index: codec.field(json, "index", codec.integer),
    path: codec.field(json, "path", codec.list(codec.hash)),
    header: codec.field(json, "header", codec.text),
    note: codec.field(json, "note", codec.text),
    validators: codec.field(json, "validators", (set) => ValidatorSet.read(set)),
    epochs: codec.field(json, "epochs", codec.list(readEpochLink)),
    author: { jwk: codec.field(author, "jwk", readJwk), ...(state === undefined ? {} : { state }) },
    opening: codec.maybe(json, "opening", readOpening),
    anchors: codec.field(json, "anchors", codec.list((anchor) => anchor)),
  };
  return {
    json,
    v: codec.field(json, "v", codec.u8),
    type: codec.field(json, "type", codec.text),
    algorithms,
    digest,
    content,
  };
}

/** Whether every JSON library reads and writes this value alike: RFC 8785 sorts names by UTF-16 and numbers are doubles. */
function isPlain(value: Json): boolean {
  if (isArray(value)) return value.every(isPlain);
  if (isObject(value)) return Object.entries(value).every(([name, item]) => !/[^\0-\x7f]/.test(name) && isPlain(item));
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && value >= 0);
}

/** A receipt file that was read: its digest holds; nothing else is verified. */
export class Receipt {
  private constructor(
    /** What it holds. */
    readonly content: ReceiptContent,
    /** The file's JSON. */
    readonly json: JsonObject,
  ) {}

  /** Reads a receipt file: exactly the canonical bytes, digest checked. Throws a {@link ReceiptError}. */
  static decode(bytes: Uint8Array): Receipt {
    const tooLarge = (): ReceiptError =>
      new ReceiptError("receipt.too-large", `the receipt has ${bytes.length} bytes, more than a verifier reads`);
    if (bytes.length > RECEIPT_BYTES_MAX) throw tooLarge();
    const { json, v, type, algorithms, digest, content } = decodeCanonical(bytes);
    if (!content.anchors.every(isPlain)) throw malformed("numbers are integers 0 … 2^53-1, names ASCII");
    if (v !== 1 || type !== "testamur-receipt" || jcs(algorithms) !== jcs(ALGORITHMS)) {
      const why = "this receipt is of a format that this version does not know";
      throw new ReceiptError("receipt.unknown-format", why);
    }
    if (digest === undefined || !equalBytes(digest, computeDigest(json))) {
      const why = "the receipt was changed after it was made: its digest does not match";
      throw new ReceiptError("receipt.changed", why);
    }
    if (content.epochs.length > EPOCH_LINKS_MAX || content.anchors.length > RECEIPT_ANCHORS_MAX) throw tooLarge();
    return new Receipt(content, json);
  }

  /** What shows the document behind a commitment or in a batch, if it does. */
  get opening(): Opening | undefined {
    return this.content.opening;
  }

  /** A text that two receipts share iff they are the same but for their openings (and the digest over these). */
  get ledgerPart(): string {
    this.part ??= jcs(jsonObject({ ...this.json, opening: undefined, digest: undefined }));
    return this.part;
  }
  private part: string | undefined;

  /** The receipt without its opening: what the receipts of a batch share. It has no digest, so it is no file. */
  withoutOpening(): Receipt {
    const json = jsonObject({ ...this.json, opening: undefined, digest: undefined });
    return new Receipt({ ...this.content, opening: undefined }, json);
  }

  /** The file's bytes, digest made anew. */
  encode(): Uint8Array {
    return utf8(jcs(jsonObject({ ...this.json, digest: base64url(computeDigest(this.json)) })));
  }

  /** The algorithm a document must be digested with to compare it with this receipt. */
  get digestAlgorithm(): DigestAlgorithm | undefined {
    if (this.opening !== undefined) return this.opening.alg;
    try {
      const { act } = Record.parse(this.content.record);
      return act.type === "notarise" ? act.alg : undefined;
    } catch (error) {
      if (error instanceof RecordError) return undefined;
      throw error;
    }
  }

  /** The C2SP `.tlog-proof` of the record in the checkpoint. The data that it proves are the record's bytes. */
  tlogProof(): string {
    const { index, path, note } = this.content;
    const lines = path.map((hash) => `${base64(codec.hashBytes(hash))}\n`).join("");
    return `c2sp.org/tlog-proof@v1\nindex ${index}\n${lines}\n${note}`;
  }
}

/** Not a receipt's JSON, or not canonical. */
export function malformed(why: string): ReceiptError {
  return new ReceiptError("receipt.malformed", `not a receipt: ${why}`);
}

function decodeCanonical(bytes: Uint8Array): ReturnType<typeof readReceipt> {
  try {
    return codec.fromCanonical(bytes, readReceipt, RECEIPT_DEPTH_MAX);
  } catch (error) {
    if (error instanceof CodecError) throw malformed(error.message);
    throw error;
  }
}

function computeDigest(json: JsonObject): Uint8Array {
  return sha256(utf8("testamur/receipt/v1\n"), utf8(jcs(jsonObject({ ...json, digest: undefined }))));
}
