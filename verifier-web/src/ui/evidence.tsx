import type { JSX } from 'preact';

import { type Members, inLanguage, isMembers, names } from './data.js';
import { useTranslator } from './i18n.js';
import { countryName } from './places.js';
import { Code, Inert, Time } from './text.js';

/** Members that are moments in seconds since 1970. */
const MOMENTS = new Set([
  'judged_at', 'revoked', 'compromised_from', 'filled', 'ended', 'effective', 'published', 'known_until', 'time',
  'in_office_until', 'anchored_at', 'from', 'until', 'issued',
]);

/** Members that are for machines and for comparing. */
const CODES = new Set(['kid', 'did', 'key', 'record', 'author', 'accreditor', 'subject', 'attribute', 'origin', 'id', 'schema', 'rule', 'place', 'error', 'refusal']);

/** What people look for comes first; the rest as it is in the report. */
const FIRST = ['names', 'name', 'operator', 'country', 'as', 'accreditor', 'filled', 'ended', 'list', 'index', 'time', 'author', 'known_until'];

/** Items of a list that are shown; all are in the file. */
const ITEMS_SHOWN = 50;

/** What a step rests on, as names and values. */
export function Evidence({ evidence }: { evidence: unknown }): JSX.Element {
  const i18n = useTranslator();
  if (!isMembers(evidence)) return <p class="hint">{i18n.t('steps.none')}</p>;
  return <Pairs value={evidence} />;
}

function Pairs({ value }: { value: Members }): JSX.Element {
  const i18n = useTranslator();
  const place = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const given = Object.keys(value).filter((name) => value[name] !== null && value[name] !== undefined);
  const shown = given.sort((one, other) => place(one) - place(other));
  if (shown.length === 0) return <span class="hint">{i18n.t('evidence.none')}</span>;
  return (
    <dl class="evidence">
      {shown.map((name) => (
        <div key={name}>
          <dt>{i18n.maybe(`evidence.${name}`) ?? <Code text={name} />}</dt>
          <dd><Value name={name} value={value[name]} /></dd>
        </div>
      ))}
    </dl>
  );
}

function Value({ name, value }: { name: string; value: unknown }): JSX.Element {
  const i18n = useTranslator();
  if (value === null || value === undefined) return <>{i18n.t('evidence.none')}</>;
  if (typeof value === 'boolean') return <>{i18n.t(value ? 'evidence.yes' : 'evidence.no')}</>;
  if (typeof value === 'number') return MOMENTS.has(name) ? <Time at={value} /> : <>{value}</>;
  if (typeof value === 'string') {
    if (name === 'country') return <Inert text={countryName(i18n, value)} />;
    if (name === 'as') return <Inert text={i18n.maybe(`issuer.${value}`) ?? value} />;
    return CODES.has(name) ? <Code text={value} /> : <Inert text={value} />;
  }
  if (Array.isArray(value)) {
    const known = name === 'names' ? names(value) : [];
    if (known.length > 0) {
      const shown = inLanguage(known, i18n.language, (one) => one.lang);
      return shown === undefined ? <></> : <Inert text={shown.name} lang={shown.lang} />;
    }
    if (value.length === 0) return <span class="hint">{i18n.t('evidence.none')}</span>;
    return (
      <ol class="evidence-list">
        {value.slice(0, ITEMS_SHOWN).map((item, index) => <li key={index}><Value name={name} value={item} /></li>)}
      </ol>
    );
  }
  return isMembers(value) ? <Pairs value={value} /> : <Inert text={String(value)} />;
}
