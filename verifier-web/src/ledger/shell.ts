// What the page's first part needs: the rest comes when somebody is about to use it.
import type { Engine } from './types.js';
import type { Qr } from './qr.js';

export { ConfigError, installTrust, installedTrust, loadNetwork, removeInstalledTrust } from './config.js';
export type { ConfigCode } from './config.js';
export { registerServiceWorker } from './worker.js';
export type { Registered } from './worker.js';

let engine: Promise<Engine> | undefined;
let qr: Promise<Qr> | undefined;

/** The verifier and what asks the nodes. Loaded once; a failed attempt is made again at the next call. */
export function loadEngine(): Promise<Engine> {
  engine ??= import('./engine.js').then(
    (loaded) => loaded.engine,
    (error: unknown) => {
      engine = undefined;
      throw error;
    },
  );
  return engine;
}

/** What reads QR codes from photos, scans and the camera. */
export function loadQr(): Promise<Qr> {
  qr ??= import('./qr.js').then(
    (loaded) => loaded.qr,
    (error: unknown) => {
      qr = undefined;
      throw error;
    },
  );
  return qr;
}

/**
 * Prepares for a check at the first sign of somebody who is about to use the page: a pointer, a key, a file above the window.
 * Who only reads it loads nothing more. `prepare` is what makes ready; at least the engine is loaded.
 */
export function loadEngineWhenNeeded(prepare: () => Promise<unknown> = loadEngine): void {
  const signs = ['pointermove', 'pointerdown', 'touchstart', 'keydown', 'dragenter', 'paste', 'focusin'] as const;
  const begin = (): void => {
    for (const sign of signs) removeEventListener(sign, begin, true);
    // Who uses the page calls for it again and is told if it does not come.
    prepare().catch(() => undefined);
  };
  for (const sign of signs) addEventListener(sign, begin, { capture: true, passive: true });
}
