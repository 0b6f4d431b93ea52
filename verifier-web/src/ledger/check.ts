// From a file to its reports: opened, read, the ledger asked, verified.
import {
  findCredentials,
  fromUtf8,
  policyNow,
  Receipt,
  Refusal,
  utf8,
  type Evidence,
  type Presentation,
  type Proofs,
  type Verdict,
  type Verifiers,
} from '@testamur/verify';

import type { Gatherer } from './diplomas.js';
import { merged } from './fault.js';
import type { Registry } from './registry.js';
import type { Checked, CheckedItem, CheckInput, CheckOptions, NetworkInfo } from './types.js';

/** What files are judged with. */
export interface Judge {
  readonly verifiers: Verifiers;
  readonly registry: Registry;
  readonly network: NetworkInfo;
  /** This device's clock, in seconds. */
  now(): number;
}

/** Judges a file or a text. What `gatherer` knows already is not asked again. */
export async function check(
  judge: Judge,
  gatherer: Gatherer,
  input: CheckInput,
  options: CheckOptions,
): Promise<Checked> {
  const { at, signal, onProgress } = options;
  const checkedAt = judge.now();
  const policy = at === undefined ? policyNow(checkedAt) : { ...policyNow(checkedAt), at };
  let verifyMs = 0;
  const timed = async <T>(work: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    try {
      return await work();
    } finally {
      verifyMs += performance.now() - start;
      // For whoever measures the page.
      performance.measure('testamur-verify', { start });
    }
  };
  onProgress?.({ stage: 'opening', done: 0, of: 0 });
  // What was said is on the screen before the work begins.
  await breathe(signal);
  const found = await timed(() =>
    input.kind === 'file' ? findCredentials(input.bytes, input.receipt) : findCredentials(utf8(input.text.trim())),
  );
  const items: CheckedItem[] = [];
  for (const [done, one] of found.entries()) {
    await breathe(signal);
    const { presented } = one;
    let proofs: Proofs | undefined;
    if (!(presented instanceof Refusal) && judge.verifiers.of(one).isOfThisLedger(presented.credential.issuer)) {
      onProgress?.({ stage: 'asking', done, of: found.length });
      ({ proofs } = await gatherer.gather(presented, at, signal));
    }
    onProgress?.({ stage: 'verifying', done, of: found.length });
    const { name, ...report } = await timed(() =>
      // Nobody answers: what came along is better than nothing, and the report says as of when it is.
      judge.verifiers.judge(one, policy, proofs),
    );
    const item = { report, ...restedOn(presented, proofs) };
    items.push(name === undefined ? item : { ...item, name });
  }
  onProgress?.({ stage: 'verifying', done: found.length, of: found.length });
  const nodes = merged(
    gatherer.answers,
    judge.registry.nodes.map((node) => node.name),
  );
  return { items, worst: worstOf(items), network: judge.network, nodes, checkedAt, verifyMs };
}

/** What an answer rests on, as text. */
function restedOn(presented: Presentation | Refusal, proofs: Proofs | undefined): Omit<CheckedItem, 'name' | 'report'> {
  if (presented instanceof Refusal) return { source: 'none' };
  const along: Evidence | undefined = presented.proofs.evidence;
  const evidence = proofs?.evidence ?? along;
  const { receipt } = presented;
  return {
    source: proofs !== undefined ? 'nodes' : along !== undefined ? 'package' : 'none',
    credential: presented.text,
    ...(receipt instanceof Receipt ? { receipt: fromUtf8(receipt.encode()) ?? '' } : {}),
    ...(evidence === undefined ? {} : { evidence: fromUtf8(evidence.encode()) ?? '' }),
  };
}

/** The first of the worst. */
function worstOf(items: readonly CheckedItem[]): number {
  const weight: Record<Verdict, number> = { valid: 0, 'cannot-tell': 1, 'not-valid': 2 };
  const weights = items.map((item) => weight[item.report.verdict]);
  return weights.indexOf(Math.max(...weights));
}

/** Lets the browser draw, and its user change his mind. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  if (signal?.aborted === true) throw new DOMException('the check was given up', 'AbortError');
}
