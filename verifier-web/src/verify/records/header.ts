// A block's header: everything that a decision binds, in RFC 8785 form. Never the round, never a certificate: those
// differ between honest nodes.

import { concat, u64be, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import type { Json } from "../base/json.js";
import { HEADER_BYTES_MAX } from "./limits.js";

/** A header by height and hash. */
export interface HeaderRef {
  /** Its height. */
  readonly height: number;
  /** Its hash. */
  readonly hash: string;
}

/** A header. Hashes are lower-case hexadecimal. */
export interface Header {
  /** Its canonical text. */
  readonly text: string;
  /** SHA-256("testamur/header/v1\n" ‖ text). */
  readonly hash: string;
  /** Genesis hash of the network. */
  readonly genesis: string;
  /** Protocol version whose rules hold at this height. */
  readonly protocol: number;
  /** Height; genesis is 0. */
  readonly height: number;
  /** Block time: the one clock of the ledger. */
  readonly time: number;
  /** Hash of the header before. */
  readonly previous: string;
  /** RFC 6962 root over the hashes of all earlier headers: one later checkpoint proves every older header. */
  readonly historyRoot: string;
  /** Records in the log after this block. */
  readonly logSize: number;
  /** Root of the log after this block. */
  readonly logRoot: string;
  /** Root of the state after this block. */
  readonly stateRoot: string;
  /** Epoch: set changes so far. */
  readonly epoch: number;
  /** The set that decides this height. */
  readonly validatorsHash: string;
  /** The set that decides the next height. */
  readonly nextValidatorsHash: string;
  /** The parameters in force. */
  readonly parametersHash: string;
  /** Last header of the epoch before this one. */
  readonly epochHeader: HeaderRef;
  /** Address of the validator that first proposed this block. */
  readonly proposer: string;
}

const MEMBERS = [
  "v",
  "genesis",
  "protocol",
  "height",
  "time",
  "previous",
  "history_root",
  "log_size",
  "log_root",
  "state_root",
  "epoch",
  "validators_hash",
  "next_validators_hash",
  "parameters_hash",
  "epoch_header",
  "proposer",
] as const;

function readHeader(value: Json): Omit<Header, "text" | "hash"> & { readonly v: number } {
  const header = codec.object(value, MEMBERS);
  const reference = codec.object(header["epoch_header"] ?? null, ["height", "hash"]);
  return {
    v: codec.field(header, "v", codec.u8),
    genesis: codec.field(header, "genesis", codec.hash),
    protocol: codec.field(header, "protocol", codec.u32),
    height: codec.field(header, "height", codec.integer),
    time: codec.field(header, "time", codec.integer),
    previous: codec.field(header, "previous", codec.hash),
    historyRoot: codec.field(header, "history_root", codec.hash),
    logSize: codec.field(header, "log_size", codec.integer),
    logRoot: codec.field(header, "log_root", codec.hash),
    stateRoot: codec.field(header, "state_root", codec.hash),
    epoch: codec.field(header, "epoch", codec.integer),
    validatorsHash: codec.field(header, "validators_hash", codec.hash),
    nextValidatorsHash: codec.field(header, "next_validators_hash", codec.hash),
    parametersHash: codec.field(header, "parameters_hash", codec.hash),
    epochHeader: {
      height: codec.field(reference, "height", codec.integer),
      hash: codec.field(reference, "hash", codec.hash),
    },
    proposer: codec.field(header, "proposer", codec.hash),
  };
}

/** Reads a canonical header; throws a {@link CodecError}. */
export function decodeHeader(text: string): Header {
  const bytes = utf8(text);
  if (bytes.length > HEADER_BYTES_MAX) throw new CodecError("json", "header too long");
  const { v, ...header } = codec.fromCanonical(text, readHeader);
  if (v !== 1) throw new CodecError("json", `header version ${v} is unknown`);
  return { ...header, text, hash: sha256hex(utf8("testamur/header/v1\n"), bytes) };
}

/** What validators vote on, derived from a header: `size (8) ‖ root (32) ‖ time (8) ‖ header hash (32)`. */
export function valueId(header: Header): Uint8Array {
  const { logSize, logRoot, time, hash } = header;
  return concat(u64be(logSize), codec.hashBytes(logRoot), u64be(time), codec.hashBytes(hash));
}
