import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { loadQr } from '../ledger/shell.js';
import { codeOf } from './failure.js';
import { type TextKey, useTranslator } from './i18n.js';

/** What the camera does. */
interface CameraProps {
  /** Called with the text of the code. */
  onText: (text: string) => void;
  /** Called when the reader has enough. */
  onStop: () => void;
}

/** The camera's picture, until a code is found in it. It stays on the device. */
export function Camera({ onText, onStop }: CameraProps): JSX.Element {
  const i18n = useTranslator();
  const video = useRef<HTMLVideoElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const [problem, setProblem] = useState<TextKey>();
  const callbacks = useRef({ onText, onStop });
  callbacks.current = { onText, onStop };

  useEffect(() => {
    heading.current?.focus();
    let over = false;
    let stop: (() => void) | undefined;
    const start = async (): Promise<void> => {
      const qr = await loadQr();
      const element = video.current;
      if (over || element === null) return;
      const handle = await qr.camera(element, {
        onText: (text) => callbacks.current.onText(text),
        onEnd: () => callbacks.current.onStop(),
      });
      if (over) handle.stop();
      else stop = () => handle.stop();
    };
    start().catch((error: unknown) => {
      if (!over) setProblem(codeOf(error) === 'camera.none' ? 'camera.none' : 'camera.refused');
    });
    return () => {
      over = true;
      stop?.();
    };
  }, []);

  return (
    <section class="card camera">
      <h2 ref={heading} tabIndex={-1}>{i18n.t('camera.title')}</h2>
      {problem === undefined ? (
        <>
          <p>{i18n.t('camera.hint')}</p>
          <video ref={video} class="camera-picture" muted playsInline aria-label={i18n.t('camera.title')} />
        </>
      ) : (
        <p class="problem" role="alert">{i18n.t(problem)}</p>
      )}
      <button type="button" class="button secondary" onClick={onStop}>{i18n.t('camera.stop')}</button>
    </section>
  );
}
