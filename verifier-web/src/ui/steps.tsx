import type { Report, StepReport } from '@testamur/verify';
import type { JSX } from 'preact';

import { isMembers, plain, pretty } from './data.js';
import { Evidence } from './evidence.js';
import { useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import { useDisclosure } from './printing.js';
import { download, fileName } from './save.js';
import { Code } from './text.js';
import { stepSentence } from './verdict.js';

/** The eight steps, each with its outcome in words; each opens to what it rests on. */
export function Steps({ report }: { report: Report }): JSX.Element {
  const i18n = useTranslator();
  return (
    <section class="card steps">
      <h2>{i18n.t('steps.title')}</h2>
      <ol>
        {report.steps.map((step) => <li key={step.step}><Step step={step} /></li>)}
      </ol>
    </section>
  );
}

function Step({ step }: { step: StepReport }): JSX.Element {
  const i18n = useTranslator();
  const disclosure = useDisclosure();
  const save = (): void => download(fileName(`testamur-${step.step}`, 'json'), 'application/json', pretty(plain(step)));
  return (
    <details {...disclosure} class={`step step-${step.outcome}`} data-step={step.step} data-outcome={step.outcome} data-reason={step.reason}>
      <summary>
        <Icon of={step.outcome} />
        <span class="step-text">
          <span class="step-name">{i18n.t(`step.${step.step}`)}</span>
          <span class="visually-hidden">: </span>
          <span class="step-outcome">{i18n.t(`outcome.${step.outcome}`)}</span>
          <span class="visually-hidden">. </span>
          <span class="step-sentence">{stepSentence(i18n, step)}</span>
        </span>
      </summary>
      {disclosure.open && (
        <div class="step-body">
          {step.outcome !== 'not-checked' && <Evidence evidence={readable(step)} />}
          <p class="hint">{i18n.t('about.reference')}: <Code text={step.reason} /></p>
          <button type="button" class="link no-print" onClick={save}>{i18n.t('steps.download')}</button>
        </div>
      )}
    </details>
  );
}

/** What is shown of a step's evidence: the place in the log says nothing to people beside the block, and is in the file. */
function readable(step: StepReport): unknown {
  const evidence = plain(step.evidence);
  return step.step === 'anchor' && isMembers(evidence) ? { ...evidence, index: null } : evidence;
}
