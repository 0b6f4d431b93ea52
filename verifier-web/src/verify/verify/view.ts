/** What a proven state says to a question, and what came of it for the issuer's keys and accreditation. */

import type { PublicKey } from "../base/keys.js";
import { findMethod, publicKey } from "../state/identity.js";
import type { SchemaEntry } from "../state/schemas.js";
import { DamagedState, NotProven } from "../state/state.js";
import type { StateReader } from "../state/state.js";
import type { TrustChain } from "../state/chain.js";
import { judgeAccreditation, judgeKey } from "./issuer.js";
import { readDocuments, readLists, readSchemas, readStanding } from "./ledger.js";
import type { Documents, ListView, Question } from "./ledger.js";
import type { Found } from "./report.js";
import type { NoChain } from "./standing.js";

/** A part of what was read; or what of it the state does not say. */
export type Part<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

/** A key of the issuer's. */
export interface IssuerKey {
  /** The key. */
  readonly ready: PublicKey;
  /** Step 3. */
  readonly found: Found;
}

/** What a proven state says to a question. */
export class View {
  /** The question. */
  readonly question: Question;
  /** The issuer's DID document. */
  readonly documents: Part<Documents>;
  /** Its accreditation at each moment. */
  readonly standing: Part<readonly (TrustChain | NoChain)[]>;
  /** The schemas. */
  readonly schemas: Part<ReadonlyMap<string, SchemaEntry | undefined>>;
  /** The lists. */
  readonly lists: Part<ReadonlyMap<string, ListView>>;
  /** Step 4, but for what the content says of its level. */
  readonly accreditation: Part<Found>;
  private readonly keys = new Map<string, IssuerKey>();

  private constructor(reader: StateReader, question: Question, standing: View["standing"]) {
    this.question = question;
    this.documents = part(() => readDocuments(reader, question));
    this.standing = standing;
    this.schemas = part(() => readSchemas(reader, question));
    this.lists = part(() => readLists(reader, question));
    this.accreditation = standing.ok ? judgeAccreditation(question, standing.value) : standing;
  }

  /** Reads the answer to a question. */
  static async read(reader: StateReader, question: Question): Promise<View> {
    let standing: View["standing"];
    try {
      standing = { ok: true, value: await readStanding(reader, question) };
    } catch (error) {
      standing = failed(error);
    }
    return new View(reader, question, standing);
  }

  /** A key of the issuer's newest document; none when there is none of this name, or it is no key. */
  key(fragment: string): IssuerKey | undefined {
    const known = this.keys.get(fragment);
    if (known !== undefined) return known;
    const newest = this.documents.ok ? this.documents.value.newest : undefined;
    const method = newest && findMethod(newest, fragment);
    const ready = method && publicKey(method.key);
    if (!this.documents.ok || !method || !ready) return undefined;
    const chains = this.standing.ok ? this.standing.value : [];
    const key = { ready, found: judgeKey(this.question, this.documents.value, chains, method) };
    this.keys.set(fragment, key);
    return key;
  }
}

function part<T>(read: () => T): Part<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    return failed(error);
  }
}

/** What the state does not say. Anything else is a fault of this program. */
function failed(error: unknown): { ok: false; detail: string } {
  if (error instanceof NotProven || error instanceof DamagedState) return { ok: false, detail: error.message };
  throw error;
}

