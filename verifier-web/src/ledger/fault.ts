import type { NodeAnswer, NodeState } from './types.js';

/** Why one node's answer is not used. */
export class Fault extends Error {
  override readonly name = 'Fault';

  constructor(
    /** Which node. */
    readonly node: string,
    /** What kind of fault. */
    readonly state: Exclude<NodeState, 'ok'>,
    /** Stable slug: the command line's. */
    readonly code: string,
    /** What happened, in English. */
    readonly detail: string,
    /** The block that it proved, where it proved one. */
    readonly height?: number,
  ) {
    super(`${node}: ${detail} (${code})`);
  }

  /** The same, for the page. */
  answer(): NodeAnswer {
    const { node, state, code, detail, height } = this;
    return height === undefined ? { node, state, code, detail } : { node, state, code, detail, height };
  }
}

/** Nodes' answers with one for each node, in the order of the configuration: the worst that was seen of it. */
export function merged(answers: readonly NodeAnswer[], order: readonly string[]): NodeAnswer[] {
  const weight: Record<NodeState, number> = { lies: 4, behind: 3, unusable: 2, 'no-answer': 1, ok: 0 };
  const worst = new Map<string, NodeAnswer>();
  for (const answer of answers) {
    const known = worst.get(answer.node);
    if (known === undefined || weight[answer.state] > weight[known.state]) worst.set(answer.node, answer);
  }
  return order.flatMap((node) => worst.get(node) ?? []);
}
