import type { JSX } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

import { loadEngineWhenNeeded, registerServiceWorker } from '../ledger/shell.js';
import { Diploma } from './diploma.js';
import { type Translator, TranslatorProvider, useTranslator } from './i18n.js';
import { loadViews, useViews } from './lazy.js';
import { LANGUAGES, LANGUAGE_CODES, type Language, isLanguage, remember } from './languages.js';
import type { Service } from './service.js';
import { loadTranslator } from './strings.js';

/** The version that the page was built as. */
declare const __PAGE_VERSION__: string;

const TABS = ['diploma', 'document'] as const;
type Tab = (typeof TABS)[number];

/** The page. */
export function App({ service, first }: { service: Service; first: Translator }): JSX.Element {
  const [i18n, setTranslator] = useState(first);
  const [tab, setTab] = useState<Tab>('diploma');
  const [said, setSaid] = useState('');
  const [settings, setSettings] = useState(false);
  const [network, setNetwork] = useState(0);
  const [given, setGiven] = useState<readonly File[]>();
  const [failed, setFailed] = useState(false);
  const checks = useRef(0);
  const documentSeen = useRef(false);
  documentSeen.current ||= tab === 'document';

  // A screen reader speaks only of what changes: the same answer twice must be a change as well.
  const announce = useCallback((text: string) => setSaid((last) => (last === text ? `${text}\u00a0` : text)), []);
  const onChecked = useCallback(() => {
    checks.current += 1;
    document.documentElement.dataset['checks'] = String(checks.current);
  }, []);
  const onDiploma = (files: readonly File[]): void => {
    setTab('diploma');
    setGiven(files);
  };
  const choose = (code: string): void => {
    if (!isLanguage(code)) return;
    setFailed(false);
    loadTranslator(code).then(
      (translator) => {
        remember(code);
        setTranslator(translator);
      },
      () => setFailed(true),
    );
  };

  useEffect(() => {
    document.documentElement.lang = i18n.language;
    document.title = i18n.t('app.title');
  }, [i18n]);
  useEffect(() => {
    // All that a verdict needs is made ready at the first sign of somebody who is about to ask for one.
    loadEngineWhenNeeded(() => Promise.all([service.session(), loadViews().then((views) => views.warmUp(first))]));
    document.documentElement.dataset['ready'] = '';
  }, []);

  return (
    <TranslatorProvider value={i18n}>
      <a class="skip" href="#main" onClick={(event) => {
        // The fragment may carry a diploma: the way to the main part is not by an address.
        event.preventDefault();
        document.getElementById('main')?.focus();
      }}>
        {i18n.t('app.skip')}
      </a>
      <header class="top">
        <div class="wide top-row">
          <p class="brand"><Mark /> Testamur</p>
          <Chooser language={i18n.language} label={i18n.t('settings.language')} onChoose={choose} />
        </div>
      </header>
      <main id="main" tabIndex={-1} class="wide">
        <p class="visually-hidden" role="status">{said}</p>
        <Notices failed={failed} />
        <h1>{i18n.t(tab === 'diploma' ? 'tab.diploma' : 'tab.document')}</h1>
        <Tabs tab={tab} onTab={setTab} />
        {TABS.map((name) => (
          <div key={`${name}${network}`} id={`panel-${name}`} role="tabpanel" aria-labelledby={`tab-${name}`} hidden={tab !== name}>
            {name === 'diploma' ? (
              <Diploma service={service} active={tab === name} announce={announce} given={given} onChecked={onChecked} />
            ) : (
              tab === name || documentSeen.current ? <Later show={(views) => <views.DocumentTab service={service} active={tab === name} announce={announce} onChecked={onChecked} onDiploma={onDiploma} />} /> : null
            )}
          </div>
        ))}
      </main>
      <footer class="bottom">
        <div class="wide">
          <p class="privacy"><strong>{i18n.t('app.privacy')}</strong> {i18n.t('app.privacy.more')}</p>
          <p class="no-print">
            <button type="button" id="settings-toggle" class="link" aria-expanded={settings} onClick={() => setSettings(!settings)}>
              {i18n.t('settings.title')}
            </button>
          </p>
          {settings && <Later show={(views) => <views.Settings service={service} onNetwork={() => setNetwork((count) => count + 1)} />} />}
          <p class="hint">{i18n.t('app.command')} <code>testamur diploma verify FILE</code></p>
          <p class="hint">{i18n.t('app.version', { version: __PAGE_VERSION__ })}</p>
        </div>
      </footer>
    </TranslatorProvider>
  );
}

/** A view that is loaded when it is first seen. */
function Later({ show }: { show: (views: Awaited<ReturnType<typeof loadViews>>) => JSX.Element }): JSX.Element {
  const i18n = useTranslator();
  const views = useViews(true);
  if (views === 'failed') return <p class="problem" role="alert">{i18n.t('error.unexpected')}</p>;
  return views === undefined ? <p class="hint">{i18n.t('app.loading')}</p> : show(views);
}

/** The sign of the page: a sheet that was stamped. */
function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="16 10 34 44" aria-hidden="true" focusable="false">
      <path class="mark-sheet" d="M18 12h20l10 10v30H18z" />
      <path class="mark-fold" d="M38 12v10h10z" />
      <path class="mark-tick" d="M24 36l6 7 12-15" />
    </svg>
  );
}

function Chooser({ language, label, onChoose }: { language: Language; label: string; onChoose: (code: string) => void }): JSX.Element {
  return (
    <div class="chooser no-print">
      <label for="language">{label}</label>
      <select id="language" value={language} onChange={(event) => onChoose(event.currentTarget.value)}>
        {LANGUAGE_CODES.map((code) => <option key={code} value={code} lang={code}>{LANGUAGES[code]}</option>)}
      </select>
    </div>
  );
}

/** Two tabs; the arrow keys go from one to the other (WAI-ARIA Authoring Practices, "Tabs"). */
function Tabs({ tab, onTab }: { tab: Tab; onTab: (tab: Tab) => void }): JSX.Element {
  const i18n = useTranslator();
  const onKey = (event: KeyboardEvent): void => {
    const at = TABS.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    const next = to === undefined ? undefined : TABS[(to + TABS.length) % TABS.length];
    if (next === undefined) return;
    event.preventDefault();
    onTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs no-print" role="tablist" aria-label={i18n.t('app.tabs')}>
      {TABS.map((name) => (
        <button
          key={name}
          type="button"
          id={`tab-${name}`}
          role="tab"
          class="tab"
          aria-selected={tab === name}
          aria-controls={`panel-${name}`}
          tabIndex={tab === name ? 0 : -1}
          onClick={() => onTab(name)}
          onKeyDown={onKey}
        >
          {i18n.t(name === 'diploma' ? 'tab.diploma' : 'tab.document')}
        </button>
      ))}
    </div>
  );
}

/** What the page says of itself: that it is offline, that a newer version is there. */
function Notices({ failed }: { failed: boolean }): JSX.Element {
  const i18n = useTranslator();
  const [offline, setOffline] = useState(!navigator.onLine);
  const [update, setUpdate] = useState<() => void>();
  useEffect(() => {
    const look = (): void => setOffline(!navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    void registerServiceWorker((apply) => setUpdate(() => apply));
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, []);
  return (
    <div class="notices no-print" role="status">
      {offline && <p class="notice">{i18n.t('offline.now')}</p>}
      {failed && <p class="notice">{i18n.t('error.language')}</p>}
      {update !== undefined && (
        <p class="notice">
          {i18n.t('update.ready')} <button type="button" class="link" onClick={update}>{i18n.t('update.reload')}</button>
        </p>
      )}
    </div>
  );
}
