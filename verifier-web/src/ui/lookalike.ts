/**
 * Names that imitate other names: letters of several alphabets in one word, and names that look alike though they are of
 * different institutions.
 */

/** What is suspicious about a name. */
export type Suspicion = { kind: 'mixed'; name: string } | { kind: 'confusable'; name: string; other: string };

/** A name of an institution, with the language that it is said to be in. */
export interface Name {
  /** Language (BCP 47). */
  lang: string;
  /** The name. */
  name: string;
}

/** An institution and its names. */
export interface Named {
  /** Identifier. */
  did: string;
  /** Names. */
  names: readonly Name[];
}

// Capital and small letters of Greek and Cyrillic that look like Latin ones, then Latin ones that look like each other.
const LOOKS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'а a', 'в b', 'с c', 'ԁ d', 'е e', 'ф o', 'ɡ g', 'һ h', 'н h', 'і i', 'ї i', 'ј j', 'к k', 'ӏ l', 'м m', 'о o', 'р p',
    'ԛ q', 'г r', 'ѕ s', 'т t', 'у y', 'ү y', 'ѵ v', 'ԝ w', 'ш w', 'х x', 'п n', 'и n', 'з 3', 'б 6',
    'α a', 'β b', 'ϲ c', 'ε e', 'η n', 'ι i', 'κ k', 'μ m', 'ν v', 'ο o', 'ρ p', 'σ o', 'τ t', 'υ u', 'χ x', 'γ y', 'ω w', 'ζ z',
    'ı i', 'ł l', 'ø o', 'đ d', 'ħ h', 'ŧ t', 'ß b', 'æ ae', 'œ oe', '0 o', '1 l', 'ǀ l', '| l', '× x',
  ].map((pair) => pair.split(' ') as [string, string]),
);

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const LATIN = /\p{Script=Latin}/u;
const GREEK = /\p{Script=Greek}/u;
const CYRILLIC = /\p{Script=Cyrillic}/u;
const CYRILLIC_LANGUAGES = new Set(['bg', 'mk', 'sr', 'uk', 'ru', 'be', 'kk', 'ky', 'mn', 'tg']);

/** What a name looks like: two names with the same skeleton are hard to tell apart. */
export function skeleton(name: string): string {
  const letters = name.slice(0, 500).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const looks = Array.from(letters, (letter) => LOOKS[letter] ?? letter).join('');
  return looks.replace(/rn/g, 'm').replace(/vv/g, 'w').replace(/[il]/g, 'l').replace(/[^\p{L}\p{N}]+/gu, '');
}

/** Whether a name has letters of several alphabets in one word, or of another alphabet than its language has. */
export function isMixed({ lang, name }: Name): boolean {
  const words = name.slice(0, 500).match(WORD) ?? [];
  const language = (lang.split('-')[0] ?? '').toLowerCase();
  const foreign =
    (CYRILLIC.test(name) && !CYRILLIC_LANGUAGES.has(language)) || (GREEK.test(name) && language !== 'el');
  return foreign || words.some((word) => [LATIN, GREEK, CYRILLIC].filter((script) => script.test(word)).length > 1);
}

/** What is suspicious about an institution's names, beside the other institutions that a reader sees or knows. */
export function suspicions(issuer: Named, others: readonly Named[]): Suspicion[] {
  const found: Suspicion[] = [];
  for (const name of issuer.names) {
    if (isMixed(name)) found.push({ kind: 'mixed', name: name.name });
    const looks = skeleton(name.name);
    for (const other of others) {
      if (other.did === issuer.did || looks === '') continue;
      const alike = other.names.find((candidate) => skeleton(candidate.name) === looks);
      if (alike !== undefined) found.push({ kind: 'confusable', name: name.name, other: alike.name });
    }
  }
  return found;
}
