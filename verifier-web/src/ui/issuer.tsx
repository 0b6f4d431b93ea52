import type { Report } from '@testamur/verify';
import type { JSX } from 'preact';

import { type Members, inLanguage, members, names, text } from './data.js';
import { useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import { type Named, suspicions } from './lookalike.js';
import { countryName } from './places.js';
import { Code, Inert } from './text.js';
import { chainOf, stepOf } from './verdict.js';

/** Links of a chain that are shown: more than any country has. */
const LINKS_SHOWN = 12;

/** Who issued a diploma and who allowed it, by the ledger. */
export function Issuer({ report }: { report: Report }): JSX.Element | null {
  const i18n = useTranslator();
  const issuer = members(stepOf(report, 'issuer')?.evidence);
  const links = chainOf(report).map(members).slice(0, LINKS_SHOWN);
  const did = text(issuer['did']);
  if (did === undefined) return null;
  const chain: Named[] = links.map((link) => ({ did: text(link['subject']) ?? '', names: names(link['names']) }));
  const warnings = suspicions({ did, names: names(issuer['names']) }, chain).slice(0, 3);
  return (
    <section class="card issuer">
      <h2>{i18n.t('issuer.title')}</h2>
      <Institution of={issuer} did={did} big />
      {warnings.map((warning, index) => (
        <p class="warning" key={index}>
          <Icon of="unknown" />
          <span>
            {warning.kind === 'mixed'
              ? i18n.parts('issuer.mixed', { name: <Inert text={warning.name} /> })
              : i18n.parts('issuer.confusable', { name: <Inert text={warning.name} />, other: <Inert text={warning.other} /> })}
          </span>
        </p>
      ))}
      {links.length > 0 && (
        <>
          <h3>{i18n.t('issuer.chain')}</h3>
          <ol class="chain">
            {links.map((link, index) => (
              <li key={index}>
                <span class="chain-role">{i18n.maybe(`issuer.${text(link['as']) ?? ''}`) ?? ''}</span>
                <Institution of={link} did={text(link['subject']) ?? ''} />
              </li>
            ))}
          </ol>
        </>
      )}
      {names(issuer['names']).length > 0 && <p class="note">{i18n.t('issuer.source')}</p>}
    </section>
  );
}

/** Name and country of an institution; its identifier where the ledger has no name. */
function Institution({ of, did, big = false }: { of: Members; did: string; big?: boolean }): JSX.Element {
  const i18n = useTranslator();
  const all = names(of['names']);
  const shown = inLanguage(all, i18n.language, (one) => one.lang);
  const country = text(of['country']);
  return (
    <span class={big ? 'institution institution-big' : 'institution'}>
      {shown === undefined ? <Code text={did} /> : <Inert text={shown.name} lang={shown.lang} />}
      {country !== undefined && <span class="hint"> · <Inert text={countryName(i18n, country)} /></span>}
    </span>
  );
}
