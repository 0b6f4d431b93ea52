import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { NetworkInfo, TrustPreview } from '../ledger/types.js';
import { problemOf } from './failure.js';
import { useTranslator } from './i18n.js';
import { Icon } from './icons.js';
import type { Service } from './service.js';
import { type Problem, readFile } from './sources.js';
import { Code, Inert } from './text.js';

/** Bytes of a trust file that are read. */
const TRUST_BYTES_MAX = 4 * 1024 * 1024;

/** What the settings need of the page. */
interface SettingsProps {
  service: Service;
  /** Called when another network is the one in use. */
  onNetwork: () => void;
}

/** Whether a service worker has the page. Some browsers have none, whatever the types say. */
function worksOffline(): boolean {
  const container: ServiceWorkerContainer | undefined = navigator.serviceWorker;
  return container !== undefined && container.controller !== null;
}

/** Which network answers are about, and how to use another one knowingly. */
export function Settings({ service, onNetwork }: SettingsProps): JSX.Element {
  const i18n = useTranslator();
  const [network, setNetwork] = useState<NetworkInfo>();
  const [offer, setOffer] = useState<{ text: string; preview: TrustPreview }>();
  const [problem, setProblem] = useState<Problem>();
  const heading = useRef<HTMLHeadingElement>(null);
  const warning = useRef<HTMLHeadingElement>(null);
  const input = useRef<HTMLInputElement>(null);

  const load = (): void => {
    service.session().then(
      (session) => setNetwork(session.network),
      (error: unknown) => setProblem(() => problemOf(error)),
    );
  };
  useEffect(() => {
    heading.current?.focus();
    load();
  }, []);
  useEffect(() => warning.current?.focus(), [offer]);

  const choose = async (file: File): Promise<void> => {
    setProblem(undefined);
    const bytes = await readFile(file, TRUST_BYTES_MAX);
    if (typeof bytes === 'function') {
      setProblem(() => bytes);
      return;
    }
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      setOffer({ text, preview: await service.preview(text) });
    } catch {
      setProblem(() => (texts: typeof i18n) => texts.t('settings.invalid'));
    }
  };
  const changed = (): void => {
    setOffer(undefined);
    load();
    onNetwork();
    heading.current?.focus();
  };
  const install = (text: string): void => {
    try {
      service.install(text);
      changed();
    } catch (error) {
      setOffer(undefined);
      setProblem(() => problemOf(error));
    }
  };
  const remove = (): void => {
    service.remove();
    changed();
  };

  return (
    <section class="card settings" id="settings">
      <h2 ref={heading} tabIndex={-1}>{i18n.t('settings.title')}</h2>
      {problem !== undefined && <p class="problem" role="alert">{problem(i18n)}</p>}
      {network !== undefined && (
        <>
          <dl class="fields">
            <div><dt>{i18n.t('settings.network')}</dt><dd><Inert text={network.name} /></dd></div>
            <div><dt>{i18n.t('settings.genesis')}</dt><dd><Code text={network.genesisHash} /></dd></div>
            <div>
              <dt>{i18n.t('settings.nodes')}</dt>
              <dd>
                {network.nodes.length === 0 ? i18n.t('evidence.none') : (
                  <ul class="plain">{network.nodes.map((node) => <li key={node}><Code text={node} /></li>)}</ul>
                )}
              </dd>
            </div>
          </dl>
          {worksOffline() && <p class="hint">{i18n.t('update.offline.ready')}</p>}
          {network.installed && (
            <>
              <p class="warning"><Icon of="unknown" /><span>{i18n.t('settings.installed')}</span></p>
              <button type="button" id="trust-remove" class="button secondary" onClick={remove}>{i18n.t('settings.remove')}</button>
            </>
          )}
        </>
      )}
      {offer === undefined ? (
        <>
          <h3>{i18n.t('settings.own')}</h3>
          <p>{i18n.t('settings.own.text')}</p>
          <button type="button" id="trust-choose" class="button secondary" onClick={() => input.current?.click()}>
            {i18n.t('settings.choose')}
          </button>
          <input
            ref={input}
            id="trust-file"
            type="file"
            accept=".json,application/json"
            hidden
            onChange={(event) => {
              const [file] = Array.from(event.currentTarget.files ?? []);
              event.currentTarget.value = '';
              if (file !== undefined) void choose(file);
            }}
          />
        </>
      ) : (
        <div class="offer">
          <h3 ref={warning} tabIndex={-1}>{i18n.t('settings.warning')}</h3>
          <p><strong><Inert text={offer.preview.name} /></strong></p>
          <p>{i18n.t('settings.warning.text')}</p>
          <dl class="fields">
            <div><dt>{i18n.t('settings.genesis')}</dt><dd><Code text={offer.preview.genesisHash} /></dd></div>
            <div><dt>{i18n.t('document.fingerprint')}</dt><dd><Code text={offer.preview.fingerprint} /></dd></div>
          </dl>
          <div class="actions">
            <button type="button" class="button" onClick={() => setOffer(undefined)}>{i18n.t('settings.cancel')}</button>
            <button type="button" id="trust-install" class="button danger" onClick={() => install(offer.text)}>{i18n.t('settings.install')}</button>
          </div>
        </div>
      )}
    </section>
  );
}
