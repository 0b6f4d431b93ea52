/**
 * What a verification reads of the ledger: the same functions over proven state and over a reader that gathers keys.
 *
 * A {@link Question} names an issuer, what it claims to be accredited for, and its lists; never a credential. So whoever is
 * asked for the keys learns which institution is looked at, and not which of its graduates.
 *
 * | read | keys |
 * | --- | --- |
 * | {@link readDocuments} | `did/<issuer>/head`, and entries back to the moment |
 * | {@link readStanding} | `issuer/<issuer>/head`; of each accreditation looked at and of those above it `attribute/<id>/…`, `did/<accreditor>/…` |
 * | {@link readSchemas} | `schema/<id>/head`, and entries back to the moment |
 * | {@link readLists} | `status/<issuer>:<list>/head` of each list and its two companions, and entries back to `at` |
 */

import type { Credential } from "../credentials/credential.js";
import { credentialScopes } from "../credentials/credential.js";
import type { Did } from "../records/did.js";
import type { Scope } from "../state/accreditation.js";
import type { TrustChain } from "../state/chain.js";
import { documentAt, newestDocument } from "../state/identity.js";
import type { DidEntry } from "../state/identity.js";
import { schema, schemaAt, schemaRevision } from "../state/schemas.js";
import type { SchemaEntry } from "../state/schemas.js";
import type { StateReader } from "../state/state.js";
import { newestStatus, statusAt } from "../state/status.js";
import type { StatusEntry } from "../state/status.js";
import { REPLACED, SUSPENDED, companionOf, listsOf } from "./pointer.js";
import { standingAt } from "./standing.js";
import type { NoChain } from "./standing.js";

/** What is asked of the ledger about one credential, or about many that are alike. */
export interface Question {
  /** Who says to have issued it. */
  readonly issuer: Did;
  /** What the issuer must be accredited for: one of these. */
  readonly scopes: readonly Scope[];
  /** Its lists, without the companions. */
  readonly lists: readonly string[];
  /** When the ledger witnessed it; none when nothing shows that. */
  readonly issued: number | undefined;
  /** Time of the header that the state belongs to. */
  readonly stateTime: number;
  /** The time that is asked about; none for now. */
  readonly at: number | undefined;
}

/**
 * The question of a credential.
 *
 * @param issued block time of its anchor
 * @param stateTime time of the proven header
 * @param publicBase what genesis says
 */
export function questionOf(
  credential: Credential,
  issued: number | undefined,
  stateTime: number,
  at: number | undefined,
  publicBase: string,
): Question {
  const lists = listsOf(credential, publicBase);
  return { issuer: credential.issuer, scopes: credentialScopes(credential), lists, issued, stateTime, at };
}

/** A text that is equal for equal questions. */
export function questionKey({ issuer, scopes, lists, issued, stateTime, at }: Question): string {
  const each = scopes.map(({ schema: id, types, jurisdictions }) => [
    id,
    Array.from(types).sort(),
    Array.from(jurisdictions).sort(),
  ]);
  return JSON.stringify([issuer, each, lists, issued ?? null, stateTime, at ?? null]);
}

/**
 * The moments at which the issuer's key and accreditation must have been good. What the ledger has witnessed was issued then. What
 * it has not may have been made a second ago, whatever it says itself; asked about an earlier time, it must have been good then
 * as well.
 */
export function momentsOf({ issued, stateTime, at }: Question): number[] {
  if (issued !== undefined) return [issued];
  return at !== undefined && at < stateTime ? [stateTime, at] : [stateTime];
}

/** What the ledger says of a credential's issuer. */
export interface LedgerView {
  /** Its DID document. */
  readonly documents: Documents;
  /** Its accreditation at each of the question's moments. */
  readonly standing: readonly (TrustChain | NoChain)[];
  /** The schemas asked about; none where the ledger has no such schema. */
  readonly schemas: ReadonlyMap<string, SchemaEntry | undefined>;
  /** The lists asked about, with their companions. */
  readonly lists: ReadonlyMap<string, ListView>;
}

/** An issuer's DID document, now and at the question's moments. */
export interface Documents {
  /** The newest; none when the DID is not registered. */
  readonly newest: DidEntry | undefined;
  /** At each moment, with the compromises that are known now; none when the DID was not registered then. */
  readonly then: readonly (DidEntry | undefined)[];
}

/** A list and its companions. */
export interface ListView {
  /** The list itself. */
  readonly own: Listed;
  /** `<list>-suspended`. */
  readonly suspended: Listed;
  /** `<list>-replaced`. */
  readonly replaced: Listed;
}

/** The version of a list that counts; or that the ledger has no list of this name, or that it came after the time asked about. */
export type Listed = StatusEntry | "absent" | "later";

/**
 * Everything that a verification needs of the ledger.
 *
 * @throws NotProven or DamagedState when the reader does not say what is needed
 */
export async function readLedger(reader: StateReader, question: Question): Promise<LedgerView> {
  return {
    documents: readDocuments(reader, question),
    standing: await readStanding(reader, question),
    schemas: readSchemas(reader, question),
    lists: readLists(reader, question),
  };
}

/** The issuer's DID document. */
export function readDocuments(reader: StateReader, question: Question): Documents {
  return {
    newest: newestDocument(reader, question.issuer),
    then: momentsOf(question).map((moment) => documentAt(reader, question.issuer, moment)),
  };
}

/** The issuer's accreditation at each moment. */
export async function readStanding(reader: StateReader, question: Question): Promise<(TrustChain | NoChain)[]> {
  const all: (TrustChain | NoChain)[] = [];
  for (const moment of momentsOf(question)) all.push(await standingAt(reader, question, moment));
  return all;
}

/** The revisions of the schemas that were in force at issuance; the first, where a schema came later. */
export function readSchemas(reader: StateReader, question: Question): Map<string, SchemaEntry | undefined> {
  const all = new Map<string, SchemaEntry | undefined>();
  for (const { schema: id } of question.scopes) {
    const then = schemaAt(reader, id, question.issued ?? question.stateTime);
    const first = (): SchemaEntry | undefined => (schema(reader, id) ? schemaRevision(reader, id, 1) : undefined);
    all.set(id, then ?? first());
  }
  return all;
}

/** The versions of the lists that count. */
export function readLists(reader: StateReader, question: Question): Map<string, ListView> {
  const { issuer, at } = question;
  const version = (name: string | undefined): Listed => {
    const newest = name === undefined ? undefined : newestStatus(reader, issuer, name);
    if (name === undefined || newest === undefined) return "absent";
    return at === undefined ? newest : (statusAt(reader, issuer, name, at) ?? "later");
  };
  const all = new Map<string, ListView>();
  for (const list of question.lists) {
    const own = version(list);
    const suspended = version(companionOf(list, SUSPENDED));
    all.set(list, { own, suspended, replaced: version(companionOf(list, REPLACED)) });
  }
  return all;
}
