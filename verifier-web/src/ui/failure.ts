import type { Problem } from './sources.js';

/** What to say of something that should not have happened. */
export function problemOf(error: unknown): Problem {
  const code = codeOf(error);
  if (typeof code === 'string' && code.startsWith('config.')) return (i18n) => i18n.t('error.network');
  // Whoever looks for the cause finds it in the browser's console; nothing of the diploma is in it.
  console.error(error);
  return (i18n) => i18n.t('error.unexpected');
}

/** The stable code of an error, if it has one. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
