// The bytes of everything that a validator signs with its consensus key, apart from non-nil precommits, which are
// cosignatures. Each starts with its own first line, so that no signature of one kind is ever one of another
// (INV-VOTE-1). A verifier meets none of them in a file; whoever judges evidence of equivocation does.

import { base64, utf8 } from "../base/bytes.js";

/** Where a vote belongs: network, validator's address, height and round. */
export interface VotePlace {
  /** The network's origin. */
  readonly origin: string;
  /** The validator's address. */
  readonly validator: string;
  /** The height. */
  readonly height: number;
  /** The round. */
  readonly round: number;
}

function message(kind: string, { origin, validator, height, round }: VotePlace, rest: string): Uint8Array {
  return utf8(`testamur/${kind}/v1\n${origin}\nvalidator ${validator}\nheight ${height}\nround ${round}\n${rest}`);
}

/** A prevote for a value id, or for nil. */
export function prevoteMessage(place: VotePlace, value: Uint8Array | undefined): Uint8Array {
  return message("prevote", place, `value ${value === undefined ? "nil" : base64(value)}\n`);
}

/** A precommit for nil. */
export function precommitNilMessage(place: VotePlace): Uint8Array {
  return message("precommit-nil", place, "");
}

/** A proposal of a value, first made in an earlier round if that is given. */
export function proposalMessage(place: VotePlace, value: Uint8Array, polRound: number | undefined): Uint8Array {
  return message("proposal", place, `value ${base64(value)}\npol-round ${polRound ?? "none"}\n`);
}

/** The claim that a libp2p peer is a validator. */
export function proofOfValidatorMessage(origin: string, validator: string, peer: Uint8Array): Uint8Array {
  return utf8(`testamur/proof-of-validator/v1\n${origin}\nvalidator ${validator}\npeer ${base64(peer)}\n`);
}
