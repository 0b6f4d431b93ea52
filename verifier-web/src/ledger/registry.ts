import { Recorder, sha256hex, type TrustFile } from '@testamur/verify';

import { Fault } from './fault.js';
import { gather, type Asked, type Proven, type Read } from './gather.js';
import { HEDGE_MS, NODES_AT_ONCE } from './limits.js';
import type { Node } from './node.js';
import type { Seen } from './seen.js';
import type { NodeAnswer } from './types.js';

/** No node gave an answer that holds: why not, node by node. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';

  constructor(readonly nodes: readonly NodeAnswer[]) {
    super('no node gave an answer that holds');
  }
}

/** A read's answer: of the newest state that any of the nodes proved. */
export interface Reading<T> extends Proven<T> {
  /** The nodes that proved a state as new, in the order of the configuration. */
  readonly good: readonly Node[];
  /** What came of each node that was asked. */
  readonly nodes: readonly NodeAnswer[];
}

/**
 * One network's state, read from several nodes at once and verified here.
 *
 * - A dead node costs a moment, not its timeout: after the first proven answer the others get {@link HEDGE_MS}.
 * - The newest proven state counts. A node that proves an older one gets the same moment to catch up, and is named otherwise.
 * - No answer may be of an earlier block than one that was proven to this browser before.
 */
export class Registry {
  constructor(
    readonly nodes: readonly Node[],
    readonly trust: TrustFile,
    private readonly seen: Seen,
    private readonly now: () => number,
  ) {}

  /**
   * Any read over proven state, beginning with the evidence of a route that answers many keys at once. Throws a
   * {@link RegistryError} when no node gives an answer that holds.
   */
  async read<T>(question: Pick<Asked<T>, 'bundle' | 'first' | 'also' | 'read'>, signal?: AbortSignal): Promise<Reading<T>> {
    const asking: Asking<T> = new Asking<T>(this.nodes, {
      ...question,
      trust: this.trust,
      read: oncePerHeader(question.read),
      seen: () => this.seen.height(this.trust.network),
      saw: (height) => this.seen.saw(this.trust.network, height),
      behind: (node, fault) => asking.behind(node, fault),
      now: this.now,
    });
    return asking.run(signal);
  }

  /**
   * The bits of a version of a status list: the whole list, so that no node learns which entry is looked at. They have the
   * digest that the proven entry names. Nodes of `first` are asked first.
   */
  async bits(digest: string, first: readonly Node[], signal?: AbortSignal): Promise<Bits> {
    const nodes = [...first, ...this.nodes.filter((node) => !first.includes(node))];
    const faults: NodeAnswer[] = [];
    for (const node of nodes) {
      try {
        const bits = await node.attachment(digest, signal ?? NEVER);
        if (bits === undefined) {
          throw new Fault(node.name, 'unusable', 'registry.no-attachment', "it does not hold the status list's bytes");
        }
        if (sha256hex(bits) !== digest) {
          const detail = 'it gave other bytes for the status list than the ledger names';
          throw new Fault(node.name, 'lies', 'registry.attachment', detail);
        }
        return { bits, nodes: faults };
      } catch (error) {
        refuseAborted(signal);
        if (!(error instanceof Fault)) throw error;
        faults.push(error.answer());
      }
    }
    throw new RegistryError(faults);
  }
}

/** A list's bits, and nodes that did not give them. */
export interface Bits {
  readonly bits: Uint8Array;
  readonly nodes: readonly NodeAnswer[];
}

const NEVER = new AbortController().signal;

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new DOMException('the check was given up', 'AbortError');
}

/**
 * A read that is done once for a header: under one state root every node proves the same values, so of the others it is only
 * asked that they prove all that the first read needed.
 */
function oncePerHeader<T>(read: Read<T>): Read<T> {
  const done = new Map<string, { readonly keys: readonly string[]; readonly value: T }>();
  return async (reader, header) => {
    const state = `${header.height} ${header.time} ${header.stateRoot}`;
    const known = done.get(state);
    if (known !== undefined) {
      for (const key of known.keys) reader.get(key);
      return known.value;
    }
    const recorder = new Recorder(reader);
    const value = await read(recorder, header);
    done.set(state, { keys: recorder.keys(), value });
    return value;
  };
}

/** One read, asked of several nodes at once. */
class Asking<T> {
  private readonly controller = new AbortController();
  private readonly proven = new Map<Node, Proven<T>>();
  private readonly faults = new Map<Node, Fault>();
  private readonly running = new Set<Node>();
  private readonly waiting: Node[];
  private bug: { readonly error: unknown } | undefined;

  constructor(
    private readonly nodes: readonly Node[],
    private readonly asked: Asked<T> & { saw(height: number): void },
  ) {
    this.waiting = [...nodes];
  }

  async run(signal?: AbortSignal): Promise<Reading<T>> {
    refuseAborted(signal);
    await new Promise<void>((resolve) => {
      let hedge: ReturnType<typeof setTimeout> | undefined;
      const end = (): void => {
        clearTimeout(hedge);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const settled = (): void => {
        if (this.bug !== undefined || (this.running.size === 0 && this.waiting.length === 0)) end();
        else if (this.proven.size > 0) hedge ??= setTimeout(end, HEDGE_MS);
      };
      signal?.addEventListener('abort', end);
      this.fill(settled);
      settled();
    });
    this.controller.abort();
    refuseAborted(signal);
    if (this.bug !== undefined) throw this.bug.error;
    return this.conclude();
  }

  /** Takes note that a node is asked again, in case nobody waits for it any longer. */
  behind(node: Node, fault: Fault): void {
    if (!this.controller.signal.aborted) this.faults.set(node, fault);
  }

  /** Asks as many as are asked at once; for each that fails the next. */
  private fill(settled: () => void): void {
    while (this.waiting.length > 0 && this.running.size + this.proven.size < NODES_AT_ONCE) {
      const node = this.waiting.shift();
      if (node !== undefined) void this.ask(node, settled);
    }
    // Enough of them proved something: nobody else is asked.
    if (this.running.size === 0 && this.proven.size >= NODES_AT_ONCE) this.waiting.length = 0;
  }

  private async ask(node: Node, settled: () => void): Promise<void> {
    this.running.add(node);
    try {
      const proven = await gather(node, this.asked, this.controller.signal);
      this.proven.set(node, proven);
      this.faults.delete(node);
      this.asked.saw(proven.state.header.height);
      this.askAgain(proven.state.header.height, settled);
    } catch (error) {
      if (!(error instanceof Fault)) this.bug = { error };
      else if (!this.controller.signal.aborted) this.faults.set(node, error);
    }
    this.running.delete(node);
    if (this.controller.signal.aborted) return;
    this.fill(settled);
    settled();
  }

  /** Whoever proved an older state was perhaps asked a moment before the block came to it. */
  private askAgain(height: number, settled: () => void): void {
    for (const [node, proven] of this.proven) {
      if (proven.state.header.height < height && !this.running.has(node)) void this.ask(node, settled);
    }
  }

  private conclude(): Reading<T> {
    const heightOf = (proven: Proven<T>): number => proven.state.header.height;
    const newest = Math.max(...[...this.proven.values()].map(heightOf));
    const inOrder = this.nodes.flatMap((node) => this.proven.get(node) ?? []);
    const good = inOrder.filter((proven) => heightOf(proven) === newest);
    const [first] = good;
    // A certificate is a quorum's: two headers of one height mean that more than a third of the validators signed both.
    const split = good.some((proven) => proven.evidence.header !== first?.evidence.header);
    const nodes = this.nodes.flatMap((node) => this.answer(node, newest, split) ?? []);
    if (first === undefined || split) throw new RegistryError(nodes);
    return { ...first, good: good.map(({ node }) => node), nodes };
  }

  private answer(node: Node, newest: number, split: boolean): NodeAnswer | undefined {
    const fault = this.faults.get(node);
    if (fault !== undefined) return fault.answer();
    const height = this.proven.get(node)?.state.header.height;
    if (height === undefined) {
      if (!this.running.has(node)) return undefined;
      return new Fault(node.name, 'no-answer', 'client.interrupted', 'it was slower than the others by far').answer();
    }
    if (height < newest) {
      const detail = `it answers with the state of block ${height}, though block ${newest} is known: it is behind, or hides what came since`;
      return new Fault(node.name, 'behind', 'registry.behind', detail, height).answer();
    }
    if (split) {
      const detail = `two blocks of height ${height} are certified: validators of this network have signed twice`;
      return new Fault(node.name, 'lies', 'registry.split', detail, height).answer();
    }
    return { node: node.name, state: 'ok', code: 'ok', detail: `proved the state of block ${height}`, height };
  }
}
