/**
 * The member `type` of a JSON object, with as little looked at as the Rust side does when it sorts files: names of the outermost
 * object are read, everything else is only skipped, whatever its numbers, code points and nesting are.
 */

import { fromUtf8 } from "../base/bytes.js";
import { parse } from "../base/json.js";
import { isDigit, latin1 } from "./bytes.js";

/** What ends a scan: this is no JSON, or no object with one `type`. */
class NoJson extends Error {}

/** The text that an object has as its `type`; none when there is none, it is no text, or this is no JSON object. */
export function peekType(bytes: Uint8Array): string | undefined {
  try {
    return new Scanner(bytes).type();
  } catch (error) {
    if (error instanceof NoJson) return undefined;
    throw error;
  }
}

const LITERALS = new Map([
  [0x6e, "null"],
  [0x74, "true"],
  [0x66, "false"],
]);
const ESCAPED = Array.from('"\\/bfnrt', (letter) => letter.charCodeAt(0));

class Scanner {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  type(): string | undefined {
    let found: string | null | undefined;
    this.expect(0x7b);
    for (let first = true; !this.closes(0x7d, first); first = false) {
      const name = this.text();
      this.expect(0x3a);
      if (name !== "type") {
        this.skip();
        continue;
      }
      if (found !== undefined) throw new NoJson();
      if (this.next() === 0x22) {
        found = this.text();
      } else {
        this.literal("null");
        found = null;
      }
    }
    if (this.next() !== undefined) throw new NoJson();
    return found ?? undefined;
  }

  /** The next byte that is no white space. */
  private next(): number | undefined {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte !== 0x20 && byte !== 9 && byte !== 10 && byte !== 13) return byte;
      this.at++;
    }
  }

  private expect(byte: number): void {
    if (this.next() !== byte) throw new NoJson();
    this.at++;
  }

  /** Whether an object or array ends here; if not, goes past the comma. */
  private closes(end: number, first: boolean): boolean {
    if (this.next() === end) {
      this.at++;
      return true;
    }
    if (!first) this.expect(0x2c);
    return false;
  }

  /** A text that is read. */
  private text(): string {
    if (this.next() !== 0x22) throw new NoJson();
    const start = this.at;
    this.string();
    const text = fromUtf8(this.bytes.subarray(start, this.at));
    try {
      const value = text === undefined ? undefined : parse(text);
      if (typeof value === "string") return value;
    } catch {
      // Escapes that stand for nothing.
    }
    throw new NoJson();
  }

  /** Goes past a text. */
  private string(): void {
    this.at++;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === 0x22) return;
      if (byte === undefined || byte < 0x20) throw new NoJson();
      if (byte !== 0x5c) continue;
      const escaped = this.bytes[this.at++];
      if (escaped === 0x75) {
        if (!/^[0-9A-Fa-f]{4}$/.test(latin1(this.bytes.subarray(this.at, this.at + 4)))) throw new NoJson();
        this.at += 4;
      } else if (escaped === undefined || !ESCAPED.includes(escaped)) {
        throw new NoJson();
      }
    }
  }

  /** Goes past a value, without recursion. */
  private skip(): void {
    const open: number[] = [];
    do {
      const byte = this.next();
      const end = byte === 0x7b ? 0x7d : byte === 0x5b ? 0x5d : 0;
      if (end === 0) {
        this.scalar(byte);
      } else {
        this.at++;
        open.push(end);
      }
      // Whatever closes here; then the name before the next value.
      for (let first = end !== 0; open.length > 0; first = false) {
        const innermost = open[open.length - 1] ?? 0;
        if (!this.closes(innermost, first)) {
          if (innermost === 0x7d) this.name();
          break;
        }
        open.pop();
      }
    } while (open.length > 0);
  }

  private name(): void {
    if (this.next() !== 0x22) throw new NoJson();
    this.string();
    this.expect(0x3a);
  }

  private scalar(byte: number | undefined): void {
    const literal = LITERALS.get(byte ?? 0);
    if (literal !== undefined) this.literal(literal);
    else if (byte === 0x22) this.string();
    else this.number();
  }

  private literal(word: string): void {
    if (latin1(this.bytes.subarray(this.at, this.at + word.length)) !== word) throw new NoJson();
    this.at += word.length;
  }

  private number(): void {
    if (this.bytes[this.at] === 0x2d) this.at++;
    if (this.bytes[this.at] === 0x30) {
      this.at++;
      if (isDigit(this.bytes[this.at])) throw new NoJson();
    } else {
      this.digits();
    }
    if (this.bytes[this.at] === 0x2e) {
      this.at++;
      this.digits();
    }
    if (((this.bytes[this.at] ?? 0) | 0x20) === 0x65) {
      this.at++;
      if (this.bytes[this.at] === 0x2b || this.bytes[this.at] === 0x2d) this.at++;
      this.digits();
    }
  }

  private digits(): void {
    const start = this.at;
    while (isDigit(this.bytes[this.at])) this.at++;
    if (this.at === start) throw new NoJson();
  }
}
