import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

import type { Verdict } from '@testamur/verify';
import type { Row } from './diploma.js';
import { useFocus } from './focus.js';
import { useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import { inert } from './inert.js';
import { download, reportOfAll } from './save.js';
import { Inert } from './text.js';
import { reasonSentence } from './verdict.js';

const VERDICTS: readonly Verdict[] = ['not-valid', 'cannot-tell', 'valid'];

/** What the list does. */
interface ListProps {
  rows: readonly Row[];
  /** Shows one of them. */
  onOpen: (index: number) => void;
  onAnother: () => void;
}

/** Several diplomas: a row for each. */
export function List({ rows, onOpen, onAnother }: ListProps): JSX.Element {
  const i18n = useTranslator();
  const heading = useRef<HTMLHeadingElement>(null);
  const waiting = rows.filter((row) => row.state === 'waiting').length;
  const of = (verdict: Verdict): number => rows.filter((row) => row.state === 'done' && row.item.report.verdict === verdict).length;
  const over = waiting === 0;
  const worst = over ? worstOf(rows) : undefined;
  useFocus(heading, over);
  return (
    <section class="list" data-verdict={worst?.verdict} data-reason={worst?.reason} data-busy={over ? undefined : true}>
      <h2 ref={heading} tabIndex={-1}>
        {over ? i18n.count('list.title', rows.length) : i18n.count('busy.files', waiting)}
      </h2>
      <ul class="totals">
        {VERDICTS.filter((verdict) => of(verdict) > 0).map((verdict) => (
          <li key={verdict}>
            <Icon of={verdict} /> {i18n.t('list.total', { verdict: i18n.t(`verdict.${verdict}`), count: of(verdict) })}
          </li>
        ))}
      </ul>
      <table>
        <thead>
          <tr>
            <th scope="col">{i18n.t('list.file')}</th>
            <th scope="col">{i18n.t('list.result')}</th>
            <th scope="col">{i18n.t('list.reason')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index} data-verdict={verdictOf(row)} data-reason={row.state === 'done' ? row.item.report.reason : undefined}>
              <th scope="row">
                {row.state === 'done' ? (
                  <button type="button" class="link" aria-label={i18n.t('list.show', { name: inert(row.name) })} onClick={() => onOpen(index)}>
                    <Inert text={row.name} />
                  </button>
                ) : (
                  <Inert text={row.name} />
                )}
              </th>
              <td>
                {row.state === 'waiting' ? (
                  i18n.t('busy.checking')
                ) : row.state === 'problem' ? (
                  <span class="word word-cannot-tell"><Icon of="cannot-tell" /> {i18n.t('verdict.cannot-tell')}</span>
                ) : (
                  <span class={`word word-${row.item.report.verdict}`}>
                    <Icon of={row.item.report.verdict} /> {i18n.t(`verdict.${row.item.report.verdict}`)}
                  </span>
                )}
              </td>
              <td>
                {row.state === 'problem' && row.problem(i18n)}
                {row.state === 'done' && reasonSentence(i18n, row.item.report)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="actions no-print">
        <button type="button" class="button" data-another onClick={onAnother}>{i18n.t('diploma.another')}</button>
        <button type="button" class="button secondary" onClick={() => window.print()}>{i18n.t('report.print')}</button>
        <button type="button" class="button secondary" onClick={() => download('testamur.json', 'application/json', reportOfAll(rows.filter(isDone)))}>
          {i18n.t('report.save')}
        </button>
      </div>
    </section>
  );
}

function isDone(row: Row): row is Extract<Row, { state: 'done' }> {
  return row.state === 'done';
}

/** The verdict of a row; what could not even be read cannot be told. */
function verdictOf(row: Row): Verdict | undefined {
  if (row.state === 'waiting') return undefined;
  return row.state === 'done' ? row.item.report.verdict : 'cannot-tell';
}

/** The worst of all rows: it is what holds of them together. */
function worstOf(rows: readonly Row[]): { verdict: Verdict; reason: string | undefined } | undefined {
  for (const verdict of VERDICTS) {
    const row = rows.find((one) => verdictOf(one) === verdict);
    if (row !== undefined) return { verdict, reason: row.state === 'done' ? row.item.report.reason : undefined };
  }
  return undefined;
}
