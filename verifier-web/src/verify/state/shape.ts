/**
 * JSON read by the shape that is expected, byte by byte.
 *
 * An accreditation credential is somebody else's JSON: it may hold more than is read. What is not read is skipped by
 * its grammar alone (a number out of range or half a surrogate pair there is nobody's concern), a member that is read
 * may not stand twice, and an object may be given as the list of its members. These are the rules of the node, and a
 * credential that one of both could read and the other could not would split them.
 */

/** The bytes are not the JSON that was expected. */
export class ShapeError extends Error {}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SIMPLE_ESCAPES: Readonly<Record<number, string>> = {
  0x22: '"',
  0x2f: "/",
  0x5c: "\\",
  0x62: "\b",
  0x66: "\f",
  0x6e: "\n",
  0x72: "\r",
  0x74: "\t",
};
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** How a member is read; it puts what it reads where the caller wants it. */
export type Members = Readonly<Record<string, () => unknown>>;

/** Whether brackets outside strings nest deeper than allowed. Looked at before any reader that calls itself. */
export function nestsDeeper(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === BACKSLASH) {
        at++;
      } else if (byte === QUOTE) {
        inString = false;
      }
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > depthMax) {
        return true;
      }
    } else if (byte === 0x7d || byte === 0x5d) {
      depth = Math.max(0, depth - 1);
    }
  }
  return false;
}

/** A place in JSON, and what can be read there. */
export class Cursor {
  private at = 0;

  /** Begins at the first byte. */
  constructor(private readonly bytes: Uint8Array) {}

  /** Reads a whole document. */
  static document<T>(bytes: Uint8Array, read: (cursor: Cursor) => T): T {
    const cursor = new Cursor(bytes);
    const value = read(cursor);
    cursor.space();
    if (cursor.at !== bytes.length) {
      throw new ShapeError(`trailing characters at byte ${cursor.at}`);
    }
    return value;
  }

  /** Reads an object's known members, skipping others; or a list of the known ones in their order. */
  struct(members: Members): void {
    const names = Object.keys(members);
    if (this.peek() === 0x5b) {
      let next = 0;
      this.list(() => {
        const name = names[next++];
        if (name === undefined) {
          throw this.fault("more elements than members");
        }
        members[name]?.();
      });
      return;
    }
    const seen = new Set<string>();
    this.object((name) => {
      const read = Object.prototype.hasOwnProperty.call(members, name) ? members[name] : undefined;
      if (read === undefined) {
        this.skip();
      } else if (seen.has(name)) {
        throw this.fault(`duplicate field ${name}`);
      } else {
        seen.add(name);
        read();
      }
    });
  }

  /** Reads a list. */
  list<T>(read: () => T): T[] {
    this.expect(0x5b, "a list");
    const values: T[] = [];
    if (this.peek() === 0x5d) {
      this.at++;
      return values;
    }
    for (;;) {
      values.push(read());
      const byte = this.peek();
      this.at++;
      if (byte === 0x5d) {
        return values;
      }
      if (byte !== 0x2c) {
        throw this.fault("expected , or ]");
      }
    }
  }

  /** Reads text. */
  text(): string {
    this.expect(QUOTE, "text");
    let text = "";
    let from = this.at;
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined || byte < 0x20) {
        throw this.fault("a string that does not end, or a control character in it");
      }
      if (byte !== QUOTE && byte !== BACKSLASH) {
        this.at++;
        continue;
      }
      try {
        text += UTF8.decode(this.bytes.subarray(from, this.at));
      } catch {
        throw this.fault("invalid UTF-8");
      }
      this.at++;
      if (byte === QUOTE) {
        return text;
      }
      text += this.escape();
      from = this.at;
    }
  }

  /** Reads an integer from 0 to 2^64-1. */
  u64(): bigint {
    const text = this.number();
    const value = /^[0-9]+$/.test(text) ? BigInt(text) : undefined;
    if (value === undefined || value > U64_MAX) {
      throw this.fault("expected an integer");
    }
    return value;
  }

  /** Reads a value that may be null, which is the same as none. */
  optional<T>(read: () => T): T | undefined {
    if (this.peek() === 0x6e) {
      this.word("null");
      return undefined;
    }
    return read();
  }

  /** Reads a value in the first of several forms that fits. It must be JSON in every part, read or not. */
  either<T>(...forms: readonly (() => T)[]): T {
    this.peek();
    const start = this.at;
    this.value();
    const end = this.at;
    for (const form of forms) {
      this.at = start;
      try {
        const value = form();
        this.at = end;
        return value;
      } catch (error) {
        if (!(error instanceof ShapeError)) {
          throw error;
        }
      }
    }
    throw this.fault("of none of the forms that it may have");
  }

  /** Reads an object that may not be given as a list; skips members that are not known. */
  onlyObject(members: Members): void {
    if (this.peek() !== 0x7b) {
      throw this.fault("expected an object");
    }
    this.struct(members);
  }

  /** Passes over a value by its grammar. */
  skip(): void {
    this.pass(() => this.skipString(), () => void this.number());
  }

  /** Passes over a value every part of which must be good: text in UTF-8, numbers within a double. */
  private value(): void {
    this.pass(
      () => void this.text(),
      () => {
        const text = this.number();
        if (!Number.isFinite(Number(text))) {
          throw this.fault("number out of range");
        }
      },
    );
  }

  private pass(string: () => void, number: () => void): void {
    switch (this.peek()) {
      case 0x7b:
        this.object(() => this.pass(string, number), string);
        return;
      case 0x5b:
        this.list(() => this.pass(string, number));
        return;
      case QUOTE:
        string();
        return;
      case 0x6e:
        this.word("null");
        return;
      case 0x74:
        this.word("true");
        return;
      case 0x66:
        this.word("false");
        return;
      default:
        number();
    }
  }

  /** Walks over an object's members. Names are read as text unless a skipped value's, which are given to `pass`. */
  private object(member: (name: string) => void, pass?: () => void): void {
    this.expect(0x7b, "an object");
    if (this.peek() === 0x7d) {
      this.at++;
      return;
    }
    for (;;) {
      let name = "";
      this.peek();
      if (pass === undefined) {
        name = this.text();
      } else {
        pass();
      }
      this.expect(0x3a, ":");
      member(name);
      const byte = this.peek();
      this.at++;
      if (byte === 0x7d) {
        return;
      }
      if (byte !== 0x2c) {
        throw this.fault("expected , or }");
      }
    }
  }

  private skipString(): void {
    this.expect(QUOTE, "text");
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined || byte < 0x20) {
        throw this.fault("a string that does not end, or a control character in it");
      }
      this.at++;
      if (byte === QUOTE) {
        return;
      }
      if (byte === BACKSLASH) {
        const kind = this.bytes[this.at++];
        if (kind === 0x75) {
          this.hex4();
        } else if (kind === undefined || SIMPLE_ESCAPES[kind] === undefined) {
          throw this.fault("invalid escape");
        }
      }
    }
  }

  /** What follows a backslash. */
  private escape(): string {
    const kind = this.bytes[this.at++];
    if (kind !== 0x75) {
      const character = kind === undefined ? undefined : SIMPLE_ESCAPES[kind];
      if (character === undefined) {
        throw this.fault("invalid escape");
      }
      return character;
    }
    const first = this.hex4();
    if (first < 0xd800 || first > 0xdfff) {
      return String.fromCharCode(first);
    }
    if (first > 0xdbff || this.bytes[this.at] !== BACKSLASH || this.bytes[this.at + 1] !== 0x75) {
      throw this.fault("lone surrogate");
    }
    this.at += 2;
    const second = this.hex4();
    if (second < 0xdc00 || second > 0xdfff) {
      throw this.fault("lone surrogate");
    }
    return String.fromCharCode(first, second);
  }

  private hex4(): number {
    const digits = String.fromCharCode(...this.bytes.subarray(this.at, this.at + 4));
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      throw this.fault("invalid escape");
    }
    this.at += 4;
    return parseInt(digits, 16);
  }

  /** The text of a number. */
  private number(): string {
    this.peek();
    const start = this.at;
    const digits = (): number => {
      const from = this.at;
      for (let byte = this.bytes[this.at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = this.bytes[++this.at]);
      return this.at - from;
    };
    if (this.bytes[this.at] === 0x2d) {
      this.at++;
    }
    const leading = this.bytes[this.at];
    const whole = digits();
    let good = whole > 0 && (leading !== 0x30 || whole === 1);
    if (this.bytes[this.at] === 0x2e) {
      this.at++;
      good = digits() > 0 && good;
    }
    if (this.bytes[this.at] === 0x65 || this.bytes[this.at] === 0x45) {
      this.at++;
      if (this.bytes[this.at] === 0x2b || this.bytes[this.at] === 0x2d) {
        this.at++;
      }
      good = digits() > 0 && good;
    }
    if (!good) {
      throw this.fault("expected a value");
    }
    return String.fromCharCode(...this.bytes.subarray(start, Math.min(this.at, start + 32_768)));
  }

  private word(word: string): void {
    for (let n = 0; n < word.length; n++) {
      if (this.bytes[this.at + n] !== word.charCodeAt(n)) {
        throw this.fault(`expected ${word}`);
      }
    }
    this.at += word.length;
  }

  private expect(byte: number, what: string): void {
    if (this.peek() !== byte) {
      throw this.fault(`expected ${what}`);
    }
    this.at++;
  }

  /** The next byte that is no white space; none at the end. */
  private peek(): number | undefined {
    this.space();
    return this.bytes[this.at];
  }

  private space(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        return;
      }
      this.at++;
    }
  }

  private fault(what: string): ShapeError {
    return new ShapeError(`${what} at byte ${this.at}`);
  }
}
