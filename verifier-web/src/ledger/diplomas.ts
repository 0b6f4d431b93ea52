// Gathering the proofs that a credential is verified with: state of the ledger, and whole status lists.
//
// Nodes are asked about an issuer, its accreditations, a schema and lists, and never about an entry of a list or anything else
// of a credential: they learn which institution is looked at, and not which of its graduates.
import {
  companionOf,
  decodeHeader,
  didObject,
  isLedgerDid,
  Lists,
  methodOf,
  questionKey,
  questionOf,
  readLedger,
  Receipt,
  REPLACED,
  schemaObject,
  SUSPENDED,
  type Evidence,
  type LedgerView,
  type Presentation,
  type Proofs,
  type Question,
  type StateReader,
} from '@testamur/verify';

import { QUESTIONS_MAX } from './limits.js';
import type { Node } from './node.js';
import { RegistryError, type Registry } from './registry.js';
import type { NodeAnswer } from './types.js';

/** What a question was answered with. */
interface Known {
  readonly evidence: Evidence;
  readonly digests: readonly string[];
  readonly good: readonly Node[];
}

/** What was gathered for a credential. */
export interface Gathered {
  /** None when there is nobody to ask, or no node gave anything that holds. */
  readonly proofs?: Proofs;
}

/**
 * Gathers for the credentials of one file: what like ones have in common is asked for once. Its answers are of the state that
 * was the newest when the first of like credentials was asked about; so it is made anew for the next file.
 */
export class Gatherer {
  /** What came of the nodes, so far. */
  readonly answers: NodeAnswer[] = [];
  /** By the key of the question, as if asked of a state of time 0. */
  private readonly known = new Map<string, Known>();
  private readonly lists = new Lists();
  /** Nobody answered: the other credentials of a file do not wait for it again. */
  private away = false;

  constructor(private readonly registry: Registry) {}

  /** The proofs of one credential, of the newest state. `at` is the time that is asked about; none for now. */
  async gather(presented: Presentation, at: number | undefined, signal?: AbortSignal): Promise<Gathered> {
    const { genesis } = this.registry.trust;
    const { issuer } = presented.credential;
    if (this.registry.nodes.length === 0 || !isLedgerDid(issuer) || methodOf(issuer) !== genesis.didMethod) return {};
    if (this.away) return {};
    const question = questionOf(presented.credential, claimedTime(presented), 0, at, genesis.publicBase);
    try {
      const known = this.known.get(questionKey(question)) ?? (await this.ask(question, signal));
      const lists = new Lists();
      for (const digest of known.digests) {
        const bits = await this.bits(digest, known.good, at, signal);
        if (bits !== undefined) lists.add(bits);
      }
      return { proofs: { evidence: known.evidence, lists, tokens: new Map() } };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.away = true;
      this.answers.push(...error.nodes);
      return {};
    }
  }

  private async ask(question: Question, signal?: AbortSignal): Promise<Known> {
    const reading = await this.registry.read(
      {
        bundle: bundle(question),
        first: [didObject(question.issuer).head],
        also: [...new Set(question.scopes.map(({ schema }) => schemaObject(schema).head))],
        read: (reader, header) => readTwice(reader, { ...question, stateTime: header.time }),
      },
      signal,
    );
    this.answers.push(...reading.nodes);
    const { evidence, good } = reading;
    const known = { evidence, digests: digests(reading.value), good };
    if (this.known.size >= QUESTIONS_MAX) this.known.clear();
    this.known.set(questionKey(question), known);
    return known;
  }

  private async bits(
    digest: string,
    good: readonly Node[],
    at: number | undefined,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const known = this.lists.get(digest);
    if (known !== undefined) return known;
    try {
      const { bits, nodes } = await this.registry.bits(digest, good, signal);
      this.answers.push(...nodes);
      this.lists.add(bits);
      return bits;
    } catch (error) {
      if (!(error instanceof RegistryError) || at === undefined) throw error;
      // Nodes keep older versions for a while only: what is gone is not known, and the rest still is.
      this.answers.push(...error.nodes);
      return undefined;
    }
  }
}

/** What the receipt says is not believed here: it only says which keys to ask for. */
function claimedTime({ receipt }: Presentation): number | undefined {
  if (!(receipt instanceof Receipt)) return undefined;
  try {
    return decodeHeader(receipt.content.header).time;
  } catch {
    return undefined;
  }
}

/** What a verification reads: once as anchored at the receipt's time, and once as if it were not, since a receipt may turn out not to count. */
async function readTwice(reader: StateReader, question: Question): Promise<LedgerView> {
  if (question.issued !== undefined) await readLedger(reader, { ...question, issued: undefined });
  return readLedger(reader, question);
}

/** The versions of lists whose bits are needed. */
function digests(view: LedgerView): string[] {
  const all = [...view.lists.values()].flatMap((list) => [list.own, list.suspended, list.replaced]);
  return [...new Set(all.flatMap((listed) => (typeof listed === 'string' ? [] : [listed.status.sha256])))];
}

/** The route that answers with most of it at once. */
function bundle({ issuer, issued, lists }: Question): string {
  const at = issued === undefined ? '' : `&at=${issued}`;
  const [list] = lists;
  if (list === undefined || lists.length > 1) return `v1/trust-chains?issuer=${issuer}${at}`;
  const names = [list, companionOf(list, SUSPENDED), companionOf(list, REPLACED)].filter((name) => name !== undefined);
  return `v1/trust-chains?issuer=${issuer}${at}&list=${names.join(',')}`;
}
