/**
 * The languages of the page: the 24 of the European Union and Luxembourgish, each by its own name.
 *
 * A language's own name is the same in all of them, and is therefore no string to translate.
 */
export const LANGUAGES = {
  bg: 'български',
  cs: 'čeština',
  da: 'dansk',
  de: 'Deutsch',
  el: 'ελληνικά',
  en: 'English',
  es: 'español',
  et: 'eesti',
  fi: 'suomi',
  fr: 'français',
  ga: 'Gaeilge',
  hr: 'hrvatski',
  hu: 'magyar',
  it: 'italiano',
  lb: 'Lëtzebuergesch',
  lt: 'lietuvių',
  lv: 'latviešu',
  mt: 'Malti',
  nl: 'Nederlands',
  pl: 'polski',
  pt: 'português',
  ro: 'română',
  sk: 'slovenčina',
  sl: 'slovenščina',
  sv: 'svenska',
} as const;

/** The code of a language of the page. */
export type Language = keyof typeof LANGUAGES;

/** The codes, ordered as the chooser shows them. */
export const LANGUAGE_CODES = Object.keys(LANGUAGES) as Language[];

const STORED = 'testamur.language';

/** Whether a text is the code of a language of the page. */
export function isLanguage(code: string): code is Language {
  return Object.prototype.hasOwnProperty.call(LANGUAGES, code);
}

/** The part of a language tag (BCP 47) that names the language itself. */
export function primary(tag: string): string {
  return (tag.split('-')[0] ?? '').toLowerCase();
}

/** The language to begin with: the one chosen before, else the first that the browser prefers, else English. */
export function firstLanguage(): Language {
  const stored = remembered();
  if (stored !== undefined) return stored;
  return navigator.languages.map(primary).find(isLanguage) ?? 'en';
}

/** Keeps the reader's choice on this device. */
export function remember(language: Language): void {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser that keeps nothing still shows the language until the page is closed.
  }
}

function remembered(): Language | undefined {
  try {
    const stored = localStorage.getItem(STORED);
    return stored !== null && isLanguage(stored) ? stored : undefined;
  } catch {
    return undefined;
  }
}
