/** Bytes of files that are not text: what of them is, is looked at byte by byte. */

/** Bytes of an ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** One character for each byte (Latin-1). */
export function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return parts.join("");
}

/** Whether a needle stands at a place. */
export function standsAt(bytes: Uint8Array, what: Uint8Array, at: number): boolean {
  if (at < 0 || at + what.length > bytes.length) return false;
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** Whether bytes begin like this. */
export function startsWith(bytes: Uint8Array, what: Uint8Array): boolean {
  return standsAt(bytes, what, 0);
}

/** Whether bytes end like this. */
export function endsWith(bytes: Uint8Array, what: Uint8Array): boolean {
  return standsAt(bytes, what, bytes.length - what.length);
}

/** The first place at or after `from` where a needle of at least one byte stands; −1 without. */
export function find(bytes: Uint8Array, what: Uint8Array, from = 0): number {
  const first = what[0] ?? 0;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (standsAt(bytes, what, at)) return at;
  }
  return -1;
}

/** The last place where a needle of at least one byte stands; −1 without. */
export function findLast(bytes: Uint8Array, what: Uint8Array): number {
  const first = what[0] ?? 0;
  for (let at = bytes.length - what.length; at >= 0; at--) {
    at = bytes.lastIndexOf(first, at);
    if (at < 0) return -1;
    if (standsAt(bytes, what, at)) return at;
  }
  return -1;
}

/** What stands before and after the first place of a needle. */
export function splitAt(bytes: Uint8Array, what: Uint8Array): [Uint8Array, Uint8Array] | undefined {
  const at = find(bytes, what);
  return at < 0 ? undefined : [bytes.subarray(0, at), bytes.subarray(at + what.length)];
}

/** What follows a beginning; none where it is another. */
export function after(bytes: Uint8Array, start: Uint8Array): Uint8Array | undefined {
  return startsWith(bytes, start) ? bytes.subarray(start.length) : undefined;
}

/** What stands before an ending; none where it is another. */
export function before(bytes: Uint8Array, end: Uint8Array): Uint8Array | undefined {
  return endsWith(bytes, end) ? bytes.subarray(0, bytes.length - end.length) : undefined;
}

/** Whether a byte is white space as HTML and Rust's `is_ascii_whitespace` have it: no vertical tab, no NUL. */
export function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 9 || byte === 10 || byte === 12 || byte === 13;
}

/** Without the white space before. */
export function trimStart(bytes: Uint8Array): Uint8Array {
  let at = 0;
  while (at < bytes.length && isWhiteSpace(bytes[at])) at++;
  return bytes.subarray(at);
}

/** Without the white space after. */
export function trimEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && isWhiteSpace(bytes[end - 1])) end--;
  return bytes.subarray(0, end);
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
