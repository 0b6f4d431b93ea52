import { type Strings, Translator } from './i18n.js';
import type { Language } from './languages.js';

/** Languages that Chromium knows no countries' and languages' names in. */
const WITHOUT_NAMES: ReadonlySet<Language> = new Set(['ga', 'lb', 'mt']);

/** Each language is a file of its own, loaded when somebody reads it. */
const FILES = import.meta.glob<Strings>('./strings/??.json', { import: 'default' });

/** The texts of a language. */
export async function loadTranslator(language: Language): Promise<Translator> {
  const load = FILES[`./strings/${language}.json`];
  if (load === undefined) throw new Error(`no texts of ${language}`);
  const names = WITHOUT_NAMES.has(language) ? (await import('./own-names.js')).OWN_NAMES[language] : undefined;
  return new Translator(language, await load(), names);
}
