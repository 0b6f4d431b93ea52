// Evidence: what a registry read rests on, so that the reader need not believe the node that answered.
//
// One header, its certificate, and any number of state keys with their values, or their absence, each proven under that
// header's state root. A reader repeats the read over ProvenState, and a key that the node left out is an error, never
// "absent".

import { utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { jcs, type Json, JsonError, type JsonObject, jsonObject, parse } from "../base/json.js";
import { type EpochLink, epochLinkJson, readEpochLink, ValidatorSet } from "../records/epoch.js";
import { decodeHeader, type Header } from "../records/header.js";
import { EPOCH_LINKS_MAX, RECEIPT_DEPTH_MAX } from "../records/limits.js";
import { certifyHeader, ReceiptError } from "../records/receipt.js";
import type { TrustFile } from "../records/trust.js";
import { asWritten } from "./lenient.js";
import { StateProof, StateProofError } from "./proof.js";
import { isStateKey, NotProven, type StateReader } from "./state.js";

/** Keys of one evidence. */
export const EVIDENCE_KEYS_MAX = 256;
/** Bytes of an evidence that a verifier reads. */
export const EVIDENCE_BYTES_MAX = 4 * 1024 * 1024;

/** Evidence that is refused. Codes are stable: `evidence.…`, and `receipt.…` for its header. */
export class EvidenceError extends VerifyError {
  private constructor(
    code: string,
    message: string,
    /** What is wrong with its header, certificate, epochs or network, if that is it. */
    readonly certificate?: ReceiptError,
  ) {
    super(code, message);
  }

  /** Too long, too many keys, or not the JSON of an evidence. */
  static malformed(reason: string): EvidenceError {
    return new EvidenceError("evidence.malformed", `not an evidence: ${reason}`);
  }

  /** Version or type unknown. */
  static unknownFormat(): EvidenceError {
    return new EvidenceError(
      "evidence.unknown-format",
      "this evidence is of a format that this version does not know",
    );
  }

  /** Header, certificate, epochs or network do not hold. */
  static of(error: ReceiptError): EvidenceError {
    return new EvidenceError(error.code, error.message, error);
  }

  /** A proof does not hold. */
  static proof(key: string, error: StateProofError): EvidenceError {
    return new EvidenceError("evidence.proof", `${key}: ${error.message}`);
  }

  /** The header is older than the reader accepts. */
  static stale(ageS: number, acceptedS: number): EvidenceError {
    return new EvidenceError(
      "evidence.stale",
      `the node answered with a state of ${ageS} s ago, more than the ${acceptedS} s accepted: ask another node`,
    );
  }
}

/** A key and its value, or none, with the proof of that. */
export class ProvenKey {
  /** The root that it was found to hold under, and the value's bytes. */
  private proven: { readonly root: string; readonly bytes: Uint8Array | null } | undefined;

  constructor(
    /** Text of the state key. */
    readonly key: string,
    /** The value's text (RFC 8785 JSON); none when the key is absent. */
    readonly value: string | undefined,
    /** The proof. */
    readonly proof: StateProof,
  ) {}

  /** Takes its JSON; throws a CodecError when it is of another shape. */
  static fromJson(json: Json): ProvenKey {
    const members = codec.object(json, ["key", "proof"], ["value"]);
    const proof = codec.field(members, "proof", (proof) => StateProof.fromJson(proof));
    return new ProvenKey(codec.field(members, "key", codec.text), codec.maybe(members, "value", codec.text), proof);
  }

  /** Its JSON. */
  toJson(): JsonObject {
    return jsonObject({ key: this.key, value: this.value, proof: this.proof.toJson() });
  }

  /** The value's bytes, null when the key is absent, as the proof shows under a state root. */
  verify(root: string): Uint8Array | null {
    if (this.proven?.root === root) return this.proven.bytes;
    const bytes = this.value === undefined ? null : utf8(this.value);
    this.proof.verify(root, this.key, bytes);
    this.proven = { root, bytes };
    return bytes;
  }
}

/** The network that an evidence claims. */
export interface EvidenceNetwork {
  /** Genesis hash. */
  readonly genesis: string;
  /** Origin. */
  readonly origin: string;
}

interface Parts {
  readonly v: number;
  readonly type: string;
  readonly network: EvidenceNetwork;
  readonly header: string;
  readonly note: string;
  readonly validators: ValidatorSet;
  readonly epochs: readonly EpochLink[];
  readonly state: readonly ProvenKey[];
}

/** The keys that a read asked for, with what proves them. */
export class Evidence implements Parts {
  /** Format version: 1. */
  readonly v: number;
  /** `testamur-evidence`. */
  readonly type: string;
  /** The network it claims. */
  readonly network: EvidenceNetwork;
  /** Text of the header whose state root the proofs lead to. */
  readonly header: string;
  /** That header's certificate. */
  readonly note: string;
  /** The validators of the header's epoch. */
  readonly validators: ValidatorSet;
  /** The epochs from genesis to the header's. */
  readonly epochs: readonly EpochLink[];
  /** The keys, in order, none twice. */
  readonly state: readonly ProvenKey[];
  /** The header, once it was certified under a trust file. */
  private certified: { readonly trust: TrustFile; readonly header: Header } | undefined;

  private constructor(parts: Parts) {
    this.v = parts.v;
    this.type = parts.type;
    this.network = parts.network;
    this.header = parts.header;
    this.note = parts.note;
    this.validators = parts.validators;
    this.epochs = parts.epochs;
    this.state = parts.state;
  }

  /** Reads an evidence file: exactly its own canonical bytes. Throws {@link EvidenceError}. */
  static decode(bytes: Uint8Array): Evidence {
    checkLength(bytes.length);
    return new Evidence(partsOf(() => codec.fromCanonical(bytes, readParts, RECEIPT_DEPTH_MAX)));
  }

  /** Reads an evidence inside another file, in any spacing and order. Throws {@link EvidenceError}. */
  static read(source: Uint8Array | string): Evidence {
    const bytes = typeof source === "string" ? utf8(source) : source;
    checkLength(bytes.length);
    return new Evidence(partsOf(() => readParts(asWritten(parse(bytes)))));
  }

  /** Takes an evidence out of an answer's JSON. Throws {@link EvidenceError}. */
  static fromJson(json: Json): Evidence {
    return new Evidence(partsOf(() => readParts(asWritten(json))));
  }

  /** Its JSON. */
  toJson(): JsonObject {
    return jsonObject({
      v: this.v,
      type: this.type,
      network: jsonObject({ ...this.network }),
      header: this.header,
      note: this.note,
      validators: this.validators.json,
      epochs: this.epochs.map(epochLinkJson),
      state: this.state.map((proven) => proven.toJson()),
    });
  }

  /** The file's bytes. */
  encode(): Uint8Array {
    return utf8(jcs(this.toJson()));
  }

  /** This, and what another answer under the same header proves beside it. Keys stay in order, none twice. */
  with(more: Evidence): Evidence {
    const known = new Set(this.state.map((proven) => proven.key));
    const state = [...this.state, ...more.state.filter((proven) => !known.has(proven.key))];
    state.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const all = new Evidence({ ...this.parts(), state });
    all.certified = this.certified;
    return all;
  }

  private parts(): Parts {
    const { v, type, network, header, note, validators, epochs, state } = this;
    return { v, type, network, header, note, validators, epochs, state };
  }

  /**
   * Checks everything against what is trusted. How old the header may be is the caller's: {@link ProvenState.fresh}.
   * What was found is remembered, so that checking again after {@link with} costs only what is new.
   */
  verify(trust: TrustFile): ProvenState {
    if (this.v !== 1 || this.type !== "testamur-evidence") throw EvidenceError.unknownFormat();
    if (this.state.length > EVIDENCE_KEYS_MAX || this.epochs.length > EPOCH_LINKS_MAX) {
      throw EvidenceError.malformed("too many keys or epochs");
    }
    const header = this.certify(trust);
    const values = new Map<string, Uint8Array | null>();
    let last = "";
    for (const proven of this.state) {
      if (!isStateKey(proven.key)) throw EvidenceError.malformed("a state key is malformed");
      const value = provenUnder(proven, header.stateRoot);
      if (last >= proven.key) throw EvidenceError.malformed("keys are in order, none twice");
      last = proven.key;
      values.set(proven.key, value);
    }
    return new ProvenState(header, values);
  }

  private certify(trust: TrustFile): Header {
    if (this.certified?.trust === trust) return this.certified.header;
    try {
      const header = this.checkHeader(trust);
      this.certified = { trust, header };
      return header;
    } catch (error) {
      if (error instanceof ReceiptError) throw EvidenceError.of(error);
      throw error;
    }
  }

  private checkHeader(trust: TrustFile): Header {
    if (this.network.genesis !== trust.network) {
      const next = "get its trust file from the network's operators";
      throw new ReceiptError("receipt.unknown-network", `network ${this.network.genesis} is not installed here: ${next}`);
    }
    if (this.network.origin !== trust.origin) {
      throw new ReceiptError("receipt.origin", "the origin is not that of the trusted network");
    }
    const header = headerOf(this.header);
    if (header?.genesis !== trust.network) {
      throw new ReceiptError("receipt.header", "the header is malformed or of another network");
    }
    certifyHeader(trust, header, this.note, this.validators, this.epochs);
    return header;
  }
}

function readNetwork(json: Json): EvidenceNetwork {
  const network = codec.object(json, ["genesis", "origin"]);
  return { genesis: codec.field(network, "genesis", codec.hash), origin: codec.field(network, "origin", codec.text) };
}

function readParts(json: Json): Parts {
  const members = ["v", "type", "network", "header", "note", "validators", "epochs", "state"];
  const evidence = codec.object(json, members);
  return {
    v: codec.field(evidence, "v", codec.u8),
    type: codec.field(evidence, "type", codec.text),
    network: codec.field(evidence, "network", readNetwork),
    header: codec.field(evidence, "header", codec.text),
    note: codec.field(evidence, "note", codec.text),
    validators: codec.field(evidence, "validators", (set) => ValidatorSet.read(set)),
    epochs: codec.field(evidence, "epochs", codec.list(readEpochLink)),
    state: codec.field(evidence, "state", codec.list((proven) => ProvenKey.fromJson(proven))),
  };
}

function headerOf(text: string): Header | undefined {
  try {
    return decodeHeader(text);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

function provenUnder(proven: ProvenKey, root: string): Uint8Array | null {
  try {
    return proven.verify(root);
  } catch (error) {
    if (error instanceof StateProofError) throw EvidenceError.proof(proven.key, error);
    throw error;
  }
}

function checkLength(bytes: number): void {
  if (bytes > EVIDENCE_BYTES_MAX) throw EvidenceError.malformed(`not the expected JSON: ${bytes} bytes are too many`);
}

function partsOf(read: () => Parts): Parts {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError || error instanceof JsonError) throw EvidenceError.malformed(error.message);
    throw error;
  }
}

/** A part of the state at one height, proven. A read over it gives what every honest node would have given. */
export class ProvenState implements StateReader {
  /** Taken from {@link Evidence.verify}; nothing is checked here. */
  constructor(
    /** The header that the state belongs to. */
    readonly header: Header,
    private readonly values: ReadonlyMap<string, Uint8Array | null>,
  ) {}

  /** The keys of which something is proven, in order. */
  keys(): string[] {
    return [...this.values.keys()];
  }

  /** The value of a key, null when it is absent. A key that was left out is an error, never "absent". */
  get(key: string): Uint8Array | null {
    const value = this.values.get(key);
    if (value === undefined) throw new NotProven(key);
    return value;
  }

  /** Refuses a header older than `acceptedS` before `now`: a node that serves an old root hides what came since. */
  fresh(now: number, acceptedS: number): void {
    const ageS = Math.max(0, now - this.header.time);
    if (ageS > acceptedS) throw EvidenceError.stale(ageS, acceptedS);
  }
}
