// Dossiers: versioned sets of document digests with owners (the *records* of EBSI's timestamp API, version 4).

import * as codec from "../base/codec.js";
import type { Json } from "../base/json.js";
import { type Did, readDid } from "../records/did.js";
import { entry, type EntryShape, head, StateObject, type StateReader, type TimedEntry } from "./state.js";

/** Who may add to a dossier, and when. */
export interface Owner {
  /** The owner. */
  readonly did: Did;
  /** From this second on. */
  readonly notBefore: number;
  /** Before this second; none for no end. */
  readonly notAfter: number | undefined;
}

/** A dossier from a block on. */
export interface DossierEntry extends TimedEntry {
  /** The record that wrote it. */
  readonly record: string;
  /** The newest version's number. */
  readonly version: number;
  /** Algorithm of its digests. */
  readonly alg: string;
  /** Its digests so far. */
  readonly entries: readonly Uint8Array[];
  /** Its owners, past ones included. */
  readonly owners: readonly Owner[];
}

const ALGORITHM = codec.word("sha2-256", "sha2-384", "sha2-512", "sha3-256", "sha3-384", "sha3-512");

function readOwner(json: Json): Owner {
  const owner = codec.object(json, ["did", "not_before"], ["not_after"]);
  return {
    did: codec.field(owner, "did", readDid),
    notBefore: codec.field(owner, "not_before", codec.integer),
    notAfter: codec.maybe(owner, "not_after", codec.integer),
  };
}

const DOSSIER_ENTRY: EntryShape<DossierEntry> = {
  members: ["height", "time", "record", "version", "alg", "entries", "owners"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    record: codec.field(members, "record", codec.hash),
    version: codec.field(members, "version", codec.integer),
    alg: codec.field(members, "alg", ALGORITHM),
    entries: codec.field(members, "entries", codec.list(codec.data)),
    owners: codec.field(members, "owners", codec.list(readOwner)),
  }),
};

/** `dossier/<record id>`: a dossier; each record about it is an entry. */
export function dossierObject(id: string): StateObject {
  return new StateObject("dossier", id);
}

/** The newest entry of a dossier. */
export function newestDossier(reader: StateReader, id: string): DossierEntry | undefined {
  return head(reader, dossierObject(id), DOSSIER_ENTRY);
}

/** An entry of a dossier by its number. */
export function dossierEntry(reader: StateReader, id: string, number: number): DossierEntry | undefined {
  return entry(reader, dossierObject(id), number, DOSSIER_ENTRY);
}
