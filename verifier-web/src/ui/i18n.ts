import { createContext, type ComponentChildren } from 'preact';
import { useContext } from 'preact/hooks';

import { formatDate, formatDay, formatTime } from './dates.js';
import type { Language } from './languages.js';
import type { Names } from './own-names.js';
import type en from './strings/en.json';

/** All texts of a language; English has the keys. */
export type Strings = typeof en;

type KeyOf<Value> = { [Key in keyof Strings]: Strings[Key] extends Value ? Key : never }[keyof Strings];

/** The key of a text. */
export type TextKey = KeyOf<string>;

/** The key of a text that depends on a number. */
export type PluralKey = Exclude<keyof Strings, TextKey>;

/** What is put in the place of `{name}`. */
export type Values = Readonly<Record<string, string | number>>;

/** The texts of one language, with its rules for numbers and dates. */
export class Translator {
  /** The language. */
  readonly language: Language;
  /** Names of countries and languages, where browsers may have none in this language. */
  readonly names: Names | undefined;
  readonly #strings: Strings;

  /** A translator of the language that these texts are of. */
  constructor(language: Language, strings: Strings, names?: Names) {
    this.language = language;
    this.names = names;
    this.#strings = strings;
  }

  /** A text. */
  t(key: TextKey, values: Values = {}): string {
    return fill(this.#strings[key], values);
  }

  /** The text of a key that is put together from data, if there is one. */
  maybe(key: string, values: Values = {}): string | undefined {
    const text: unknown = Object.prototype.hasOwnProperty.call(this.#strings, key)
      ? this.#strings[key as keyof Strings]
      : undefined;
    return typeof text === 'string' ? fill(text, values) : undefined;
  }

  /** A text that depends on how many there are. */
  count(key: PluralKey, count: number, values: Values = {}): string {
    const forms: Readonly<Record<string, string>> = this.#strings[key];
    const text = forms[pluralCategory(this.language, count)] ?? forms['other'] ?? '';
    return fill(text, { count, ...values });
  }

  /** A text with elements in the places of `{name}`. */
  parts(key: TextKey, values: Readonly<Record<string, ComponentChildren>>): ComponentChildren[] {
    return this.#strings[key].split(/\{(\w+)\}/).map((part, index) => (index % 2 === 0 ? part : values[part]));
  }

  /** A calendar day, `YYYY-MM-DD`. */
  day(day: string): string {
    return formatDay(this.language, day);
  }

  /** The day of a moment in seconds since 1970. */
  date(seconds: number): string {
    return formatDate(this.language, seconds);
  }

  /** Day and time of a moment in seconds since 1970. */
  time(seconds: number): string {
    return formatTime(this.language, seconds);
  }

  /** A size in bytes. */
  size(bytes: number): string {
    const mega = bytes >= 1_000_000;
    const value = mega ? bytes / 1_000_000 : bytes / 1000;
    const format = new Intl.NumberFormat([this.language, 'en'], { maximumFractionDigits: mega ? 0 : 1 });
    return `${format.format(value)} ${mega ? 'MB' : 'kB'}`;
  }
}

const current = createContext<Translator | undefined>(undefined);

/** Gives all components below it the texts of a language. */
export const TranslatorProvider = current.Provider;

/** The texts of the reader's language. */
export function useTranslator(): Translator {
  const translator = useContext(current);
  if (translator === undefined) throw new Error('a component outside of TranslatorProvider');
  return translator;
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = Object.prototype.hasOwnProperty.call(values, name) ? values[name] : undefined;
    return value === undefined ? place : String(value);
  });
}

/** The form of the plural (a category of CLDR) that a language has for a number of things. */
export function pluralCategory(language: Language, count: number): string {
  const own = OWN_RULES[language];
  if (own !== undefined) return own(count);
  rules ??= new Intl.PluralRules(language);
  if (rules.resolvedOptions().locale !== language) rules = new Intl.PluralRules(language);
  return rules.select(count);
}

/** Those of the language that was last asked for. */
let rules: Intl.PluralRules | undefined;

/** Rules of CLDR, for whole numbers, of the languages that Chromium has no data for. */
const OWN_RULES: Partial<Record<Language, (count: number) => string>> = {
  ga: (count) =>
    count === 1 ? 'one' : count === 2 ? 'two' : count >= 3 && count <= 6 ? 'few' : count >= 7 && count <= 10 ? 'many' : 'other',
  lb: (count) => (count === 1 ? 'one' : 'other'),
  mt: (count) => {
    const last = count % 100;
    if (count === 1) return 'one';
    if (count === 2) return 'two';
    if (count === 0 || (last >= 3 && last <= 10)) return 'few';
    return last >= 11 && last <= 19 ? 'many' : 'other';
  },
};
