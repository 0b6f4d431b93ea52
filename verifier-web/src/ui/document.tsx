import type { Facts } from '@testamur/verify';
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

import type { DocumentAnswer, DocumentInput, NetworkInfo } from '../ledger/types.js';
import { InstalledNote, Nodes } from './about.js';
import { plain, pretty } from './data.js';
import { Evidence } from './evidence.js';
import { codeOf, problemOf } from './failure.js';
import { FileInput } from './file-input.js';
import { focusNext, useFocus } from './focus.js';
import { type TextKey, type Translator, useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import { inert } from './inert.js';
import { useIntake } from './intake.js';
import { useDisclosure } from './printing.js';
import { download, fileName } from './save.js';
import type { Service } from './service.js';
import { type Problem, isReceiptName } from './sources.js';
import { Code, Inert } from './text.js';

/** Bytes of a receipt that are read. */
const RECEIPT_BYTES_MAX = 4 * 1024 * 1024;

/** What the tab needs of the page. */
interface DocumentProps {
  service: Service;
  active: boolean;
  announce: (text: string) => void;
  onChecked: () => void;
  /** Called with a diploma: it is checked as one, and its digest is no node's business. */
  onDiploma: (files: readonly File[]) => void;
}

/** What was found. */
interface Found {
  answer: DocumentAnswer;
  network: NetworkInfo;
  /** Name of the document, if there is one. */
  name: string | undefined;
}

/** Checking any document: with its receipt, or by asking for a public entry. */
export function DocumentTab({ service, active, announce, onChecked, onDiploma }: DocumentProps): JSX.Element {
  const i18n = useTranslator();
  const [file, setFile] = useState<File>();
  const [receipt, setReceipt] = useState<File>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [found, setFound] = useState<Found>();
  const running = useRef<AbortController | undefined>(undefined);
  const hash = useRef<HTMLInputElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const receiptInput = useRef<HTMLInputElement>(null);

  const look = (input: () => Promise<DocumentInput | Problem>, document?: File): void => {
    running.current?.abort();
    const controller = new AbortController();
    const { signal } = controller;
    running.current = controller;
    setBusy(true);
    setProblem(undefined);
    setFound(undefined);
    announce(i18n.t('busy.checking'));
    const work = async (): Promise<Found | Problem> => {
      const [read, session] = await Promise.all([input(), service.session()]);
      if (typeof read === 'function') return read;
      return { answer: await session.document(read, { signal }), network: session.network, name: document?.name };
    };
    const show = (result: Found | Problem): void => {
      if (signal.aborted) return;
      setBusy(false);
      if (typeof result === 'function') setProblem(() => result);
      else setFound(result);
      onChecked();
      announce(typeof result === 'function' ? result(i18n) : `${sayingOf(result.answer).word(i18n)}: ${sayingOf(result.answer).sentence(i18n)}`);
    };
    void work().then(show, (error: unknown) => {
      if (document === undefined || codeOf(error) !== 'document.diploma') {
        show(problemOf(error));
      } else if (!signal.aborted) {
        setBusy(false);
        setFile(undefined);
        onDiploma([document]);
      }
    });
  };
  const check = (document: File | undefined, proof: File | undefined): void => {
    if (document !== undefined || proof !== undefined) look(() => inputOf(document, proof), document);
  };
  const take = (files: readonly File[]): void => {
    void sort(files).then(([document, proof]) => {
      // After an answer, files are a new question.
      const both: [File | undefined, File | undefined] = found === undefined ? [document ?? file, proof ?? receipt] : [document, proof];
      setFile(both[0]);
      setReceipt(both[1]);
      check(...both);
    });
  };
  const takeHash = (text: string): void => {
    const digest = text.trim().replace(/[\s:]/g, '').toLowerCase();
    if (/^[0-9a-f]{64}$/.test(digest)) {
      look(() => Promise.resolve({ kind: 'hash', hash: digest, alg: 'sha2-256' }));
    } else {
      setFound(undefined);
      setProblem(() => (texts: Translator) => texts.t('error.hash'));
      onChecked();
    }
  };
  const above = useIntake(active, { onFiles: take, onText: takeHash });
  const again = (): void => {
    setFile(undefined);
    setReceipt(undefined);
    setFound(undefined);
    setProblem(undefined);
    focusNext(() => document.getElementById('document-choose'));
  };

  const inputs = (
    <>
      <FileInput id="document-files" input={input} onFiles={take} />
      <FileInput id="document-receipt-files" input={receiptInput} onFiles={take} />
    </>
  );
  if (found !== undefined) return <>{inputs}<Answer found={found} onAnother={again} /></>;
  return (
    <>
      {inputs}
      <p class="lead">{i18n.t('document.lead')}</p>
      {problem !== undefined && <ProblemNote problem={problem} />}
      {busy ? (
        <div class="busy" data-busy>
          <span class="busy-sign" aria-hidden="true" />
          <p>{i18n.t('busy.checking')}</p>
        </div>
      ) : (
        <>
          <section class={above ? 'drop drop-above' : 'drop'}>
            <h2>{i18n.t(above ? 'diploma.dropping' : 'document.drop')}</h2>
            <Choose id="document" label="document.file" file={file} onChoose={() => input.current?.click()} />
            <Choose id="document-receipt" label="document.receipt" hint="document.receipt.hint" file={receipt} onChoose={() => receiptInput.current?.click()} />
            {file === undefined && receipt !== undefined && (
              <div class="actions">
                <button type="button" class="button" onClick={() => check(file, receipt)}>{i18n.t('diploma.check')}</button>
              </div>
            )}
          </section>
          <form
            class="paste"
            onSubmit={(event) => {
              event.preventDefault();
              takeHash(hash.current?.value ?? '');
            }}
          >
            <label for="document-hash">{i18n.t('document.hash')}</label>
            <p id="hash-hint" class="hint">{i18n.t('document.hash.hint')}</p>
            <input ref={hash} id="document-hash" class="mono" type="text" aria-describedby="hash-hint" spellcheck={false} autocomplete="off" autocapitalize="off" />
            <button type="submit" class="button secondary">{i18n.t('diploma.check')}</button>
          </form>
        </>
      )}
    </>
  );
}

/** A button that chooses a file, and says which one is chosen. */
function Choose(props: { id: string; label: TextKey; hint?: TextKey; file: File | undefined; onChoose: () => void }): JSX.Element {
  const i18n = useTranslator();
  const { id, label, hint, file, onChoose } = props;
  return (
    <div class="choose">
      <p class="choose-label" id={`${id}-label`}>{i18n.t(label)}</p>
      {hint !== undefined && <p class="hint" id={`${id}-hint`}>{i18n.t(hint)}</p>}
      <div class="choose-row">
        <button
          type="button"
          id={`${id}-choose`}
          class="button secondary"
          aria-describedby={hint === undefined ? `${id}-label ${id}-chosen` : `${id}-label ${id}-hint ${id}-chosen`}
          onClick={onChoose}
        >
          {i18n.t('document.choose')}
        </button>
        <span id={`${id}-chosen`} class="hint">{file === undefined ? i18n.t('document.none') : <Inert text={file.name} />}</span>
      </div>
    </div>
  );
}

function ProblemNote({ problem }: { problem: Problem }): JSX.Element {
  const i18n = useTranslator();
  const heading = useRef<HTMLHeadingElement>(null);
  useFocus(heading, problem);
  return (
    <section class="problem" data-document="problem">
      <h2 ref={heading} tabIndex={-1}>{i18n.t('error.title')}</h2>
      <p>{inert(problem(i18n))}</p>
    </section>
  );
}

/** Which of two files is the document and which the receipt: by name, else by what is in it. */
async function sort(files: readonly File[]): Promise<[File | undefined, File | undefined]> {
  const [first, second] = files;
  let receipt = files.find((file) => isReceiptName(file.name));
  for (const file of [first, second]) {
    if (receipt === undefined && file !== undefined && (await isReceipt(file))) receipt = file;
  }
  return [files.find((file) => file !== receipt), receipt];
}

async function isReceipt(file: File): Promise<boolean> {
  if (file.size > RECEIPT_BYTES_MAX || !/\.json$/i.test(file.name)) return false;
  try {
    return /"type"\s*:\s*"testamur-receipt"/.test(await file.text());
  } catch {
    return false;
  }
}

async function inputOf(file: File | undefined, receipt: File | undefined): Promise<DocumentInput | Problem> {
  try {
    const proof = receipt === undefined ? undefined : new Uint8Array(await receipt.arrayBuffer());
    if (file === undefined) {
      return proof === undefined ? (i18n) => i18n.t('error.nothing') : { kind: 'receipt', receipt: proof };
    }
    const input = { kind: 'file', name: file.name, file } as const;
    return proof === undefined ? input : { ...input, receipt: proof };
  } catch {
    return (i18n) => i18n.t('error.unreadable');
  }
}

/** What is said of an answer. */
interface Saying {
  sign: 'valid' | 'not-valid' | 'cannot-tell';
  word: (i18n: Translator) => string;
  sentence: (i18n: Translator) => string;
  next?: TextKey;
}

/** What each way in which a receipt fails means to people. */
const FAILURES: Readonly<Record<string, 'document' | 'network' | 'format' | 'incomplete' | 'contradiction'>> = {
  'receipt.document-differs': 'document',
  'receipt.opening': 'document',
  'receipt.unknown-network': 'network',
  'receipt.unknown-format': 'format',
  'receipt.too-large': 'format',
  'receipt.malformed': 'format',
  'receipt.opening-missing': 'incomplete',
  'receipt.not-a-notarisation': 'incomplete',
  'receipt.contradiction': 'contradiction',
};

function sayingOf(answer: DocumentAnswer): Saying {
  const entry = answer.kind === 'lookup' ? answer.entries[0] : undefined;
  const facts = answer.kind === 'receipt' ? answer.facts : entry?.facts;
  const date = (i18n: Translator): string => (facts === undefined ? '–' : i18n.date(Number(facts.time)));
  if (answer.kind === 'lookup') {
    if (entry !== undefined) {
      const word = (i18n: Translator): string => i18n.t('document.found');
      return { sign: 'valid', word, sentence: (i18n) => i18n.t('document.found.sentence', { date: date(i18n) }) };
    }
    const asked = answer.nodes.some((node) => node.state === 'ok');
    return {
      sign: 'cannot-tell',
      word: (i18n) => i18n.t(asked ? 'document.absent' : 'verdict.cannot-tell'),
      sentence: (i18n) => i18n.t(asked ? 'document.absent.sentence' : 'document.silent.sentence'),
      next: asked ? 'document.absent.next' : 'document.silent.next',
    };
  }
  if (answer.outcome === 'confirmed') {
    return {
      sign: 'valid',
      word: (i18n) => i18n.t('document.confirmed'),
      sentence: (i18n) =>
        answer.digest === undefined ? i18n.t('document.receipt.sentence') : i18n.t('document.confirmed.sentence', { date: date(i18n) }),
    };
  }
  if (answer.outcome === 'out-of-office') {
    const word = (i18n: Translator): string => i18n.t('verdict.cannot-tell');
    return { sign: 'cannot-tell', word, sentence: (i18n) => i18n.t('document.error.office'), next: 'document.error.office.next' };
  }
  const sign = answer.outcome;
  const group = FAILURES[answer.code ?? ''] ?? 'broken';
  const saying: Saying = {
    sign,
    word: (i18n) => i18n.t(`verdict.${sign}`),
    sentence: (i18n) => i18n.t(`document.error.${group}`),
  };
  return group === 'format' ? saying : { ...saying, next: `document.error.${group}.next` };
}

function Answer({ found, onAnother }: { found: Found; onAnother: () => void }): JSX.Element {
  const i18n = useTranslator();
  const heading = useRef<HTMLHeadingElement>(null);
  const { answer, network, name } = found;
  const more = useDisclosure();
  const saying = sayingOf(answer);
  const entries: readonly Facts[] =
    answer.kind === 'lookup' ? answer.entries.map((entry) => entry.facts) : answer.facts === undefined ? [] : [answer.facts];
  const hook = answer.kind === 'receipt' ? `receipt/${answer.outcome}` : `lookup/${entries.length > 0 ? 'found' : 'none'}`;
  useFocus(heading, found);
  const save = (): void =>
    download(fileName(`${name ?? 'document'}-testamur`, 'json'), 'application/json', pretty({ v: 1, type: 'testamur-document-check', document: name, network: plain(network), answer: plain(answer) }));
  return (
    <div class="result" data-document={hook}>
      <p class="print-only report-title">{i18n.t('report.title')}</p>
      <section class={`verdict verdict-${saying.sign}`}>
        <Icon of={saying.sign} />
        <div class="verdict-text">
          <h2 ref={heading} tabIndex={-1}>
            <span class="verdict-word">{saying.word(i18n)}</span>
            <span class="visually-hidden">: </span>
            <span class="verdict-sentence">{saying.sentence(i18n)}</span>
          </h2>
          {answer.kind === 'lookup' && name === undefined && <p>{i18n.t('document.hash.sentence')}</p>}
          {saying.next !== undefined && (
            <>
              <h3>{i18n.t('verdict.next')}</h3>
              <p>{i18n.t(saying.next)}</p>
            </>
          )}
          <InstalledNote network={network} />
        </div>
      </section>
      {entries.length > 0 && (
        <section class="card">
          <h2>{i18n.t('steps.evidence')}</h2>
          <Evidence evidence={entryOf(entries[0])} />
          {entries.length > 1 && (
            <details {...more}>
              <summary>{i18n.count('document.found.more', entries.length - 1)}</summary>
              {more.open && entries.slice(1).map((facts, index) => <Evidence key={index} evidence={entryOf(facts)} />)}
            </details>
          )}
        </section>
      )}
      <section class="card about">
        <h2>{i18n.t('about.title')}</h2>
        <dl class="fields">
          {name !== undefined && <div><dt>{i18n.t('document.file')}</dt><dd><Inert text={name} /></dd></div>}
          {answer.digest !== undefined && <div><dt>{answer.alg === undefined || answer.alg === 'sha2-256' ? i18n.t('document.fingerprint') : <Code text={answer.alg} />}</dt><dd><Code text={answer.digest} /></dd></div>}
          <div><dt>{i18n.t('about.network')}</dt><dd><Inert text={network.name} /></dd></div>
          {answer.kind === 'receipt' && answer.code !== undefined && (
            <div><dt>{i18n.t('about.reference')}</dt><dd><Code text={answer.code} /></dd></div>
          )}
        </dl>
        {answer.kind === 'lookup' && (
          <>
            <h3>{i18n.t('nodes.title')}</h3>
            <Nodes nodes={answer.nodes} />
          </>
        )}
      </section>
      <p class="print-only">{i18n.t('report.note')}</p>
      <div class="actions no-print">
        <button type="button" class="button" data-another onClick={onAnother}>{i18n.t('diploma.another')}</button>
        <button type="button" class="button secondary" onClick={() => window.print()}>{i18n.t('report.print')}</button>
        <button type="button" class="button secondary" onClick={save}>{i18n.t('report.save')}</button>
      </div>
    </div>
  );
}

/** What is shown of an entry: who, when, where, and who witnessed it. */
function entryOf(facts: Facts | undefined): unknown {
  const { time, author, height, record, origin, witnesses, validators, in_office_until } = plain(facts) as Record<string, unknown>;
  return { time, author, witnesses, validators, in_office_until, height, record, origin };
}
