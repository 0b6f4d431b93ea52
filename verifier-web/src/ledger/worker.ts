/** The part of Trusted Types that is needed here; TypeScript's library does not know it yet. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): {
    createScriptURL(url: string): string;
  };
}

/** What becomes of the service worker. */
export type Registered =
  /** The page works offline, now or shortly. */
  | 'registered'
  /** This browser has none, or not on such an address. */
  | 'absent'
  /** It could not be installed. */
  | 'failed';

/** The one script whose address this page ever makes. */
const WORKER = './sw.js';
/** Milliseconds after which the files for offline use are fetched, if nobody does anything before: the page itself goes first. */
const QUIET_MS = 2_000;
/** Milliseconds that a worker gets to say of which version it is. */
const ANSWER_TIMEOUT_MS = 2_000;

/**
 * Registers the service worker. `onUpdate` is called when a newer version of the page is ready, with what makes it the one in
 * use and loads the page again; this page goes on as it is until then.
 */
export async function registerServiceWorker(onUpdate: (apply: () => void) => void): Promise<Registered> {
  // Undefined in browsers' private windows and on plain HTTP, whatever the types say.
  const container: ServiceWorkerContainer | undefined = navigator.serviceWorker;
  if (container === undefined) return 'absent';
  await quiet();
  const reload = (): void => location.reload();
  const offer = async (worker: ServiceWorker): Promise<void> => {
    if (await isOfThisPage(worker)) {
      // This page came from the host and is the newer one already.
      worker.postMessage('activate');
      return;
    }
    onUpdate(() => {
      container.addEventListener('controllerchange', reload, { once: true });
      worker.postMessage('activate');
    });
  };
  // Another window made the newer version the one in use.
  container.addEventListener('controllerchange', () => {
    const worker = container.controller;
    if (worker === null) return;
    void isOfThisPage(worker).then((same) => {
      if (!same) onUpdate(reload);
    });
  });
  try {
    // Bytes of the worker itself are asked of the host each time: it is how a newer version is seen.
    const registration = await container.register(workerAddress(), { scope: './', updateViaCache: 'none' });
    if (registration.waiting !== null) void offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker?.addEventListener('statechange', () => {
        // The very first one waits for nobody.
        if (worker.state === 'installed' && registration.active !== null) void offer(worker);
      });
    });
    lookAgain(registration);
    return 'registered';
  } catch {
    return 'failed';
  }
}

/** Waits until the page is loaded and used, or left alone. */
function quiet(): Promise<void> {
  return new Promise((resolve) => {
    const signs = ['pointerdown', 'keydown', 'drop', 'change'] as const;
    const done = (): void => {
      clearTimeout(timer);
      for (const sign of signs) removeEventListener(sign, done, true);
      resolve();
    };
    const timer = setTimeout(done, QUIET_MS);
    for (const sign of signs) addEventListener(sign, done, { capture: true, passive: true });
  });
}

/** Whether a worker keeps the script that this page began with, whose name follows from its bytes. */
function isOfThisPage(worker: ServiceWorker): Promise<boolean> {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"]')?.src ?? '';
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event: MessageEvent<unknown>) => resolve(event.data === true);
    setTimeout(resolve, ANSWER_TIMEOUT_MS, false);
    worker.postMessage(script, [channel.port2]);
  });
}

/** A page that stays open for days learns of newer versions when somebody comes back to it. */
function lookAgain(registration: ServiceWorkerRegistration): void {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') registration.update().catch(() => undefined);
  });
}

/** Where Trusted Types are enforced, only an address that a named policy let through may be a script's. */
function workerAddress(): string {
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (trusted === undefined) return WORKER;
  const policy = trusted.createPolicy('testamur', {
    createScriptURL(url) {
      if (url !== WORKER) throw new TypeError('no script but the service worker');
      return url;
    },
  });
  return policy.createScriptURL(WORKER);
}
