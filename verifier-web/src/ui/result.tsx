import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

import type { Checked, CheckedItem } from '../ledger/types.js';
import { About, InstalledNote } from './about.js';
import { Content } from './content.js';
import { type Members, members, number, plain, text } from './data.js';
import { Evidence } from './evidence.js';
import { useFocus } from './focus.js';
import { type Translator, useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import { Issuer } from './issuer.js';
import { type FileFacts, download, fileName, reportOf } from './save.js';
import { Steps } from './steps.js';
import { Inert, Time } from './text.js';
import { answerOf, stepOf } from './verdict.js';

/** What is shown of a diploma that was checked. */
interface ResultProps {
  /** The file it came in. */
  file: FileFacts;
  /** The check. */
  checked: Checked;
  /** The diploma, of those in the file. */
  item: CheckedItem;
  /** Begins anew. */
  onAnother: () => void;
}

/** The answer first; then what the diploma says, who issued it, and what was checked. */
export function Result(props: ResultProps): JSX.Element {
  const { file, checked, item, onAnother } = props;
  const i18n = useTranslator();
  const heading = useRef<HTMLHeadingElement>(null);
  const { report } = item;
  const answer = answerOf(i18n, report);
  const readable = stepOf(report, 'readable');
  const subject = report.subject === undefined ? undefined : members(plain(report.subject));
  const next = nextSteps(i18n, props, answer.next);
  const asked = Math.abs(report.at - checked.checkedAt) > 600;

  // The reader has asked a question: the keyboard and the screen reader go to its answer.
  useFocus(heading, report);

  return (
    <div class="result">
      <p class="print-only report-title">{i18n.t('report.title')}</p>
      <section class={`verdict verdict-${report.verdict}`} data-verdict={report.verdict} data-reason={report.reason}>
        <Icon of={report.verdict} />
        <div class="verdict-text">
          <h2 ref={heading} tabIndex={-1}>
            <span class="verdict-word">{answer.word}</span>
            <span class="visually-hidden">: </span>
            <span class="verdict-sentence">{answer.sentence}</span>
          </h2>
          {answer.meaning !== undefined && <p>{answer.meaning}</p>}
          {asked && <p>{i18n.parts('verdict.at', { time: <Time at={report.at} /> })}</p>}
          {report.reason.startsWith('dates.') && <Evidence evidence={plain(stepOf(report, 'dates')?.evidence)} />}
          {next.length > 0 && (
            <>
              <h3>{i18n.t('verdict.next')}</h3>
              <ul class="next">{next.map((sentence) => <li key={sentence}>{sentence}</li>)}</ul>
            </>
          )}
          {subject !== undefined && report.verdict !== 'not-valid' && <Holder subject={subject} />}
          <InstalledNote network={checked.network} />
        </div>
      </section>

      <div class="actions no-print">
        <button type="button" class="button secondary" onClick={() => window.print()}>{i18n.t('report.print')}</button>
        <button
          type="button"
          class="button secondary"
          onClick={() => download(fileName(`${file.name}-testamur`, 'json'), 'application/json', reportOf({ facts: file, checked, item }))}
        >
          {i18n.t('report.save')}
        </button>
      </div>

      {subject === undefined || Object.keys(subject).length === 0 ? (
        readable?.outcome === 'passed' && <p class="note">{i18n.t('content.hidden')}</p>
      ) : (
        <Content
          subject={subject}
          undisclosed={number(members(plain(readable?.evidence))['undisclosed']) ?? 0}
          compact={report.format === 'compact'}
        />
      )}
      <Issuer report={plainReport(report)} />
      <Steps report={report} />
      <About file={file} checked={checked} item={item} />

      <p class="print-only">{i18n.t('report.note')}</p>
      <div class="actions no-print">
        <button type="button" class="button" data-another onClick={onAnother}>{i18n.t('diploma.another')}</button>
      </div>
    </div>
  );
}

/** Whom the diploma is of: what the reader compares with an identity document. */
function Holder({ subject }: { subject: Members }): JSX.Element | null {
  const i18n = useTranslator();
  const name = ['givenName', 'familyName'].flatMap((part) => text(subject[part]) ?? []).join(' ');
  const born = text(subject['dateOfBirth']);
  if (name === '') return null;
  return (
    <dl class="holder">
      <div><dt>{i18n.t('field.holder')}</dt><dd><Inert text={name} /></dd></div>
      {born !== undefined && <div><dt>{i18n.t('field.dateOfBirth')}</dt><dd><Inert text={i18n.day(born)} /></dd></div>}
    </dl>
  );
}

/** What to do next, by what is known beside the report. */
function nextSteps(i18n: Translator, { file, checked, item }: ResultProps, next: string[]): string[] {
  // Mail programs cut long links.
  if (file.link === true && item.report.reason === 'readable.malformed') return [i18n.t('error.link')];
  // Nodes whose newest state is too old by this device's clock: it is the clock that is wrong, rather than all of them.
  const late = checked.nodes.length > 0 && checked.nodes.every((node) => node.code === 'evidence.stale');
  return late ? [i18n.t('reason.status.list-not-yet-valid.next'), ...next] : next;
}

/** The same report with evidence of JSON's plain types. */
function plainReport(report: CheckedItem['report']): CheckedItem['report'] {
  return plain(report) as CheckedItem['report'];
}
