import {
  DamagedState,
  Evidence,
  EvidenceError,
  NotProven,
  type Header,
  type ProvenState,
  type StateReader,
  type TrustFile,
} from '@testamur/verify';

import { Fault } from './fault.js';
import {
  BEHIND_PAUSE_MS,
  BEHIND_TIMEOUT_MS,
  EVIDENCE_AGE_S,
  EVIDENCE_KEYS_MAX,
  GATHER_RESTARTS_MAX,
  STATE_KEYS_PER_REQUEST,
  STATE_QUERY_CHARS_MAX,
} from './limits.js';
import type { Node } from './node.js';

/** A read over proven state: throws `NotProven` for a key that it needs and that is not there. */
export type Read<T> = (reader: StateReader, header: Header) => Promise<T>;

/** What a read gave, with what proves it. */
export interface Proven<T> {
  readonly value: T;
  readonly state: ProvenState;
  readonly evidence: Evidence;
  readonly node: Node;
}

/** What a read is of. */
export interface Asked<T> {
  readonly trust: TrustFile;
  /** A route that answers with most of it at once. */
  readonly bundle?: string;
  /** Keys that the read surely needs, and that the route surely answers. */
  readonly first: readonly string[];
  /** Keys that the read surely needs besides: they are asked for at the same time. */
  readonly also: readonly string[];
  readonly read: Read<T>;
  /** The least height that is accepted, by now. */
  seen(): number;
  /** Told when a node is asked again because it is behind. */
  behind(node: Node, fault: Fault): void;
  /** This device's clock, in seconds. */
  now(): number;
}

/**
 * Runs a read over what a node proves, asking for more keys until it has all, under one header. A node that is a block behind
 * gets a moment to catch up.
 */
export async function gather<T>(node: Node, asked: Asked<T>, signal: AbortSignal): Promise<Proven<T>> {
  const end = performance.now() + BEHIND_TIMEOUT_MS;
  for (;;) {
    try {
      return await once(node, asked, signal);
    } catch (error) {
      const shortly = error instanceof Fault && (error.code === 'registry.behind' || error.code === 'node.not-ready');
      if (!shortly || signal.aborted || performance.now() > end) throw error;
      asked.behind(node, error);
      await new Promise((resolve) => setTimeout(resolve, BEHIND_PAUSE_MS));
    }
  }
}

async function once<T>(node: Node, asked: Asked<T>, signal: AbortSignal): Promise<Proven<T>> {
  // Keys that the read is known to need; and those not asked for yet under the header at hand.
  const known = new Set<string>();
  // More than fit in one request show up as missing, if they are.
  const also = asked.also.slice(0, asked.also.length === 0 ? 0 : chunk(asked.also));
  for (const key of also) known.add(key);
  const beside = also.length === 0 ? undefined : node.state(also, signal);
  // Looked at below, or not at all when the route fails for good.
  beside?.catch(() => undefined);
  let gathered = await bundle(node, asked, signal);
  let missing: string[] = [];
  if (gathered === undefined) {
    for (const key of asked.first) known.add(key);
    missing = [...known];
  } else {
    const more = await beside?.catch(() => undefined);
    if (more?.header === gathered.header) gathered = gathered.with(more);
    else missing = [...also];
  }
  let restarts = 0;
  for (;;) {
    while (missing.length > 0) {
      const part = missing.slice(0, chunk(missing));
      const evidence = await node.state(part, signal);
      if (gathered !== undefined && gathered.header !== evidence.header) {
        // A block was decided in between: everything is asked for again, under one header.
        restarts += 1;
        if (restarts > GATHER_RESTARTS_MAX) {
          throw new Fault(node.name, 'unusable', 'registry.moving', 'the ledger moved on while it was read');
        }
        gathered = undefined;
        missing = [...known];
        continue;
      }
      gathered = gathered === undefined ? evidence : gathered.with(evidence);
      missing = missing.slice(part.length);
    }
    if (gathered === undefined) throw new Error('a read begins with a bundle or a key');
    const state = check(node, asked, gathered);
    try {
      return { value: await asked.read(state, state.header), state, evidence: gathered, node };
    } catch (error) {
      if (error instanceof NotProven) {
        // What was asked for and is not there was left out; it is never taken for absent.
        if (known.has(error.key)) {
          const detail = `it was asked about ${error.key} and proves nothing about it`;
          throw new Fault(node.name, 'lies', 'registry.omitted', detail, state.header.height);
        }
        if (known.size >= EVIDENCE_KEYS_MAX) {
          const detail = `the answer rests on more than ${EVIDENCE_KEYS_MAX} state keys`;
          throw new Fault(node.name, 'unusable', 'registry.too-many-keys', detail);
        }
        known.add(error.key);
        missing.push(error.key);
        continue;
      }
      if (error instanceof DamagedState) {
        const detail = `${error.message}: is this page older than the network's rules?`;
        throw new Fault(node.name, 'unusable', 'registry.unreadable', detail);
      }
      throw error;
    }
  }
}

/** It is a short cut: a node that does not have it still answers about keys. One that does not answer at all is not asked twice. */
async function bundle<T>(node: Node, asked: Asked<T>, signal: AbortSignal): Promise<Evidence | undefined> {
  if (asked.bundle === undefined) return undefined;
  try {
    return await node.evidence(asked.bundle, signal);
  } catch (error) {
    const away = ['client.unreachable', 'client.interrupted', 'node.not-ready'];
    if (error instanceof Fault && !away.includes(error.code)) return undefined;
    throw error;
  }
}

/** Certificate, proofs, age, and that nothing newer was seen. */
function check<T>(node: Node, asked: Asked<T>, evidence: Evidence): ProvenState {
  let state: ProvenState;
  try {
    state = evidence.verify(asked.trust);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const kind = error.code === 'evidence.unknown-format' ? 'unusable' : 'lies';
    throw new Fault(node.name, kind, error.code, error.message);
  }
  const { height } = state.header;
  try {
    state.fresh(asked.now(), EVIDENCE_AGE_S);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new Fault(node.name, 'behind', error.code, error.message, height);
  }
  const seen = asked.seen();
  if (height < seen) {
    const detail = `it answers with the state of block ${height}, though block ${seen} is known: it is behind, or hides what came since`;
    throw new Fault(node.name, 'behind', 'registry.behind', detail, height);
  }
  return state;
}

/** How many of the keys fit in one request: at least one. */
function chunk(keys: readonly string[]): number {
  let chars = 0;
  let fits = 0;
  for (const key of keys.slice(0, STATE_KEYS_PER_REQUEST)) {
    chars += key.length + 'key=&'.length;
    if (chars > STATE_QUERY_CHARS_MAX) break;
    fits += 1;
  }
  return Math.max(fits, 1);
}
