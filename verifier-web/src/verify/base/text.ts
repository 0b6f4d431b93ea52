/** Text of others: its beginning, its length, and how an error repeats it. */

/**
 * What has no sight of its own or changes that of others: escaped where an error repeats a text. The same characters as Rust's
 * `Debug` of a string escapes, since both sides report the same errors.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}\p{Grapheme_Extend}"\\]/gu;
const SHORT: Readonly<Record<string, string>> = {
  " ": " ",
  "\0": "\\0",
  "\t": "\\t",
  "\r": "\\r",
  "\n": "\\n",
  '"': '\\"',
  "\\": "\\\\",
};

/** A text in quotes, with everything escaped that is not seen. */
export function quoted(text: string): string {
  const escape = (found: string): string => SHORT[found] ?? `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`;
  return `"${text.replace(UNSEEN, escape)}"`;
}

/** The first characters (Unicode scalar values) of a text. */
export function beginning(text: string, characters: number): string {
  // A character has at most two UTF-16 units, so the rest need not be looked at.
  return Array.from(text.slice(0, 2 * characters)).slice(0, characters).join("");
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // A surrogate pair has four bytes for its two units.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** A text split at the first place where a separator stands; none where it does not stand. */
export function splitOnce(text: string, separator: string): [string, string] | undefined {
  const at = text.indexOf(separator);
  return at < 0 ? undefined : [text.slice(0, at), text.slice(at + separator.length)];
}

/** A text without white space of ASCII around it. */
export function trimAscii(text: string): string {
  const isSpace = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d && unit !== 0x0b);
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (start < end && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
