// Credential schemas on the ledger (EBSI's trusted schemas registry): JSON Schema 2020-12, by 32-byte id, with revisions.

import * as codec from "../base/codec.js";
import { type Did, readDid } from "../records/did.js";
import { entry, entryAt, type EntryShape, head, StateObject, type StateReader, type TimedEntry } from "./state.js";

/** A schema from a block on; its number is the revision. */
export interface SchemaEntry extends TimedEntry {
  /** The record that wrote it. */
  readonly record: string;
  /** Who published it first, and alone may revise it. */
  readonly owner: Did;
  /** The schema's text, as RFC 8785 JSON. */
  readonly body: string;
}

const SCHEMA_ENTRY: EntryShape<SchemaEntry> = {
  members: ["height", "time", "record", "owner", "body"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    record: codec.field(members, "record", codec.hash),
    owner: codec.field(members, "owner", readDid),
    body: codec.field(members, "body", codec.text),
  }),
};

/** `schema/<64 hexadecimal digits>`: a schema; each revision is an entry. */
export function schemaObject(id: string): StateObject {
  return new StateObject("schema", id);
}

/** The newest revision. */
export function schema(reader: StateReader, id: string): SchemaEntry | undefined {
  return head(reader, schemaObject(id), SCHEMA_ENTRY);
}

/** The revision that was in force at a time; none when the schema came later. */
export function schemaAt(reader: StateReader, id: string, time: number): SchemaEntry | undefined {
  return entryAt(reader, schemaObject(id), time, SCHEMA_ENTRY);
}

/** A revision by its number, from 1. */
export function schemaRevision(reader: StateReader, id: string, number: number): SchemaEntry | undefined {
  return entry(reader, schemaObject(id), number, SCHEMA_ENTRY);
}
