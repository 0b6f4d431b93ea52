// Validators, their sets, and the chain of epochs by which one trusted set vouches for the next.
//
//   address         = SHA-256("testamur/validator/v1\n" ‖ JCS(registration))
//   validators hash = SHA-256("testamur/validators/v1\n" ‖ JCS(list of entries, by address))
//
// Voting power is always 1. Keys, key names and addresses are unique over a set.

import { hex, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { isTorsionFree } from "../base/ed25519.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import { jcs, jsonObject, type Json, type JsonObject } from "../base/json.js";
import { CertificateError, verifyCertificate, type Certified } from "./checkpoint.js";
import { readDid, type Did } from "./did.js";
import { decodeHeader, type Header } from "./header.js";
import { VALIDATORS_MAX, VALIDATORS_MIN } from "./limits.js";
import { isCountry, isLegalName, isNamePart } from "./names.js";
import { NoteError, parseNote } from "./note.js";

/** A validator in a set. */
export interface Validator {
  /** Hash of its registration: never changes, keys may. */
  readonly address: string;
  /** Name of its consensus key in signed notes. */
  readonly name: string;
  /** Legal name of who runs it. */
  readonly operator: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** DID of who runs it. */
  readonly did: Did;
  /** Ed25519 key that cosigns. */
  readonly consensusKey: Uint8Array;
  /** Ed25519 key that signs checkpoints as the log. */
  readonly logKey: Uint8Array;
  /** Ed25519 key of its peer identity. */
  readonly peerKey: Uint8Array;
  /** After this its cosignatures count no more. */
  readonly notAfter: number;
  /** The entry as it stands in a set. */
  readonly json: JsonObject;
}

const REGISTERED = ["name", "operator", "country", "did", "keys", "log_key", "peer_key", "not_after"] as const;

/** A validator's keys before they are known to be such. */
interface Unchecked extends Validator {
  readonly keys: readonly Uint8Array[];
}

function readMembers(entry: JsonObject, address: string, json: JsonObject): Unchecked {
  const keys = codec.field(
    entry,
    "keys",
    codec.list((value) => {
      const key = codec.object(value, ["alg", "key"]);
      codec.field(key, "alg", codec.word("ed25519"));
      return codec.field(key, "key", codec.data);
    }),
  );
  return {
    address,
    name: codec.field(entry, "name", codec.text),
    operator: codec.field(entry, "operator", codec.text),
    country: codec.field(entry, "country", codec.text),
    did: codec.field(entry, "did", readDid),
    keys,
    consensusKey: keys[0] ?? new Uint8Array(),
    logKey: codec.field(entry, "log_key", codec.data),
    peerKey: codec.field(entry, "peer_key", codec.data),
    notAfter: codec.field(entry, "not_after", codec.integer),
    json,
  };
}

/** Reads a registration: shape only, {@link checkValidator} does the rest. */
export function readRegistration(value: Json): { readonly v: number; readonly validator: Unchecked } {
  const registration = codec.object(value, ["v", ...REGISTERED]);
  const address = sha256hex(utf8("testamur/validator/v1\n"), utf8(jcs(registration)));
  const { v, ...rest } = registration;
  const json = jsonObject({ ...rest, address });
  return { v: codec.u8(v ?? null), validator: readMembers(registration, address, json) };
}

/** What is wrong with a validator, if anything is. */
export function checkValidator(validator: Unchecked): string | undefined {
  if (!isNamePart(validator.name)) return "name must be 1 to 100 of a-z 0-9 . -";
  if (!isLegalName(validator.operator) || !isCountry(validator.country)) return "operator or country is malformed";
  if (validator.keys.length !== 1) return "exactly one consensus key in this version";
  if (![validator.consensusKey, validator.logKey, validator.peerKey].every(isTorsionFree)) {
    return "a key must be 32 bytes, canonical, and in the prime-order subgroup";
  }
  return undefined;
}

/** The validators of an epoch, in order of address. */
export class ValidatorSet {
  /** The validators in set order. */
  readonly validators: readonly Validator[];
  /** Hash that headers bind. */
  readonly hash: string;

  private constructor(validators: readonly Validator[]) {
    this.validators = validators;
    this.hash = sha256hex(utf8("testamur/validators/v1\n"), utf8(jcs(validators.map(({ json }) => json))));
  }

  /** Sorts and checks a set: 4 to 64, every key and name its own. What is wrong with it is returned as text. */
  static of(validators: readonly Unchecked[]): ValidatorSet | string {
    if (validators.length < VALIDATORS_MIN || validators.length > VALIDATORS_MAX) return "between 4 and 64 validators";
    const keys = new Set<string>();
    const names = new Set<string>();
    const addresses = new Set<string>();
    for (const validator of validators) {
      const wrong = checkValidator(validator);
      if (wrong !== undefined) return wrong;
      // INV-SET-1: one key under two names once counted twice; a consensus, log and peer key are never the same.
      for (const key of [validator.consensusKey, validator.logKey, validator.peerKey].map(hex)) {
        if (keys.has(key)) return "a key appears twice";
        keys.add(key);
      }
      if (names.has(validator.name) || addresses.has(validator.address)) return "a name or address appears twice";
      names.add(validator.name);
      addresses.add(validator.address);
    }
    // Hexadecimal has the order of its bytes.
    const order = (a: Validator, b: Validator): number => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
    return new ValidatorSet([...validators].sort(order));
  }

  /** Reads a set, which must be in its order. */
  static read(value: Json): ValidatorSet {
    const given = codec.list((entry) => {
      const json = codec.object(entry, ["address", ...REGISTERED]);
      return readMembers(json, codec.field(json, "address", codec.hash), json);
    })(value);
    const set = ValidatorSet.of(given);
    if (typeof set === "string") throw new CodecError("json", set);
    if (set.validators.some((validator, i) => validator !== given[i])) {
      throw new CodecError("json", "validators must be in order of address");
    }
    return set;
  }

  /** The set as it stands in files. */
  get json(): Json {
    return this.validators.map(({ json }) => json);
  }

  /** How many are needed: more than two thirds. */
  get quorum(): number {
    return quorum(this.validators.length);
  }

  /** Until when a quorum is in office: the latest time at which more than two thirds are within their `not_after`. */
  get inOfficeUntil(): number {
    const ends = this.validators.map(({ notAfter }) => notAfter).sort((a, b) => a - b);
    return ends[ends.length - this.quorum] ?? 0;
  }
}

/** More than two thirds of `count`: ⌊2n/3⌋ + 1. */
export function quorum(count: number): number {
  return Math.floor((2 * count) / 3) + 1;
}

/** One step of an epoch chain: the last block of an epoch, certified by its set, names the next set. */
export interface EpochLink {
  /** Text of the epoch's last header. */
  readonly header: string;
  /** Its certificate. */
  readonly note: string;
  /** The next epoch's set. */
  readonly validators: ValidatorSet;
}

/** Reads a link. */
export function readEpochLink(value: Json): EpochLink {
  const link = codec.object(value, ["header", "note", "validators"]);
  return {
    header: codec.field(link, "header", codec.text),
    note: codec.field(link, "note", codec.text),
    validators: codec.field(link, "validators", (set) => ValidatorSet.read(set)),
  };
}

/** A link as it stands in files. */
export function epochLinkJson({ header, note, validators }: EpochLink): JsonObject {
  return jsonObject({ header, note, validators: validators.json });
}

/** Why an epoch chain does not lead on. */
export type EpochReason = "header" | "order" | "certificate" | "next-set";

/** An epoch chain that does not lead on. */
export class EpochError extends VerifyError {
  /** Why. */
  readonly reason: EpochReason;
  /** What is wrong with the certificate, if that is it. */
  readonly certificate: CertificateError | undefined;

  constructor(reason: EpochReason, message: string, certificate?: CertificateError) {
    super(`epoch.${reason}`, `epoch chain: ${message}`);
    this.reason = reason;
    this.certificate = certificate;
  }
}

/** An epoch whose set is trusted. */
export class TrustedEpoch {
  constructor(
    /** Its number. */
    readonly epoch: number,
    /** Its validators. */
    readonly validators: ValidatorSet,
  ) {}

  /** Follows one link to the next epoch. */
  follow(origin: string, link: EpochLink): TrustedEpoch {
    const header = decodeLinkHeader(link);
    this.certify(origin, header, link.note);
    const next = header.nextValidatorsHash;
    if (link.validators.hash !== next || next === header.validatorsHash) {
      throw new EpochError("next-set", "the next set is not the one the header names");
    }
    return new TrustedEpoch(this.epoch + 1, link.validators);
  }

  /** Checks that this epoch's validators decided a header. */
  certify(origin: string, header: Header, note: string): Certified {
    if (header.epoch !== this.epoch) {
      throw new EpochError("order", `a link is of epoch ${header.epoch}, expected ${this.epoch}`);
    }
    try {
      return verifyCertificate(origin, header, parseNote(note), this.validators);
    } catch (error) {
      const certificate = error instanceof NoteError ? new CertificateError("note", error.message) : error;
      if (!(certificate instanceof CertificateError)) throw error;
      throw new EpochError("certificate", certificate.message, certificate);
    }
  }
}

/** The header of a link. */
export function decodeLinkHeader(link: EpochLink): Header {
  try {
    return decodeHeader(link.header);
  } catch (error) {
    if (error instanceof CodecError) throw new EpochError("header", `header: ${error.message}`);
    throw error;
  }
}
