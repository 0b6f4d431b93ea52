import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { CheckOptions, Checked, CheckedItem, Checker, Progress } from '../ledger/types.js';
import { problemOf } from './failure.js';
import { FileInput } from './file-input.js';
import { focusNext, useFocus } from './focus.js';
import { type Translator, useTranslator } from './i18n.js';
import { inert } from './inert.js';
import { useIntake } from './intake.js';
import { loadViews, useViews } from './lazy.js';
import type { FileFacts } from './save.js';
import type { Service } from './service.js';
import { FILES_MAX, type Problem, type Source, fileSources, textSource } from './sources.js';
import { answerOf } from './verdict.js';

/** Where a check is. */
export type Row =
  | { readonly state: 'waiting'; readonly name: string }
  | { readonly state: 'problem'; readonly name: string; readonly problem: Problem }
  | { readonly state: 'done'; readonly name: string; readonly facts: FileFacts; readonly checked: Checked; readonly item: CheckedItem };

/** What the tab needs of the page. */
interface DiplomaProps {
  /** Checks. */
  service: Service;
  /** Whether the tab is the one that is seen. */
  active: boolean;
  /** Says something to those who listen. */
  announce: (text: string) => void;
  /** Files that were given to the other tab, and are diplomas. */
  given: readonly File[] | undefined;
  /** Called when a check is done. */
  onChecked: () => void;
}

/** Checking diplomas: what to check, then the answer. */
export function Diploma({ service, active, announce, given, onChecked }: DiplomaProps): JSX.Element {
  const i18n = useTranslator();
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [open, setOpen] = useState<number>();
  const [camera, setCamera] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [asking, setAsking] = useState(false);
  const running = useRef<AbortController | undefined>(undefined);
  const start = useRef<HTMLButtonElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const latest = useRef(i18n);
  latest.current = i18n;

  const check = (sources: readonly Source[]): void => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setCamera(false);
    setProblem(undefined);
    setOpen(undefined);
    announce(i18n.count('busy.files', sources.length));
    setAsking(false);
    void run(service, i18n, sources, controller.signal, { rows: setRows, asking: setAsking }).then((done) => {
      if (controller.signal.aborted) return;
      onChecked();
      announce(summary(latest.current, done));
    });
  };
  const takeFiles = (files: readonly File[]): void => {
    if (files.length > FILES_MAX) {
      setProblem(() => (texts: Translator) => texts.count('error.too-many', FILES_MAX));
      onChecked();
      return;
    }
    if (files.length > 0) check(fileSources(files));
  };
  const takeText = (text: string, name?: string): void => check([textSource(text, name ?? i18n.t('list.pasted'))]);
  const again = (): void => {
    running.current?.abort();
    setRows([]);
    setOpen(undefined);
    focusNext(() => start.current);
  };
  const stopCamera = (): void => {
    setCamera(false);
    focusNext(() => start.current);
  };
  const above = useIntake(active, { onFiles: takeFiles, onText: takeText });

  useEffect(() => {
    if (given !== undefined) takeFiles(given);
  }, [given]);
  // A share link carries the diploma behind its #; mail programs may write %23 for it.
  useEffect(() => {
    const look = (): void => {
      const link = location.href;
      if (!/(#|%23)c(=|%3d)/i.test(link)) return;
      // The diploma shall stay neither in the address bar nor in the history.
      history.replaceState(null, '', location.pathname.replace(/[^/]*%23[^/]*$/, ''));
      takeText(link, i18n.t('diploma.link'));
    };
    look();
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);

  const views = useViews(camera);
  const shown = rows.length === 1 ? rows[0] : open === undefined ? undefined : rows[open];
  const body = (): JSX.Element => {
    if (shown?.state === 'done' && typeof views === 'object') {
      return (
        <>
          {rows.length > 1 && (
            <button type="button" class="link back no-print" onClick={() => setOpen(undefined)}>{i18n.t('list.back')}</button>
          )}
          <views.Result file={shown.facts} checked={shown.checked} item={shown.item} onAnother={again} />
        </>
      );
    }
    if (rows.length > 1 && typeof views === 'object') return <views.List rows={rows} onOpen={setOpen} onAnother={again} />;
    return (
      <>
        <p class="lead">{i18n.t('diploma.lead')}</p>
        {shown?.state === 'problem' && <ProblemNote problem={shown.problem} />}
        {problem !== undefined && <ProblemNote problem={problem} />}
        {shown?.state === 'waiting' || rows.length > 1 ? (
          <Busy asking={asking} />
        ) : camera && typeof views === 'object' ? (
          <views.Camera onText={(code) => takeText(code, i18n.t('list.scanned'))} onStop={stopCamera} />
        ) : (
          <Form
            above={above}
            start={start}
            onChoose={() => input.current?.click()}
            onText={takeText}
            onCamera={() => setCamera(true)}
            onProblem={setProblem}
          />
        )}
      </>
    );
  };
  return (
    <>
      <FileInput id="diploma-files" input={input} onFiles={takeFiles} />
      {body()}
    </>
  );
}

/** Checks one after the other, and shows each answer as it comes. */
async function run(
  service: Service,
  i18n: Translator,
  sources: readonly Source[],
  signal: AbortSignal,
  show: { rows: (rows: readonly Row[]) => void; asking: (asking: boolean) => void },
): Promise<readonly Row[]> {
  const names = sources.map((source) => source.name ?? i18n.t('list.pasted'));
  const answers: Row[][] = names.map((name) => [{ state: 'waiting', name }]);
  const update = (): void => {
    if (!signal.aborted) show.rows(answers.flat());
  };
  update();
  // What many diplomas have in common is asked for once.
  const checker = service.session().then((session) => session.batch());
  checker.catch(() => undefined);
  const options = { signal, onProgress: ({ stage }: Progress): void => show.asking(stage === 'asking') };
  for (const [index, source] of sources.entries()) {
    const name = names[index] ?? '';
    answers[index] = await checkOne(checker, source, name, options);
    if (signal.aborted) break;
    update();
  }
  return answers.flat();
}

async function checkOne(checker: Promise<Checker>, source: Source, name: string, options: CheckOptions): Promise<Row[]> {
  try {
    const [read, one] = await Promise.all([source.read(), checker, loadViews()]);
    if (typeof read === 'function') return [{ state: 'problem', name, problem: read }];
    const checked = await one.check(read.input, options);
    return checked.items.map((item) => {
      const called = item.name === undefined || checked.items.length === 1 ? name : `${name}: ${item.name}`;
      return { state: 'done', name: called, facts: { ...read.facts, name: called }, checked, item };
    });
  } catch (error) {
    return [{ state: 'problem', name, problem: problemOf(error) }];
  }
}

/** The answer in a few words, for those who listen. */
function summary(i18n: Translator, rows: readonly Row[]): string {
  const [only] = rows;
  if (rows.length === 1 && only !== undefined) {
    if (only.state === 'problem') return only.problem(i18n);
    if (only.state !== 'done') return '';
    const { word, sentence } = answerOf(i18n, only.item.report);
    return `${word}: ${sentence}`;
  }
  return i18n.count('list.title', rows.length);
}

function Busy({ asking }: { asking: boolean }): JSX.Element {
  const i18n = useTranslator();
  return (
    <div class="busy" data-busy>
      <span class="busy-sign" aria-hidden="true" />
      <p>{i18n.t(asking ? 'busy.asking' : 'busy.checking')}</p>
    </div>
  );
}

function ProblemNote({ problem }: { problem: Problem }): JSX.Element {
  const i18n = useTranslator();
  const heading = useRef<HTMLHeadingElement>(null);
  useFocus(heading, problem);
  return (
    <section class="problem">
      <h2 ref={heading} tabIndex={-1}>{i18n.t('error.title')}</h2>
      <p>{inert(problem(i18n))}</p>
    </section>
  );
}

/** What the form does. */
interface FormProps {
  above: boolean;
  start: { current: HTMLButtonElement | null };
  onChoose: () => void;
  onText: (text: string) => void;
  onCamera: () => void;
  onProblem: (problem: () => Problem) => void;
}

function Form({ above, start, onChoose, onText, onCamera, onProblem }: FormProps): JSX.Element {
  const i18n = useTranslator();
  const area = useRef<HTMLTextAreaElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const text = area.current?.value ?? '';
    if (text.trim() === '') onProblem(() => (texts: Translator) => texts.t('error.nothing'));
    else onText(text);
  };
  return (
    <>
      <section class={above ? 'drop drop-above' : 'drop'}>
        <h2>{i18n.t(above ? 'diploma.dropping' : 'diploma.drop')}</h2>
        <p id="formats" class="hint">{i18n.t('diploma.formats')}</p>
        <div class="actions">
          <button ref={start} type="button" class="button" aria-describedby="formats" onClick={onChoose}>
            {i18n.t('diploma.choose')}
          </button>
          <button type="button" class="button secondary" onClick={onCamera}>{i18n.t('diploma.camera')}</button>
        </div>
      </section>
      <form class="paste" onSubmit={submit}>
        <label for="diploma-text">{i18n.t('diploma.paste')}</label>
        <textarea ref={area} id="diploma-text" rows={3} spellcheck={false} autocomplete="off" autocapitalize="off" />
        <button type="submit" class="button secondary">{i18n.t('diploma.check')}</button>
      </form>
    </>
  );
}
