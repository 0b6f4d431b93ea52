// The trust file: what a verifier pins. Genesis and, normally, a newer checkpoint. It comes from an installed network or
// a given file, never from the receipt or the node that is asked.

import { utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import { jcs, jsonObject, type Json } from "../base/json.js";
import { epochLinkJson, EpochError, readEpochLink, TrustedEpoch, type EpochLink } from "./epoch.js";
import { Genesis, GenesisError } from "./genesis.js";
import { decodeHeader, type Header } from "./header.js";
import { TRUST_BYTES_MAX } from "./limits.js";

/** Why a trust file is refused. */
export type TrustReason = "too-large" | "json" | "genesis" | "checkpoint" | "kind";

/** A trust file that is refused. */
export class TrustError extends VerifyError {
  /** Why. */
  readonly reason: TrustReason;

  constructor(reason: TrustReason, message: string) {
    super(`trust.${reason}`, `trust file: ${message}`);
    this.reason = reason;
  }
}

/** A header that the trust file's author has checked, and the epoch of it. */
export interface Pinned {
  /** The header. */
  readonly header: Header;
  /** Its epoch. */
  readonly epoch: TrustedEpoch;
}

/** What a verifier trusts about one network. */
export class TrustFile {
  /** Where epoch chains start: genesis' set, epoch 0. */
  readonly genesisEpoch: TrustedEpoch;
  /** The pinned header and its epoch, if there is one. */
  readonly pinned: Pinned | undefined;

  private constructor(
    /** The genesis. */
    readonly genesis: Genesis,
    private readonly checkpoint: EpochLink | undefined,
  ) {
    this.genesisEpoch = new TrustedEpoch(0, genesis.validatorSet);
    this.pinned = checkpoint === undefined ? undefined : pin(genesis, checkpoint);
  }

  /** Trusts a genesis alone. */
  static fromGenesis(genesis: Genesis): TrustFile {
    return new TrustFile(genesis, undefined);
  }

  /** Reads a trust file; throws a {@link TrustError}. */
  static decode(source: Uint8Array | string): TrustFile {
    const bytes = typeof source === "string" ? utf8(source) : source;
    if (bytes.length > TRUST_BYTES_MAX) {
      throw new TrustError("too-large", `at most ${TRUST_BYTES_MAX} bytes`);
    }
    try {
      const { v, type, genesis, checkpoint } = codec.fromStrict(bytes, readDocument);
      if (v !== 1 || type !== "testamur-trust") {
        throw new TrustError("kind", 'expected "type":"testamur-trust" and "v":1');
      }
      return new TrustFile(genesis(), checkpoint);
    } catch (error) {
      if (error instanceof CodecError) throw new TrustError("json", error.message);
      if (error instanceof GenesisError) throw new TrustError("genesis", error.message);
      if (error instanceof EpochError) throw new TrustError("checkpoint", `pinned checkpoint: ${error.message}`);
      throw error;
    }
  }

  /** The network: its genesis hash. */
  get network(): string {
    return this.genesis.hash;
  }

  /** The origin. */
  get origin(): string {
    return this.genesis.origin;
  }

  /** The canonical text of this trust file. */
  toJson(): string {
    const checkpoint = this.checkpoint === undefined ? undefined : epochLinkJson(this.checkpoint);
    return jcs(jsonObject({ v: 1, type: "testamur-trust", genesis: this.genesis.json, checkpoint }));
  }

  /** SHA-256 of the canonical text: what people compare by telephone. */
  get fingerprint(): string {
    return sha256hex(utf8(this.toJson()));
  }
}

function readDocument(value: Json) {
  const document = codec.object(value, ["v", "type", "genesis"], ["checkpoint"]);
  return {
    v: codec.field(document, "v", codec.u8),
    type: codec.field(document, "type", codec.text),
    genesis: codec.field(document, "genesis", (genesis) => Genesis.read(genesis)),
    checkpoint: codec.maybe(document, "checkpoint", readEpochLink),
  };
}

function pin(genesis: Genesis, checkpoint: EpochLink): Pinned {
  const header = decodeHeader(checkpoint.header);
  const epoch = new TrustedEpoch(header.epoch, checkpoint.validators);
  epoch.certify(genesis.origin, header, checkpoint.note);
  if (header.genesis !== genesis.hash) {
    throw new GenesisError("rule", "the pinned header is of another network");
  }
  return { header, epoch };
}
