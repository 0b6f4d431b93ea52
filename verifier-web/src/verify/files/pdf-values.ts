/** The syntax of PDFs, as far as finding attached files takes: values, read one after the other and paid for. */

import { inflateZlib } from "../base/inflate.js";
import { isDigit, latin1 } from "./bytes.js";
import { OpenError } from "./error.js";
import { PDF_INFLATED_BYTES_MAX, PDF_VALUES_MAX } from "./limits.js";

/** A name, without its slash. */
export class PdfName {
  /** One character for each byte. */
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A text: bytes in whatever encoding. */
export class PdfText {
  /** The bytes. */
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** `N G R`. */
export class PdfReference {
  /** Number of the object. */
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

/** The bytes of a stream as they stand in the file, with their dictionary. */
export class PdfStream {
  /** Its dictionary. */
  readonly dictionary: PdfDictionary;
  /** Its bytes. */
  readonly content: Uint8Array;
  constructor(dictionary: PdfDictionary, content: Uint8Array) {
    this.dictionary = dictionary;
    this.content = content;
  }
}

/** A dictionary; of a name that stands twice, the last holds. */
export type PdfDictionary = Map<string, PdfValue>;

/** A value of the few kinds that matter here: an integer is a number; null, booleans and fractions are `null`. */
export type PdfValue = number | null | PdfName | PdfText | PdfReference | PdfStream | PdfDictionary | readonly PdfValue[];

/** What is left to spend on a file: a multiple of its length, whatever the file says of itself. */
export class Budget {
  private steps: number;
  private values = PDF_VALUES_MAX;
  private inflated = PDF_INFLATED_BYTES_MAX;

  /** Each byte may be parsed a few times: an object that turns out to be none is walked through again. */
  constructor(bytes: Uint8Array) {
    this.steps = bytes.length * 8 + 64 * 1024;
  }

  /** Pays for bytes that are parsed. */
  step(bytes: number): void {
    if (bytes > this.steps) throw OpenError.container("it takes too long to read");
    this.steps -= bytes;
  }

  /** Pays for a value. */
  value(): void {
    if (this.values === 0) throw OpenError.container("it has too many values");
    this.values -= 1;
  }

  /** Unpacks a stream; none when it is damaged. */
  inflate(bytes: Uint8Array, most: number): Uint8Array | undefined {
    const content = inflateZlib(bytes, Math.min(most, this.inflated));
    if (content === "too-large") throw OpenError.container("it inflates beyond the bounds");
    if (content === "damaged") return undefined;
    this.inflated -= content.length;
    this.steps += content.length * 2;
    return content;
  }
}

/** Whether a byte is white space in a PDF. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0 || byte === 9 || byte === 10 || byte === 12 || byte === 13 || byte === 32;
}

/** `( ) < > [ ] { } / %` */
const DELIMITERS = [40, 41, 60, 62, 91, 93, 123, 125, 47, 37];

/** Whether a byte is part of a name, number or word. */
function isRegular(byte: number | undefined): boolean {
  return byte !== undefined && !isSpace(byte) && !DELIMITERS.includes(byte);
}

/** The value of a hexadecimal digit. */
function hexDigit(byte: number | undefined): number | undefined {
  if (byte === undefined) return undefined;
  if (isDigit(byte)) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined;
}

/** Bytes in the making: a text may be as long as the file, and a list of numbers would take eight times that. */
class Bytes {
  private bytes = new Uint8Array(64);
  private length = 0;

  push(byte: number): void {
    if (this.length === this.bytes.length) {
      const wider = new Uint8Array(2 * this.length);
      wider.set(this.bytes);
      this.bytes = wider;
    }
    this.bytes[this.length++] = byte;
  }

  /** What was pushed. */
  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Letters that a backslash stands before. */
const ESCAPES = new Map([
  [0x6e, 10],
  [0x72, 13],
  [0x74, 9],
  [0x62, 8],
  [0x66, 12],
]);

/** Reads values; what it answers is undefined where there is none. Every byte it consumes is paid. */
export class Parser {
  private readonly bytes: Uint8Array;
  private readonly budget: Budget;
  /** Where it reads next. */
  at: number;

  constructor(bytes: Uint8Array, at: number, budget: Budget) {
    this.bytes = bytes;
    this.at = at;
    this.budget = budget;
  }

  /** The next value. `depth`: how deep it may be nested. */
  value(depth: number): PdfValue | undefined {
    this.budget.value();
    this.space();
    const first = this.bytes[this.at];
    if (first === undefined) return undefined;
    if (first === 0x3c) return this.bytes[this.at + 1] === 0x3c ? this.dictionary(depth) : this.hexadecimal();
    if (first === 0x28) return this.literal();
    if (first === 0x5b) return this.list(depth);
    if (first === 0x2f) return new PdfName(this.name());
    if (isDigit(first) || first === 0x2b || first === 0x2d || first === 0x2e) return this.number();
    if (first < 0x61 || first > 0x7a) return undefined;
    const word = latin1(this.regular());
    return word === "null" || word === "true" || word === "false" ? null : undefined;
  }

  private advance(bytes: number): void {
    this.at += bytes;
    this.budget.step(bytes);
  }

  /** White space and comments. */
  private space(): void {
    for (let byte = this.bytes[this.at]; byte !== undefined; byte = this.bytes[this.at]) {
      if (byte === 0x25) {
        let end = this.at;
        while (end < this.bytes.length && this.bytes[end] !== 10 && this.bytes[end] !== 13) end++;
        this.advance(end - this.at);
      } else if (isSpace(byte)) {
        this.advance(1);
      } else {
        return;
      }
    }
  }

  private regular(): Uint8Array {
    const start = this.at;
    let end = start;
    while (isRegular(this.bytes[end])) end++;
    this.advance(end - start);
    return this.bytes.subarray(start, end);
  }

  /** A number, or `N G R`. */
  private number(): PdfValue | undefined {
    const bytes = this.regular();
    // What is longer is no integer that counts, and all of it need not be made text.
    const word = latin1(bytes.subarray(0, 13));
    if (bytes.length > 12 || !/^[+-]?[0-9]+$/.test(word)) {
      const fraction = bytes.every((byte) => isDigit(byte) || byte === 0x2b || byte === 0x2d || byte === 0x2e);
      return fraction ? null : undefined;
    }
    const number = Number(word);
    const length = number >= 0 && number <= 0xffffffff ? this.reference() : 0;
    if (length === 0) return number;
    this.advance(length);
    return new PdfReference(number);
  }

  /** How many bytes make a number that was read a reference; 0 if it is none. Looks ahead a few bytes without paying. */
  private reference(): number {
    const rest = this.bytes.subarray(this.at, this.at + 24);
    const count = (from: number, is: (byte: number | undefined) => boolean): number => {
      let end = from;
      while (end < rest.length && is(rest[end])) end++;
      return end;
    };
    const space = count(0, isSpace);
    const digits = count(space, isDigit);
    const gap = count(digits, isSpace);
    const separate = space > 0 && digits > space && gap > digits;
    return separate && rest[gap] === 0x52 && !isRegular(rest[gap + 1]) ? gap + 1 : 0;
  }

  private name(): string {
    this.advance(1);
    const raw = this.regular();
    const name = new Bytes();
    for (let at = 0; at < raw.length; at++) {
      const byte = raw[at] ?? 0;
      const [high, low] = byte === 0x23 ? [hexDigit(raw[at + 1]), hexDigit(raw[at + 2])] : [];
      if (high === undefined || low === undefined) {
        name.push(byte);
      } else {
        name.push(high * 16 + low);
        at += 2;
      }
    }
    return latin1(name.done());
  }

  private list(depth: number): PdfValue | undefined {
    this.advance(1);
    const values: PdfValue[] = [];
    for (;;) {
      this.space();
      if (this.bytes[this.at] === 0x5d) {
        this.advance(1);
        return values;
      }
      const value = depth === 0 ? undefined : this.value(depth - 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
  }

  private dictionary(depth: number): PdfValue | undefined {
    this.advance(2);
    const members: PdfDictionary = new Map();
    for (;;) {
      this.space();
      if (this.bytes[this.at] === 0x3e && this.bytes[this.at + 1] === 0x3e) {
        this.advance(2);
        return members;
      }
      if (this.bytes[this.at] !== 0x2f) return undefined;
      const key = this.name();
      const value = depth === 0 ? undefined : this.value(depth - 1);
      if (value === undefined) return undefined;
      members.set(key, value);
    }
  }

  private hexadecimal(): PdfValue | undefined {
    this.advance(1);
    const text = new Bytes();
    let high: number | undefined;
    for (let byte = this.bytes[this.at]; byte !== undefined; byte = this.bytes[this.at]) {
      this.advance(1);
      const digit = hexDigit(byte);
      if (digit !== undefined) {
        if (high !== undefined) text.push(high * 16 + digit);
        high = high === undefined ? digit : undefined;
      } else if (byte === 0x3e) {
        // A digit that is missing at the end is 0.
        if (high !== undefined) text.push(high * 16);
        return new PdfText(text.done());
      } else if (!isSpace(byte)) {
        return undefined;
      }
    }
    return undefined;
  }

  private literal(): PdfValue | undefined {
    this.advance(1);
    const text = new Bytes();
    let open = 1;
    for (let byte = this.bytes[this.at]; byte !== undefined; byte = this.bytes[this.at]) {
      this.advance(1);
      if (byte === 0x5c) {
        this.escape(text);
        continue;
      }
      if (byte === 0x28) open += 1;
      if (byte === 0x29) open -= 1;
      if (open === 0) return new PdfText(text.done());
      text.push(byte);
    }
    return undefined;
  }

  private escape(text: Bytes): void {
    const byte = this.bytes[this.at];
    if (byte === undefined) return;
    const isOctal = (digit: number | undefined): digit is number => digit !== undefined && digit >= 0x30 && digit <= 0x37;
    if (isOctal(byte)) {
      let value = 0;
      for (let count = 0; count < 3; count++) {
        const octal = this.bytes[this.at];
        if (!isOctal(octal)) break;
        value = value * 8 + octal - 0x30;
        this.advance(1);
      }
      text.push(value & 0xff);
      return;
    }
    this.advance(1);
    // A line that goes on.
    if (byte === 10) return;
    if (byte === 13) {
      if (this.bytes[this.at] === 10) this.advance(1);
      return;
    }
    text.push(ESCAPES.get(byte) ?? byte);
  }
}
