/**
 * Values out of reports: of a verifier that reads strict JSON, of which nothing is taken for granted here. What has not the
 * shape that a view knows is shown as plain values, or not at all; it never breaks the page.
 */

/** An object of unknown members. */
export type Members = Readonly<Record<string, unknown>>;

/** A text with its language. */
export interface LanguageText {
  /** Language tag (BCP 47). */
  language: string;
  /** The text. */
  text: string;
}

/** A value as JSON's plain types: integers beyond what a number holds as text, other numbers as numbers. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  // A number that the strict reader keeps in a class of its own, to tell 1.0 from 1.
  if (prototype !== null && prototype !== Object.prototype) return 'value' in value ? value.value : null;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value)) copy[name] = plain(member);
  return copy;
}

/** The members of an object; none of anything else. */
export function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

/** Whether a value is an object with members. */
export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The items of a list; none of anything else. */
export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** A text; a number as text; else nothing. */
export function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

/** A number; else nothing. */
export function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** The texts of a multilingual member. */
export function languageTexts(value: unknown): LanguageText[] {
  return items(value).flatMap((item) => {
    const { language, text: said } = members(item);
    return typeof language === 'string' && typeof said === 'string' ? [{ language, text: said }] : [];
  });
}

/** The names of an institution, as the ledger has them. */
export function names(value: unknown): { lang: string; name: string }[] {
  return items(value).flatMap((item) => {
    const { lang, name } = members(item);
    return typeof lang === 'string' && typeof name === 'string' ? [{ lang, name }] : [];
  });
}

/** The one in the reader's language, else the first: the issuer's own. */
export function inLanguage<Text>(texts: readonly Text[], language: string, of: (text: Text) => string): Text | undefined {
  const primary = (tag: string): string => (tag.split('-')[0] ?? '').toLowerCase();
  return texts.find((candidate) => primary(of(candidate)) === language) ?? texts[0];
}

/** JSON for people: indented. */
export function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
