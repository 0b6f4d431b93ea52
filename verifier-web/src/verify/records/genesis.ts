// Genesis: all that a network starts from, and what its origin and identity are derived from.
//
//   genesis hash = SHA-256("testamur/genesis/v1\n" ‖ JCS(genesis))
//   origin       = <domain>/<name>/<hex of the first 16 bytes of the genesis hash>     ≤ 255 bytes

import { utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { verifyEd25519 } from "../base/ed25519.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import { jcs, type Json, type JsonObject } from "../base/json.js";
import { DidError, keyOfDid, readDid, type Did } from "./did.js";
import { checkValidator, readRegistration, ValidatorSet } from "./epoch.js";
import {
  BLOCK_BYTES_MAX,
  GENESIS_WRITERS_MAX,
  OPERATORS_MAX,
  ORIGIN_BYTES_MAX,
  STATUS_HISTORY_DAYS,
  STATUS_HISTORY_DAYS_MAX,
  VALIDATORS_MAX,
  VALIDATORS_MIN,
} from "./limits.js";
import { isCountry, isDidMethod, isLegalName, isNamePart, isPublicBase } from "./names.js";

/** Method name of a ledger's own DIDs, unless its genesis says otherwise. */
export const LEDGER_METHOD = "ebsi";

/** Why a genesis is refused: not its JSON, a rule on its content, or a validator's entry. */
export type GenesisReason = "json" | "rule" | "validator";

/** A genesis that is refused. */
export class GenesisError extends VerifyError {
  /** Why. */
  readonly reason: GenesisReason;

  constructor(reason: GenesisReason, message: string) {
    super(`genesis.${reason}`, `genesis: ${message}`);
    this.reason = reason;
  }
}

const MEMBERS = [
  "v",
  "domain",
  "name",
  "time",
  "protocol",
  "parameters",
  "validators",
  "operators",
  "approvals_required",
  "writers",
] as const;
const OPTIONAL = ["did_method", "public_base", "status_history_days", "predecessor"] as const;
const PARAMETERS = [
  "heartbeat_s",
  "block_bytes_max",
  "clock_tolerance_s",
  "propose_timeout_ms",
  "vote_timeout_ms",
  "round_timeout_ms",
] as const;

/** An operator: a legal person with a vote on changes. */
export interface Operator {
  /** The key it approves with. */
  readonly did: Did;
  /** Its legal name. */
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
}

type Parameters = { readonly [name in (typeof PARAMETERS)[number]]: number };

function readParameters(value: Json): Parameters {
  const parameters = codec.object(value, PARAMETERS);
  const number = (name: keyof Parameters): number => codec.field(parameters, name, codec.u32);
  return {
    heartbeat_s: number("heartbeat_s"),
    block_bytes_max: number("block_bytes_max"),
    clock_tolerance_s: number("clock_tolerance_s"),
    propose_timeout_ms: number("propose_timeout_ms"),
    vote_timeout_ms: number("vote_timeout_ms"),
    round_timeout_ms: number("round_timeout_ms"),
  };
}

function readOperator(value: Json): Operator {
  const operator = codec.object(value, ["did", "name", "country"]);
  return {
    did: codec.field(operator, "did", readDid),
    name: codec.field(operator, "name", codec.text),
    country: codec.field(operator, "country", codec.text),
  };
}

function readValidator(value: Json): ReturnType<typeof readRegistration> & { readonly proofs: readonly Uint8Array[] } {
  const entry = codec.object(value, ["registration", "possession"]);
  const possession = codec.object(entry["possession"] ?? null, KINDS);
  return {
    ...codec.field(entry, "registration", readRegistration),
    proofs: KINDS.map((kind) => codec.field(possession, kind, codec.data)),
  };
}

const KINDS = ["consensus", "log", "peer"] as const;

function readPredecessor(value: Json): JsonObject {
  const predecessor = codec.object(value, ["network", "height", "header", "log_size", "log_root"]);
  for (const name of ["network", "header", "log_root"]) codec.field(predecessor, name, codec.hash);
  for (const name of ["height", "log_size"]) codec.field(predecessor, name, codec.integer);
  return predecessor;
}

function readGenesis(value: Json) {
  const json = codec.object(value, MEMBERS, OPTIONAL);
  return {
    json,
    v: codec.field(json, "v", codec.u8),
    domain: codec.field(json, "domain", codec.text),
    name: codec.field(json, "name", codec.text),
    time: codec.field(json, "time", codec.integer),
    protocol: codec.field(json, "protocol", codec.u32),
    parameters: codec.field(json, "parameters", readParameters),
    validators: codec.field(json, "validators", codec.list(readValidator)),
    operators: codec.field(json, "operators", codec.list(readOperator)),
    approvalsRequired: codec.field(json, "approvals_required", codec.u32),
    writers: codec.field(json, "writers", codec.list(readDid)),
    didMethod: codec.maybe(json, "did_method", codec.text),
    publicBase: codec.maybe(json, "public_base", codec.text),
    statusHistoryDays: codec.maybe(json, "status_history_days", codec.u32),
    predecessor: codec.maybe(json, "predecessor", readPredecessor),
  };
}

type Read = ReturnType<typeof readGenesis>;

/** All that a network starts from. */
export class Genesis {
  private constructor(
    /** As it stands in its file. */
    readonly json: JsonObject,
    /** The network's identity. */
    readonly hash: string,
    /** Name of the network's log: first line of its checkpoints, key name of its log signatures. */
    readonly origin: string,
    /** First part of the origin: a domain that the network's operators hold. */
    readonly domain: string,
    /** Second part of the origin. */
    readonly name: string,
    /** Time of height 0. */
    readonly time: number,
    /** Who may propose and approve changes. */
    readonly operators: readonly Operator[],
    /** How many operators must approve a change. */
    readonly approvalsRequired: number,
    /** Who may write from the start. */
    readonly writers: readonly Did[],
    /** Method name of the ledger's own DIDs. */
    readonly didMethod: string,
    /** What absolute URLs begin with. */
    readonly publicBase: string,
    /** Days for which older versions of status lists are kept. */
    readonly statusHistoryDays: number,
    /** The validators of epoch 0. */
    readonly validatorSet: ValidatorSet,
  ) {}

  /** Reads a genesis (any spacing) and checks it; throws a {@link GenesisError}. */
  static decode(source: Uint8Array | string): Genesis {
    let read: Read;
    try {
      read = codec.fromStrict(source, readGenesis);
    } catch (error) {
      if (error instanceof CodecError) throw new GenesisError("json", error.message);
      throw error;
    }
    return Genesis.check(read);
  }

  /** Reads a genesis that stands in another file; throws a CodecError or a {@link GenesisError}. */
  static read(value: Json): () => Genesis {
    const read = readGenesis(value);
    return () => Genesis.check(read);
  }

  private static check(read: Read): Genesis {
    const hash = sha256hex(utf8("testamur/genesis/v1\n"), utf8(jcs(read.json)));
    const origin = `${read.domain}/${read.name}/${hash.slice(0, 32)}`;
    checkRules(read, origin);
    const set = checkValidators(read);
    return new Genesis(
      read.json,
      hash,
      origin,
      read.domain,
      read.name,
      read.time,
      read.operators,
      read.approvalsRequired,
      read.writers,
      read.didMethod ?? LEDGER_METHOD,
      read.publicBase ?? `https://${read.domain}`,
      read.statusHistoryDays ?? STATUS_HISTORY_DAYS,
      set,
    );
  }

  /** SHA-256("testamur/parameters/v1\n" ‖ JCS) of its parameters, as headers bind them. */
  get parametersHash(): string {
    return sha256hex(utf8("testamur/parameters/v1\n"), utf8(jcs(this.json["parameters"] ?? null)));
  }
}

function rule(holds: boolean, text: string): void {
  if (!holds) throw new GenesisError("rule", text);
}

function within(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function checkRules(read: Read, origin: string): void {
  rule(read.v === 1, "v must be 1");
  rule(read.protocol === 1, "this binary knows protocol 1 only");
  rule(isNamePart(read.domain) && isNamePart(read.name), "domain and name are 1 to 100 of a-z 0-9 . -");
  rule(origin.length <= ORIGIN_BYTES_MAX, "the origin is too long");
  rule(within(read.validators.length, VALIDATORS_MIN, VALIDATORS_MAX), "between 4 and 64 validators");
  const operators = read.operators.length;
  rule(within(operators, 1, OPERATORS_MAX), "between 1 and 256 operators");
  rule(new Set(read.operators.map(({ did }) => did)).size === operators, "an operator's DID appears twice");
  const named = read.operators.every(({ name, country }) => isLegalName(name) && isCountry(country));
  rule(named, "an operator's name or country is malformed");
  const m = read.approvalsRequired;
  rule(within(m, 1, operators), "approvals_required must be between 1 and the number of operators");
  rule(read.writers.length <= GENESIS_WRITERS_MAX, "too many writers");
  rule(new Set(read.writers).size === read.writers.length, "a writer appears twice");
  // A role of a DID without a usable key could never be used, and would look as if it could.
  const usable = [...read.operators.map(({ did }) => did), ...read.writers].every(hasKey);
  rule(usable, "operators and writers must be did:key with a key this protocol knows");
  const p = read.parameters;
  rule(within(p.heartbeat_s, 1, 3_600), "heartbeat_s between 1 and 3600");
  rule(within(p.block_bytes_max, 262_144, BLOCK_BYTES_MAX), "block_bytes_max between 256 KiB and 2 MiB");
  rule(p.clock_tolerance_s <= 60, "clock_tolerance_s at most 60");
  const timely =
    within(p.propose_timeout_ms, 50, 10_000) && within(p.vote_timeout_ms, 20, 10_000) && p.round_timeout_ms <= 10_000;
  rule(timely, "timeouts out of range");
  rule(isDidMethod(read.didMethod ?? LEDGER_METHOD), "did_method is 1 to 16 of a-z 0-9, and not key");
  rule(
    read.publicBase === undefined || isPublicBase(read.publicBase),
    "public_base is an http or https URL of scheme and host, without a slash at the end",
  );
  rule((read.statusHistoryDays ?? 0) <= STATUS_HISTORY_DAYS_MAX, "status_history_days at most 36525");
}

function hasKey(did: Did): boolean {
  try {
    keyOfDid(did);
    return true;
  } catch (error) {
    if (error instanceof DidError) return false;
    throw error;
  }
}

function checkValidators(read: Read): ValidatorSet {
  for (const { v, validator, proofs } of read.validators) {
    const wrong = v !== 1 ? "v must be 1" : checkValidator(validator);
    const fail = (why: string): GenesisError => new GenesisError("validator", `validator ${validator.name}: ${why}`);
    if (wrong !== undefined) throw fail(wrong);
    const keys = [validator.consensusKey, validator.logKey, validator.peerKey];
    KINDS.forEach((kind, i) => {
      const message = utf8(`testamur/possession/v1\n${kind}\n${validator.address}\n`);
      const [key, proof] = [keys[i] ?? new Uint8Array(), proofs[i] ?? new Uint8Array()];
      if (proof.length !== 64) throw fail("a key has 32 bytes and a proof of possession 64");
      if (!verifyEd25519(key, message, proof)) throw fail("a proof of possession does not verify");
    });
  }
  const set = ValidatorSet.of(read.validators.map(({ validator }) => validator));
  if (typeof set === "string") throw new GenesisError("rule", set);
  return set;
}
