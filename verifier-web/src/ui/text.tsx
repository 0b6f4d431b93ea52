import { Fragment, type JSX } from 'preact';
import { useState } from 'preact/hooks';

import { LONG_CHARS, SHORT_CHARS, segments } from './inert.js';
import { useTranslator } from './i18n.js';

/** A text of somebody else, and what language it says to be in. */
interface InertProps {
  /** The text. */
  text: string;
  /** Its language (BCP 47), if that is known. */
  lang?: string | undefined;
}

/** Only well-formed tags become attributes. */
function langOf(tag: string | undefined): { lang?: string } {
  return tag !== undefined && /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$/.test(tag) ? { lang: tag } : {};
}

/**
 * Text of others, inert: apart from its surroundings in the direction of writing, with hidden characters as codes, and cut
 * when it is longer than anybody reads.
 */
export function Inert({ text, lang }: InertProps): JSX.Element {
  const i18n = useTranslator();
  const [all, setAll] = useState(false);
  const long = text.length > SHORT_CHARS;
  const pieces = segments(text, all ? LONG_CHARS : SHORT_CHARS);
  return (
    <>
      <bdi class="inert" dir="auto" {...langOf(lang)}>
        {pieces.map((piece, index) =>
          piece.strange ? <code class="strange" key={index}>{piece.text}</code> : <Fragment key={index}>{piece.text}</Fragment>,
        )}
        {text.length > (all ? LONG_CHARS : SHORT_CHARS) && '…'}
      </bdi>
      {long && (
        <button type="button" class="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? i18n.t('content.less') : i18n.t('content.all')}
        </button>
      )}
    </>
  );
}

/** Whether a text has characters that are shown as codes. */
export function isStrange(text: string): boolean {
  return segments(text, LONG_CHARS).some((piece) => piece.strange);
}

/** An identifier or a digest: for machines, and for comparing. */
export function Code({ text }: { text: string }): JSX.Element {
  return <code class="code"><Inert text={text} /></code>;
}

/** A moment in seconds since 1970. */
export function Time({ at, day = false }: { at: number; day?: boolean }): JSX.Element {
  const i18n = useTranslator();
  const iso = new Date(at * 1000);
  const words = day ? i18n.date(at) : i18n.time(at);
  return Number.isNaN(iso.getTime()) ? <>{words}</> : <time dateTime={iso.toISOString()}>{words}</time>;
}
