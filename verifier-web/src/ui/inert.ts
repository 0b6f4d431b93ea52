/**
 * Text of others, made harmless to look at: what has no shape of its own, or changes how its neighbours are shown, becomes
 * visible as a code, and what is longer than anybody reads is cut.
 */

/** A piece of text: shown as it is, or as the code of a character that would not be seen. */
export interface Segment {
  /** What to show. */
  text: string;
  /** Whether it stands for a hidden character. */
  strange: boolean;
}

/** Characters of a text that are shown before the reader asks for all of it. */
export const SHORT_CHARS = 600;

/** Characters of a text that are shown at most; the rest is in the file. */
export const LONG_CHARS = 50_000;

/*
 * Controls other than tab and line feed; soft hyphen; marks and overrides of the direction of writing; characters without
 * width; separators of lines; fillers of Hangul; annotations; tags; private and unassigned ends of planes. Then marks
 * piled upon a letter beyond what any script does.
 */
const STRANGE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\u{f0000}-\u{10ffff}]|\p{Surrogate}|\p{M}{6,}/gu;

/*
 * Joiners say how letters of Arabic and Indic scripts join, and are at home there and in emoji; elsewhere they only make two
 * equal-looking texts differ.
 */
const JOINER = /[\u200c\u200d]/u;
const JOINS = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Extended_Pictographic}\ufe0f]/u;

/** The pieces of a text, of which at most `most` characters are looked at. */
export function segments(text: string, most: number = LONG_CHARS): Segment[] {
  const looked = cut(text, most);
  const found: Segment[] = [];
  let plain = 0;
  const add = (from: number, to: number, code: string): void => {
    if (from > plain) found.push({ text: looked.slice(plain, from), strange: false });
    found.push({ text: code, strange: true });
    plain = to;
  };
  STRANGE.lastIndex = 0;
  const places: { from: number; to: number; code: string }[] = [];
  for (let match = STRANGE.exec(looked); match !== null; match = STRANGE.exec(looked)) {
    places.push({ from: match.index, to: match.index + match[0].length, code: codes(match[0]) });
  }
  for (let at = looked.search(JOINER); at !== -1; at = nextJoiner(looked, at + 1)) {
    if (!JOINS.test(before(looked, at))) places.push({ from: at, to: at + 1, code: codes(looked.charAt(at)) });
  }
  places.sort((one, other) => one.from - other.from);
  for (const place of places) add(place.from, place.to, place.code);
  if (plain < looked.length) found.push({ text: looked.slice(plain), strange: false });
  return found;
}

/** The beginning of a text, never ending within a character. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}

/** The text as one harmless string, for places that take no elements: a title, a label, a live region. */
export function inert(text: string, most: number = SHORT_CHARS): string {
  const shown = segments(text, most).map((segment) => segment.text).join('');
  return text.length > most ? `${shown}…` : shown;
}

function nextJoiner(text: string, from: number): number {
  const at = text.slice(from).search(JOINER);
  return at === -1 ? -1 : from + at;
}

function before(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff ? text.slice(at - 2, at) : text.charAt(at - 1);
}

function codes(text: string): string {
  const one = Array.from(text).map((char) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
  const first = one[0] ?? '';
  return one.length > 3 ? `[${first} … ×${one.length}]` : `[${one.join(' ')}]`;
}
