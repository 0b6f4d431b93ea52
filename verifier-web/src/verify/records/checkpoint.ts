// Checkpoints (C2SP tlog-checkpoint) and the rule by which a cosigned checkpoint *is* the commit certificate.
//
// The body has exactly six lines: origin, log size, base64 log root, `height N`, `round N`, `header <base64 hash>`.
// A validator's non-nil precommit signs the `cosignature/v1` message over this body with the block's time.
//
// Certificate = decision (INV-CERT-1) iff: the body's size, root, height and header hash are the header's; every counted
// time is the header's; the header's validators hash is the trusted set's; more than two thirds of the set's *keys*
// (never lines) signed; and no line of a known key is bad. The round line makes all counted signatures belong to one
// round: without it, precommits of lost rounds could be added up to a quorum that never was (INV-CERT-2).

import { base64, equalBytes, fromBase64, hex, u64be, utf8 } from "../base/bytes.js";
import { fromDecimal, hashBytes } from "../base/codec.js";
import { verifyEd25519 } from "../base/ed25519.js";
import { VerifyError } from "../base/errors.js";
import type { Validator, ValidatorSet } from "./epoch.js";
import type { Header } from "./header.js";
import { keyId, TYPE_COSIGNATURE_V1, TYPE_ED25519, type Note, type SignatureLine } from "./note.js";

/** A checkpoint's content. Numbers have up to 64 bits. */
export interface Checkpoint {
  /** The network's origin. */
  readonly origin: string;
  /** Log size. */
  readonly logSize: bigint;
  /** Log root. */
  readonly logRoot: string;
  /** Height of the block. */
  readonly height: bigint;
  /** Round of the decision. */
  readonly round: number;
  /** The block's header. */
  readonly header: string;
}

/** A text that is no checkpoint of this kind of network. */
export class CheckpointError extends VerifyError {
  constructor() {
    super("checkpoint", "not a checkpoint of this kind of network: six lines, canonical decimals and base64");
  }
}

/** The six lines, each ending in a newline. */
export function checkpointBody({ origin, logSize, logRoot, height, round, header }: Checkpoint): string {
  const [root, hash] = [base64(hashBytes(logRoot)), base64(hashBytes(header))];
  return `${origin}\n${logSize}\n${root}\nheight ${height}\nround ${round}\nheader ${hash}\n`;
}

/** Reads six lines; any other line, any other spelling is refused. */
export function parseCheckpoint(body: string): Checkpoint {
  const lines = body.split("\n");
  const [origin, size, root, height, round, header, end] = lines;
  if (lines.length !== 7 || end !== "" || origin === undefined || origin === "") throw new CheckpointError();
  const [logSize, heightNumber] = [number(size), number(named("height ", height))];
  const roundNumber = number(named("round ", round));
  if (roundNumber > 0xffff_ffffn) throw new CheckpointError();
  return {
    origin,
    logSize,
    logRoot: hash(root),
    height: heightNumber,
    round: Number(roundNumber),
    header: hash(named("header ", header)),
  };
}

function named(name: string, line: string | undefined): string {
  if (line === undefined || !line.startsWith(name)) throw new CheckpointError();
  return line.slice(name.length);
}

function number(text: string | undefined): bigint {
  const value = fromDecimal(text ?? "");
  if (value === undefined) throw new CheckpointError();
  return value;
}

function hash(text: string | undefined): string {
  const bytes = fromBase64(text ?? "");
  if (bytes === undefined || bytes.length !== 32) throw new CheckpointError();
  return hex(bytes);
}

/** The bytes that a cosigner signs: `cosignature/v1`, a time line, the body. */
export function cosignatureMessage(time: number, body: string): Uint8Array {
  return utf8(`cosignature/v1\ntime ${time}\n${body}`);
}

/** Why a note is not a commit certificate of a header. */
export type CertificateReason =
  | "note"
  | "checkpoint"
  | "origin"
  | "header"
  | "validator-set"
  | "bad-signature"
  | "no-quorum";

/** A note that is not a commit certificate of a header. */
export class CertificateError extends VerifyError {
  /** Why. */
  readonly reason: CertificateReason;

  constructor(reason: CertificateReason, message: string) {
    super(`certificate.${reason}`, message);
    this.reason = reason;
  }
}

/** A decision: the checkpoint, and who witnessed it. */
export interface Certified {
  /** The checkpoint. */
  readonly checkpoint: Checkpoint;
  /** The validators that cosigned, in set order. */
  readonly witnesses: readonly Validator[];
  /** The validators whose log keys signed besides, in set order. */
  readonly logSigners: readonly Validator[];
}

/** Checks that a note is the decision of a set on a header (INV-CERT-1). */
export function verifyCertificate(origin: string, header: Header, note: Note, set: ValidatorSet): Certified {
  const checkpoint = bound(origin, header, note, set);
  const message = cosignatureMessage(header.time, note.text);
  const time = u64be(header.time);
  const witnesses: Validator[] = [];
  const logSigners: Validator[] = [];
  for (const validator of set.validators) {
    const check = (holds: boolean): void => {
      if (!holds) throw new CertificateError("bad-signature", `the cosignature of ${validator.name} is bad`);
    };
    for (const line of note.signatures) {
      if (isOf(line, validator.name, TYPE_COSIGNATURE_V1, validator.consensusKey)) {
        // A cosignature of another time is a good signature of something else: refused, not skipped.
        check(line.signature.length === 72 && equalBytes(line.signature.subarray(0, 8), time));
        check(verifyEd25519(validator.consensusKey, message, line.signature.subarray(8)));
        if (witnesses[witnesses.length - 1] !== validator) witnesses.push(validator);
      } else if (isOf(line, origin, TYPE_ED25519, validator.logKey)) {
        check(verifyEd25519(validator.logKey, utf8(note.text), line.signature));
        if (logSigners[logSigners.length - 1] !== validator) logSigners.push(validator);
      }
    }
  }
  if (witnesses.length < set.quorum) {
    const found = witnesses.length;
    throw new CertificateError("no-quorum", `${found} validators cosigned, ${set.quorum} are needed`);
  }
  return { checkpoint, witnesses, logSigners };
}

function bound(origin: string, header: Header, note: Note, set: ValidatorSet): Checkpoint {
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseCheckpoint(note.text);
  } catch (error) {
    if (error instanceof CheckpointError) throw new CertificateError("checkpoint", error.message);
    throw error;
  }
  if (checkpoint.origin !== origin) {
    throw new CertificateError("origin", "the checkpoint's origin is not this network's");
  }
  const different =
    checkpoint.logSize !== BigInt(header.logSize)
      ? "log size"
      : checkpoint.logRoot !== header.logRoot
        ? "log root"
        : checkpoint.height !== BigInt(header.height)
          ? "height"
          : checkpoint.header !== header.hash
            ? "header hash"
            : undefined;
  if (different !== undefined) {
    throw new CertificateError("header", `the checkpoint does not belong to the header: ${different} differs`);
  }
  if (header.validatorsHash !== set.hash) {
    throw new CertificateError("validator-set", "the header names another validator set than the trusted one");
  }
  return checkpoint;
}

function isOf(line: SignatureLine, name: string, type: number, key: Uint8Array): boolean {
  return line.name === name && equalBytes(line.id, keyId(name, type, key));
}
