import type { JSX } from 'preact';

import type { Checked, CheckedItem, NodeAnswer, NetworkInfo } from '../ledger/types.js';
import { useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import type { FileFacts } from './save.js';
import { Code, Inert, Time } from './text.js';

/** Names of the formats; they are the same in all languages. */
const FORMATS: Readonly<Record<string, string>> = {
  'sd-jwt': 'SD-JWT VC',
  vcdm2: 'W3C Verifiable Credentials 2.0',
  ebsi: 'W3C Verifiable Credentials 1.1 (EBSI)',
  compact: 'QR',
};

/** When, under which network and by whose proofs a diploma was checked. */
export function About({ file, checked, item }: { file: FileFacts; checked: Checked; item: CheckedItem }): JSX.Element {
  const i18n = useTranslator();
  const { report } = item;
  return (
    <section class="card about">
      <h2>{i18n.t('about.title')}</h2>
      <dl class="fields">
        <div><dt>{i18n.t('about.file')}</dt><dd><Inert text={file.name} /></dd></div>
        <div><dt>{i18n.t('about.time')}</dt><dd><Time at={checked.checkedAt} /></dd></div>
        {report.as_of !== undefined && <div><dt>{i18n.t('about.state')}</dt><dd><Time at={report.as_of} /></dd></div>}
        <div><dt>{i18n.t('about.network')}</dt><dd><Inert text={checked.network.name} /></dd></div>
        {report.format !== undefined && <div><dt>{i18n.t('about.format')}</dt><dd>{FORMATS[report.format] ?? report.format}</dd></div>}
        <div><dt>{i18n.t('about.reference')}</dt><dd><Code text={report.reason} /></dd></div>
      </dl>
      <h3>{i18n.t('nodes.title')}</h3>
      {item.source === 'package' && <p>{i18n.t('nodes.file')}</p>}
      <Nodes nodes={checked.nodes} />
    </section>
  );
}

/** Which nodes answered, and how. */
export function Nodes({ nodes }: { nodes: readonly NodeAnswer[] }): JSX.Element | null {
  const i18n = useTranslator();
  if (nodes.length === 0) return null;
  const answered = nodes.filter((node) => node.state === 'ok').length;
  return (
    <>
      <p>
        {answered === 0 ? i18n.t('nodes.nobody') : i18n.t('nodes.count', { count: answered, total: nodes.length })}
      </p>
      <ul class="nodes">
        {nodes.map((node) => (
          <li key={node.node} class={`node node-${node.state}`} data-node-state={node.state}>
            <Icon of={SIGNS[node.state]} />
            <span>
              <Code text={node.node} /> <span class="node-state">{i18n.t(node.code === 'receipt.unknown-network' ? 'nodes.other' : WORDS[node.state])}</span>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

const SIGNS = { ok: 'passed', lies: 'failed', 'no-answer': 'not-checked', behind: 'unknown', unusable: 'not-checked' } as const;
const WORDS = {
  ok: 'nodes.answered',
  lies: 'nodes.lies',
  'no-answer': 'nodes.silent',
  behind: 'nodes.behind',
  unusable: 'nodes.silent',
} as const;

/** Whether and which network a reader installed: said beside every answer. */
export function InstalledNote({ network }: { network: NetworkInfo }): JSX.Element | null {
  const i18n = useTranslator();
  if (!network.installed) return null;
  return (
    <p class="warning">
      <Icon of="unknown" />
      <span>{i18n.parts('verdict.installed', { name: <Inert text={network.name} /> })}</span>
    </p>
  );
}
