import type { Report, StepName, StepReport } from '@testamur/verify';

import { items, members, number } from './data.js';
import type { Translator, Values } from './i18n.js';

/** What is said of a verdict, in the order in which it is read. */
export interface Answer {
  /** Valid, not valid, cannot tell. */
  word: string;
  /** One sentence. */
  sentence: string;
  /** What it means for who has asked; nothing where the sentence says it all. */
  meaning: string | undefined;
  /** What to do next, one sentence each. */
  next: string[];
}

/** A step of a report. */
export function stepOf(report: Report, name: StepName): StepReport | undefined {
  return report.steps.find((step) => step.step === name);
}

/** What is put into the sentences of a step's reason. */
function valuesOf(i18n: Translator, step: StepReport | undefined): Values {
  const evidence = members(step?.evidence);
  const at = number(evidence['known_until']) ?? number(evidence['time']);
  return { date: at === undefined ? '–' : i18n.date(at) };
}

/** The sentence of a step: what its reason says, or that it was not looked at. */
export function stepSentence(i18n: Translator, step: StepReport): string {
  if (step.outcome === 'not-checked') return i18n.t('outcome.not-checked.sentence');
  return i18n.maybe(`reason.${step.reason}.title`, valuesOf(i18n, step)) ?? step.reason;
}

/** The step that decided a report. */
export function decisive(report: Report): StepReport | undefined {
  return report.steps.find((step) => step.reason === report.reason && step.outcome !== 'not-checked');
}

/** The sentence of a report's reason. */
export function reasonSentence(i18n: Translator, report: Report): string {
  return i18n.maybe(`reason.${report.reason}.title`, valuesOf(i18n, decisive(report))) ?? report.reason;
}

/** Whether everything is in order but for the age of what is known of a withdrawal. */
function isOnlyStale(report: Report): boolean {
  const rest = report.steps.filter((step) => step.step !== 'status');
  return report.reason === 'status.stale' && rest.every((step) => step.outcome === 'passed');
}

/** What to say of a report. */
export function answerOf(i18n: Translator, report: Report): Answer {
  const word = i18n.t(`verdict.${report.verdict}`);
  const holder = stepOf(report, 'holder');
  // Who stands before the reader is for the reader to see, unless a wallet has just proven it.
  const identity =
    report.verdict !== 'not-valid' && holder?.outcome === 'passed' ? i18n.maybe(`reason.${holder.reason}.next`) : undefined;
  const next = [i18n.maybe(`reason.${report.reason}.next`, valuesOf(i18n, decisive(report))), identity];
  const steps = next.filter((sentence): sentence is string => sentence !== undefined);
  if (report.verdict === 'valid') {
    return { word, sentence: i18n.t('verdict.valid.sentence'), meaning: undefined, next: steps };
  }
  if (isOnlyStale(report)) {
    const sentence = i18n.t('verdict.stale', valuesOf(i18n, stepOf(report, 'status')));
    return { word, sentence, meaning: undefined, next: steps.slice(1) };
  }
  const meaning = i18n.t(report.verdict === 'not-valid' ? 'verdict.not-valid.sentence' : 'verdict.cannot-tell.sentence');
  return { word, sentence: reasonSentence(i18n, report), meaning, next: steps };
}

/** The institutions of the chain of accreditations, the top first. */
export function chainOf(report: Report): readonly unknown[] {
  return [...items(members(stepOf(report, 'accreditation')?.evidence)['links'])].reverse();
}
