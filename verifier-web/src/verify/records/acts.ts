// What records do. A verifier of receipts looks inside notarisations only; of all other acts it checks that they have
// their one form, since a record of another form is none.

import * as codec from "../base/codec.js";
import { CodecError } from "../base/errors.js";
import type { Json, JsonObject } from "../base/json.js";
import { readJwk } from "../base/keys.js";
import { DIGEST_ALGORITHMS, readDigestAlgorithm, type DigestAlgorithm, type Form } from "./commitment.js";
import { readDid, readDidUrl } from "./did.js";
import { isReference } from "./names.js";

/** Anchors digests or commitments of documents. */
export interface Notarise {
  readonly type: "notarise";
  /** Algorithm of the documents' digests. */
  readonly alg: DigestAlgorithm;
  /** Whether entries are digests or commitments. */
  readonly form: Form;
  /** The entries, in the author's order. */
  readonly entries: readonly Uint8Array[];
  /** The author's own reference. */
  readonly reference?: string;
}

/** Anchors any number of documents by the root of a tree over them. */
export interface NotariseBatch {
  readonly type: "notarise-batch";
  /** Root of the tree. */
  readonly root: string;
  /** Documents in the tree. */
  readonly count: number;
  /** The author's own reference. */
  readonly reference?: string;
}

/** Digests that an act puts into a dossier. */
export interface DossierDigests {
  readonly alg: DigestAlgorithm;
  readonly entries: readonly Uint8Array[];
}

/** An act of the registries, of the right form. */
export interface RegistryAct {
  readonly type: RegistryActType;
  /** Its members as they stand. */
  readonly json: JsonObject;
  /** What it puts into a dossier, if it does. */
  readonly dossier?: DossierDigests;
}

/** What a record does. */
export type Act = Notarise | NotariseBatch | RegistryAct;

type Shape = (value: Json) => unknown;
type Shapes = { readonly [member: string]: Shape };

/** An object of these members; a name that ends in `?` may be absent. */
function shape(members: Shapes): Shape {
  const optional = Object.keys(members).filter((name) => name.endsWith("?"));
  const required = Object.keys(members).filter((name) => !name.endsWith("?"));
  return (value) => {
    const object = codec.object(
      value,
      required,
      optional.map((name) => name.slice(0, -1)),
    );
    for (const [name, read] of Object.entries(members)) codec.maybe(object, name.replace(/\?$/, ""), read);
  };
}

/** One of several shapes, told apart by the member `type`. */
function choice(shapes: { readonly [type: string]: Shapes }): Shape {
  const readers = new Map<string, Shape>();
  for (const [type, members] of Object.entries(shapes)) readers.set(type, shape({ type: codec.text, ...members }));
  return (value) => {
    const read = readers.get(typeOf(value));
    if (read === undefined) throw new CodecError("json", "not the expected JSON: an unknown type");
    read(value);
  };
}

function typeOf(value: Json): string {
  if (typeof value !== "object" || value === null || !("type" in value) || typeof value.type !== "string") {
    throw new CodecError("json", "not the expected JSON: expected an object with a type");
  }
  return value.type;
}

const { hash, integer, list, someOf, text, data, u8, u32 } = codec;
const reference = codec.textWhere("a reference: 1 to 64 of A-Z a-z 0-9 . _ -", isReference);
const issuerType = codec.word("root-tao", "tao", "ti");
const endReason = codec.word(
  "obtained-by-fraud",
  "key-compromise",
  "cessation-of-operation",
  "privilege-withdrawn",
  "superseded",
);
const revocationReason = codec.word(
  "cessation-of-operation",
  "key-compromise",
  "privilege-withdrawn",
  "superseded",
);
const grant = shape({
  relationship: codec.word(
    "authentication",
    "assertionMethod",
    "keyAgreement",
    "capabilityInvocation",
    "capabilityDelegation",
  ),
  not_before: integer,
  "not_after?": integer,
});
const newMethod = shape({ key: readJwk, grants: list(grant) });
const service = shape({ id: text, type: text, endpoint: text });
const entity = shape({
  names: list(shape({ lang: text, name: text })),
  country: text,
  "identifiers?": someOf(shape({ scheme: codec.word("eter", "deqar", "vat"), value: text })),
});
const digests: Shapes = { alg: readDigestAlgorithm, entries: list(data) };
const didChange = choice({
  "set-services": { services: list(service) },
  "add-controller": { did: readDid },
  "revoke-controller": { did: readDid },
  "add-method": { method: newMethod },
  "add-relationship": { method: text, grant },
  "revoke-method": { method: text },
  "expire-method": { method: text, not_after: integer },
  "roll-method": { old: text, key: readJwk, not_before: integer, "not_after?": integer, old_not_after: integer },
  "declare-compromised": { method: text, from: integer },
  deactivate: {},
});
const dossierChange = choice({
  "add-version": digests,
  "append-digests": digests,
  "add-owner": { owner: shape({ did: readDid, not_before: integer, "not_after?": integer }) },
  "revoke-owner": { did: readDid },
});
const key = shape({ alg: codec.word("ed25519"), key: data });
const registration = shape({
  v: u8,
  name: text,
  operator: text,
  country: text,
  did: readDid,
  keys: list(key),
  log_key: data,
  peer_key: data,
  not_after: integer,
});
const possession = shape({ consensus: data, log: data, peer: data });
const parameters = shape({
  heartbeat_s: u32,
  block_bytes_max: u32,
  clock_tolerance_s: u32,
  propose_timeout_ms: u32,
  vote_timeout_ms: u32,
  round_timeout_ms: u32,
});
const change = choice({
  "grant-writer": { did: readDid },
  "admit-did": { did: readDid, jkt: text },
  "accredit-root": { did: readDid, jkt: text, attribute: hash, entity },
  "end-root": { attribute: hash, effective: integer, reason: endReason },
  "revoke-writer": { did: readDid, reason: revocationReason },
  "change-validators": {
    add: list(shape({ registration, possession })),
    remove: list(hash),
    rotate: list(shape({ validator: hash, registration, possession })),
    from: integer,
  },
  "withdraw-set-change": {},
  "change-operators": {
    add: list(shape({ did: readDid, name: text, country: text })),
    remove: list(readDid),
    rotate: list(shape({ did: readDid, successor: readDid })),
    "approvals_required?": u32,
  },
  "set-parameters": { parameters, from: integer },
  "set-protocol": { protocol: u32, from: integer },
  "retire-algorithm": {
    algorithm: codec.word<string>(...DIGEST_ALGORITHMS, "Ed25519", "P-256", "P-384", "secp256k1"),
    from: integer,
  },
  "set-page-hosts": { hosts: list(text) },
});
const status = shape({
  list: reference,
  version: integer,
  purpose: codec.word("revocation", "suspension"),
  size: integer,
  sha256: hash,
  issued: integer,
  kid: readDidUrl,
  signatures: shape({ status_list_2021: data, bitstring: data, token: data }),
});

const REGISTRY = {
  "open-dossier": digests,
  "update-dossier": { dossier: hash, prev: hash, change: dossierChange },
  "insert-did": {
    methods: list(newMethod),
    "controllers?": someOf(readDid),
    "services?": someOf(service),
    "authorisation?": text,
  },
  "update-did": { did: readDid, prev: hash, changes: list(didChange) },
  "reserve-attribute": {
    attribute: hash,
    subject: readDid,
    issuer_type: issuerType,
    parent: hash,
    entity,
    "prev?": hash,
  },
  "fill-attribute": { attribute: hash, prev: hash, credential: text },
  "end-accreditation": { attribute: hash, prev: hash, effective: integer, reason: endReason },
  "publish-schema": { schema: hash, body: text, "prev?": hash },
  "publish-status": { status, "prev?": hash },
  propose: { change, governance_version: integer, expires: integer },
  approve: { proposal: hash, governance_version: integer },
  synced: { validator: hash, height: integer, header: hash },
} as const;

/** Type of an act of the registries. */
export type RegistryActType = keyof typeof REGISTRY;

const readRegistryAct = choice(REGISTRY);
const readRegistryType = codec.word(...(Object.keys(REGISTRY) as RegistryActType[]));

/** Reads an act. */
export function readAct(value: Json): Act {
  const type = typeOf(value);
  if (type === "notarise") return readNotarise(value);
  if (type === "notarise-batch") return readBatch(value);
  readRegistryAct(value);
  const json = codec.object(value, Object.keys(value as JsonObject));
  const dossier = dossierDigests(type, json);
  return { type: readRegistryType(type), json, ...(dossier === undefined ? {} : { dossier }) };
}

function readNotarise(value: Json): Notarise {
  const act = codec.object(value, ["type", "alg", "form", "entries"], ["ref"]);
  const given = codec.maybe(act, "ref", reference);
  return {
    type: "notarise",
    alg: codec.field(act, "alg", readDigestAlgorithm),
    form: codec.field(act, "form", codec.word("digest", "commitment")),
    entries: codec.field(act, "entries", list(data)),
    ...(given === undefined ? {} : { reference: given }),
  };
}

function readBatch(value: Json): NotariseBatch {
  const act = codec.object(value, ["type", "tree", "root", "count"], ["ref"]);
  codec.field(act, "tree", codec.word("rfc6962-sha256"));
  const given = codec.maybe(act, "ref", reference);
  return {
    type: "notarise-batch",
    root: codec.field(act, "root", hash),
    count: codec.field(act, "count", integer),
    ...(given === undefined ? {} : { reference: given }),
  };
}

function dossierDigests(type: string, act: JsonObject): DossierDigests | undefined {
  const changed = type === "update-dossier" ? act["change"] : act;
  const holds = type === "open-dossier" || type === "update-dossier";
  if (!holds || typeof changed !== "object" || changed === null || !("entries" in changed)) return undefined;
  const members = changed as JsonObject;
  return {
    alg: codec.field(members, "alg", readDigestAlgorithm),
    entries: codec.field(members, "entries", list(data)),
  };
}
