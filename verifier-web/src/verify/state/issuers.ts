// Accreditations on the ledger (EBSI's trusted issuers registry): Root TAO → TAO → trusted issuer.
//
// An *attribute* is the place of one accreditation: its accreditor reserves it for a subject and says there who the
// subject is; the subject fills it with the accreditation credential (a VC-JWT that the accreditor has signed), and may
// fill it anew when it is renewed; the accreditor ends it at a date, for a reason. Every step is an entry, whole, so what
// held at any time is there for ever.

import * as codec from "../base/codec.js";
import { CodecError } from "../base/errors.js";
import type { Json } from "../base/json.js";
import { type Did, readDid } from "../records/did.js";
import { entry, entryAt, type EntryShape, head, StateObject, type StateReader, type TimedEntry } from "./state.js";

/** What an accreditation makes of its subject: one that begins a chain, one that accredits others, one that issues. */
export type IssuerType = "root-tao" | "tao" | "ti";

/** Whether a holder of one type may accredit a subject as another. */
export function mayAccredit(type: IssuerType, other: IssuerType): boolean {
  return type !== "ti" && other !== "root-tao";
}

/** Why an accreditation ended. Closed; the first two may lie in the past. */
export type EndReason =
  | "obtained-by-fraud"
  | "key-compromise"
  | "cessation-of-operation"
  | "privilege-withdrawn"
  | "superseded";

/** A name in a language. */
export interface LegalName {
  /** BCP 47 tag. */
  readonly lang: string;
  /** The name. */
  readonly name: string;
}

/** An identifier of a legal person. */
export interface Identifier {
  /** The register that it is of. */
  readonly scheme: "eter" | "deqar" | "vat";
  /** The identifier there. */
  readonly value: string;
}

/** Who a subject is, as its accreditor says. */
export interface Entity {
  /** Its legal name, in at least one language; the first is the official one. */
  readonly names: readonly LegalName[];
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Its identifiers. */
  readonly identifiers: readonly Identifier[];
}

/** The end of an accreditation. */
export interface Ended {
  /** From this second on it is no longer in force. */
  readonly effective: number;
  /** Why. */
  readonly reason: EndReason;
}

/** An accreditation from a block on. */
export interface AttributeEntry extends TimedEntry {
  /** The record that wrote it; a proposal's, where governance did. */
  readonly record: string;
  /** Who is accredited. */
  readonly subject: Did;
  /** Who accredits; the subject itself for a Root TAO. */
  readonly accreditor: Did;
  /** The Root TAO at the end of the chain. */
  readonly root: Did;
  /** The accreditor's own attribute; zero for a Root TAO. */
  readonly parent: string;
  /** What it makes of the subject. */
  readonly issuerType: IssuerType;
  /** Who the subject is. */
  readonly entity: Entity;
  /** The accreditation credential, a VC-JWT; none while the attribute is only reserved. */
  readonly credential: string | undefined;
  /** Time of the block that took this credential. */
  readonly filled: number | undefined;
  /** Its end, if that was said. */
  readonly ended: Ended | undefined;
}

/** The attributes of an issuer from a block on. */
export interface IssuerEntry extends TimedEntry {
  /** Every attribute ever reserved for it, in order of arrival. */
  readonly attributes: readonly string[];
}

const ISSUER_TYPE = codec.word("root-tao", "tao", "ti");
const SCHEME = codec.word("eter", "deqar", "vat");

/** Reads the reason of an end. */
export const readEndReason: codec.Reader<EndReason> = codec.word(
  "obtained-by-fraud",
  "key-compromise",
  "cessation-of-operation",
  "privilege-withdrawn",
  "superseded",
);

function readLegalName(json: Json): LegalName {
  const name = codec.object(json, ["lang", "name"]);
  return { lang: codec.field(name, "lang", codec.text), name: codec.field(name, "name", codec.text) };
}

function readIdentifier(json: Json): Identifier {
  const identifier = codec.object(json, ["scheme", "value"]);
  return { scheme: codec.field(identifier, "scheme", SCHEME), value: codec.field(identifier, "value", codec.text) };
}

function readIdentifiers(json: Json): readonly Identifier[] {
  const identifiers = codec.list(readIdentifier)(json);
  if (identifiers.length === 0) throw new CodecError("not-canonical", "an empty list of identifiers is left out");
  return identifiers;
}

/** Reads who a subject is. */
export function readEntity(json: Json): Entity {
  const entity = codec.object(json, ["names", "country"], ["identifiers"]);
  return {
    names: codec.field(entity, "names", codec.list(readLegalName)),
    country: codec.field(entity, "country", codec.text),
    identifiers: codec.maybe(entity, "identifiers", readIdentifiers) ?? [],
  };
}

function readEnded(json: Json): Ended {
  const ended = codec.object(json, ["effective", "reason"]);
  return { effective: codec.field(ended, "effective", codec.integer), reason: codec.field(ended, "reason", readEndReason) };
}

const ATTRIBUTE_ENTRY: EntryShape<AttributeEntry> = {
  members: ["height", "time", "record", "subject", "accreditor", "root", "parent", "issuer_type", "entity"],
  optional: ["credential", "filled", "ended"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    record: codec.field(members, "record", codec.hash),
    subject: codec.field(members, "subject", readDid),
    accreditor: codec.field(members, "accreditor", readDid),
    root: codec.field(members, "root", readDid),
    parent: codec.field(members, "parent", codec.hash),
    issuerType: codec.field(members, "issuer_type", ISSUER_TYPE),
    entity: codec.field(members, "entity", readEntity),
    credential: codec.maybe(members, "credential", codec.text),
    filled: codec.maybe(members, "filled", codec.integer),
    ended: codec.maybe(members, "ended", readEnded),
  }),
};

const ISSUER_ENTRY: EntryShape<IssuerEntry> = {
  members: ["height", "time", "attributes"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
    attributes: codec.field(members, "attributes", codec.list(codec.hash)),
  }),
};

/** `attribute/<64 hexadecimal digits>`: one accreditation; each step is an entry. */
export function attributeObject(id: string): StateObject {
  return new StateObject("attribute", id);
}

/** `issuer/<did>`: the attributes of a subject. */
export function issuerObject(did: Did): StateObject {
  return new StateObject("issuer", did);
}

/** The newest entry of an attribute. */
export function attribute(reader: StateReader, id: string): AttributeEntry | undefined {
  return head(reader, attributeObject(id), ATTRIBUTE_ENTRY);
}

/** The entry of an attribute that was in force at a time. */
export function attributeAt(reader: StateReader, id: string, time: number): AttributeEntry | undefined {
  return entryAt(reader, attributeObject(id), time, ATTRIBUTE_ENTRY);
}

/** An entry of an attribute by its number. */
export function attributeEntry(reader: StateReader, id: string, seq: number): AttributeEntry | undefined {
  return entry(reader, attributeObject(id), seq, ATTRIBUTE_ENTRY);
}

/** The attributes of an issuer; none when nothing was ever reserved for it. */
export function issuer(reader: StateReader, did: Did): IssuerEntry | undefined {
  return head(reader, issuerObject(did), ISSUER_ENTRY);
}
