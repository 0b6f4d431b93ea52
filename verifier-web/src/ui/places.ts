import type { Translator } from './i18n.js';
import { LANGUAGES, type Language, isLanguage, primary } from './languages.js';

/** Three letters of the EU's list of countries (ISO 3166-1) to two, which `Intl` has names of. */
const COUNTRIES: Readonly<Record<string, string>> = {
  AUT: 'AT', BEL: 'BE', BGR: 'BG', CYP: 'CY', CZE: 'CZ', DEU: 'DE', DNK: 'DK', ESP: 'ES', EST: 'EE', FIN: 'FI', FRA: 'FR',
  GRC: 'GR', HRV: 'HR', HUN: 'HU', IRL: 'IE', ITA: 'IT', LTU: 'LT', LUX: 'LU', LVA: 'LV', MLT: 'MT', NLD: 'NL', POL: 'PL',
  PRT: 'PT', ROU: 'RO', SVK: 'SK', SVN: 'SI', SWE: 'SE', ISL: 'IS', LIE: 'LI', NOR: 'NO', CHE: 'CH', GBR: 'GB', UKR: 'UA',
  MDA: 'MD', SRB: 'RS', BIH: 'BA', MNE: 'ME', MKD: 'MK', ALB: 'AL', GEO: 'GE', TUR: 'TR', AND: 'AD', MCO: 'MC', SMR: 'SM',
  VAT: 'VA', XKX: 'XK',
};

/** The name of a country by its two letters, in the reader's language. */
export function countryName(i18n: Translator, code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code;
  return i18n.names?.countries[code] ?? named(i18n.language, 'region', code) ?? code;
}

/** The name of a country or region by its URI in the EU's list of administrative territorial units. */
export function jurisdictionName(i18n: Translator, uri: string): string {
  const [country = '', ...region] = uri.slice(uri.lastIndexOf('/') + 1).split('_');
  const code = COUNTRIES[country];
  if (code === undefined) return uri;
  const name = countryName(i18n, code);
  return region.length === 0 ? name : `${name} (${region.join('-')})`;
}

/** The name of a language by its tag (BCP 47), in the reader's language. */
export function languageName(i18n: Translator, tag: string): string {
  const code = primary(tag);
  const name = i18n.names?.languages[code] ?? named(i18n.language, 'language', tag);
  return name ?? (isLanguage(code) ? LANGUAGES[code] : tag);
}

/** Browsers take tens of milliseconds to make one. */
const NAMES = new Map<string, Intl.DisplayNames>();

function named(language: Language, type: 'region' | 'language', code: string): string | undefined {
  try {
    const key = `${language} ${type}`;
    const all = NAMES.get(key) ?? new Intl.DisplayNames([language, 'en'], { type, fallback: 'none' });
    NAMES.set(key, all);
    const name = all.of(code);
    // Some browsers give the code back in spite of being told not to.
    return name === code ? undefined : name;
  } catch {
    return undefined;
  }
}
