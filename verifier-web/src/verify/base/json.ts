// Strict JSON (RFC 8259) and its canonical form (RFC 8785).
//
// JSON.parse cannot be used: it tells neither 1 from 1.0 nor a member that stands twice, it loses integers above 2^53
// and accepts lone surrogates. What is read here is what the Rust implementation reads, error for error.

import { fromUtf8 } from "./bytes.js";
import { VerifyError } from "./errors.js";

/** A JSON value. Integers are numbers, or bigints above 2^53 − 1; numbers written otherwise are {@link JsonFloat}. */
export type Json = null | boolean | string | number | bigint | JsonFloat | readonly Json[] | JsonObject;

/** A JSON object: without prototype, so that no member's name has a meaning of its own. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** A number that is not written as an integer of 64 bits: with a point or an exponent, `-0`, or too long. */
export class JsonFloat {
  /** Its value as a double. */
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Why a text is refused: not JSON, a member twice in one object, or nested too deep. */
export type JsonReason = "syntax" | "duplicate" | "depth";

/** A text that is refused. */
export class JsonError extends VerifyError {
  /** Why. */
  readonly reason: JsonReason;
  /** Name of the member that stands twice, whole. */
  readonly member: string | undefined;

  constructor(reason: JsonReason, message: string, member?: string) {
    super(`json.${reason}`, message);
    this.reason = reason;
    this.member = member;
  }
}

/** How to read. */
export interface JsonOptions {
  /** Most brackets open at a time; without it as many as {@link JSON_DEPTH_READ}. */
  readonly depthMax?: number;
  /** What a member that stands twice does: an error (the default), or the last one holds. */
  readonly duplicates?: "refuse" | "last";
}

/** Brackets open at a time that a reader stands at all; beyond, a text counts as no JSON. */
export const JSON_DEPTH_READ = 127;

/**
 * Reads one JSON value, with white space around it.
 *
 * What is no JSON is refused first; else the first member twice or bracket too deep in the order of the text.
 */
export function parse(source: Uint8Array | string, options: JsonOptions = {}): Json {
  const text = typeof source === "string" ? source : fromUtf8(source);
  if (text === undefined) throw new JsonError("syntax", "not UTF-8");
  if (typeof source === "string" && !isWellFormed(source)) throw new JsonError("syntax", "a lone surrogate");
  return new Parser(text, options).whole();
}

/** Whether a text has no lone surrogate, so that it has UTF-8 bytes. */
export function isWellFormed(text: string): boolean {
  if (!/[\ud800-\udfff]/.test(text)) return true;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) return false;
  }
  return true;
}

const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const U64_MAX = 18446744073709551615n;
const I64_MIN = -9223372036854775808n;

class Parser {
  private at = 0;
  private depth = 0;
  private first: JsonError | undefined;

  constructor(
    private readonly text: string,
    private readonly options: JsonOptions,
  ) {}

  whole(): Json {
    const value = this.value();
    this.space();
    if (this.at !== this.text.length) throw this.bad("trailing characters");
    if (this.first) throw this.first;
    return value;
  }

  private bad(what: string): JsonError {
    return new JsonError("syntax", `not JSON: ${what} at ${this.at}`);
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private value(): Json {
    this.space();
    switch (this.text.charAt(this.at)) {
      case "{":
        return this.object();
      case "[":
        return this.array();
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private word(word: string, value: boolean | null): Json {
    if (!this.text.startsWith(word, this.at)) throw this.bad("unexpected characters");
    this.at += word.length;
    return value;
  }

  private number(): Json {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (!match) throw this.bad("unexpected characters");
    const [written, fraction, exponent] = match;
    this.at += written.length;
    // What follows a number is a comma, a bracket, space or the end; "01", "1.", "1e" and "1x" end up here.
    if (/[0-9.eE+-]/.test(this.text.charAt(this.at))) throw this.bad("malformed number");
    if (fraction === undefined && exponent === undefined && written !== "-0") {
      const value = Number(written);
      if (Number.isSafeInteger(value)) return value;
      if (written.length <= 20) {
        const integer = BigInt(written);
        if (integer >= I64_MIN && integer <= U64_MAX) return integer;
      }
    }
    const value = Number(written);
    if (!Number.isFinite(value)) throw this.bad("number out of range");
    return new JsonFloat(value);
  }

  private string(): string {
    let value = "";
    this.at++;
    for (;;) {
      PLAIN.lastIndex = this.at;
      const run = PLAIN.exec(this.text)?.[0] ?? "";
      value += run;
      this.at += run.length;
      const next = this.text.charAt(this.at);
      if (next === '"') {
        this.at++;
        return value;
      }
      if (next !== "\\") throw this.bad("a string that does not end, or a control character in it");
      value += this.escape();
    }
  }

  private escape(): string {
    const letter = this.text.charAt(this.at + 1);
    if (letter === "u") {
      const unit = this.unit();
      if (unit >= 0xdc00 && unit <= 0xdfff) throw this.bad("a lone surrogate");
      if (unit < 0xd800 || unit > 0xdbff) return String.fromCharCode(unit);
      const low = this.text.startsWith("\\u", this.at) ? this.unit() : 0;
      if (low < 0xdc00 || low > 0xdfff) throw this.bad("a lone surrogate");
      return String.fromCharCode(unit, low);
    }
    const index = '"\\/bfnrt'.indexOf(letter);
    if (letter === "" || index < 0) throw this.bad("an unknown escape");
    this.at += 2;
    return '"\\/\b\f\n\r\t'.charAt(index);
  }

  private unit(): number {
    const digits = this.text.slice(this.at + 2, this.at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.bad("an unknown escape");
    this.at += 6;
    return parseInt(digits, 16);
  }

  private enter(): void {
    this.at++;
    this.depth++;
    if (this.depth > JSON_DEPTH_READ) throw this.bad("nested deeper than is read");
    if (this.depth > (this.options.depthMax ?? JSON_DEPTH_READ)) {
      this.first ??= new JsonError("depth", "JSON nested deeper than allowed");
    }
  }

  private array(): Json {
    const items: Json[] = [];
    this.enter();
    this.space();
    if (this.text.charAt(this.at) !== "]") {
      for (;;) {
        items.push(this.value());
        this.space();
        const next = this.text.charAt(this.at);
        if (next === "]") break;
        if (next !== ",") throw this.bad("expected , or ]");
        this.at++;
      }
    }
    this.at++;
    this.depth--;
    return items;
  }

  private object(): Json {
    const members: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
    this.enter();
    this.space();
    if (this.text.charAt(this.at) !== "}") {
      for (;;) {
        this.space();
        if (this.text.charAt(this.at) !== '"') throw this.bad("expected a member's name");
        const name = this.string();
        if (name in members && this.options.duplicates !== "last") {
          const shown = [...name].slice(0, 64).join("");
          this.first ??= new JsonError("duplicate", `a member stands twice: ${shown}`, name);
        }
        this.space();
        if (this.text.charAt(this.at) !== ":") throw this.bad("expected :");
        this.at++;
        members[name] = this.value();
        this.space();
        const next = this.text.charAt(this.at);
        if (next === "}") break;
        if (next !== ",") throw this.bad("expected , or }");
        this.at++;
      }
    }
    this.at++;
    this.depth--;
    return members;
  }
}

/** Whether a value is an object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonFloat);
}

/** Whether a value is an array. */
export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** A member of a value, if the value is an object and has it. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.prototype.hasOwnProperty.call(value, name) ? value[name] : undefined;
}

/** An object of these members; what is undefined is left out. */
export function jsonObject(members: { readonly [name: string]: Json | undefined }): JsonObject {
  const object: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
  for (const [name, value] of Object.entries(members)) if (value !== undefined) object[name] = value;
  return object;
}

/** Whether a value is any number. */
export function isNumber(value: Json | undefined): value is number | bigint | JsonFloat {
  return typeof value === "number" || typeof value === "bigint" || value instanceof JsonFloat;
}

/** A number as a double, as JavaScript has it; undefined for what is no number. */
export function asDouble(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  return value instanceof JsonFloat ? value.value : undefined;
}

/** Whether two values are the same JSON: 1 and 1.0 are not. */
export function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a instanceof JsonFloat || b instanceof JsonFloat) {
    return a instanceof JsonFloat && b instanceof JsonFloat && a.value === b.value;
  }
  if (isArray(a)) return isArray(b) && a.length === b.length && a.every((item, i) => equalJson(item, b[i] ?? null));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [x, y] = [member(a, name), member(b, name)];
      return x !== undefined && y !== undefined && equalJson(x, y);
    })
  );
}

/** What JSON.parse would make of it, for libraries that want that: all numbers doubles, ordinary objects. */
export function toPlain(value: Json): unknown {
  if (isNumber(value)) return asDouble(value);
  if (isArray(value)) return value.map(toPlain);
  if (!isObject(value)) return value;
  const plain: { [name: string]: unknown } = {};
  for (const [name, item] of Object.entries(value)) {
    // An assignment to __proto__ would set the prototype.
    Object.defineProperty(plain, name, { value: toPlain(item), enumerable: true, configurable: true, writable: true });
  }
  return plain;
}

/** The RFC 8785 text of a value: members in the order of UTF-16, numbers as ECMAScript writes them. */
export function jcs(value: Json): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return numeral(value);
  if (typeof value === "bigint") return numeral(Number(value));
  if (value instanceof JsonFloat) return numeral(value.value);
  if (isArray(value)) {
    let text = "";
    for (const item of value) text += text === "" ? jcs(item) : `,${jcs(item)}`;
    return `[${text}]`;
  }
  if (!isObject(value)) return String(value);
  let text = "";
  for (const name of inOrder(Object.keys(value))) {
    text += `${text === "" ? "" : ","}${quoted(name)}:${jcs(value[name] ?? null)}`;
  }
  return `{${text}}`;
}

/** Names in the order of UTF-16, in which those of a canonical text are already. */
function inOrder(names: string[]): string[] {
  for (let i = 1; i < names.length; i++) if ((names[i - 1] ?? "") > (names[i] ?? "")) return names.sort();
  return names;
}

function quoted(text: string): string {
  // Most texts here are ASCII without anything to escape.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  // JSON.stringify writes what RFC 8785 §3.2.2.2 demands, which was taken from it; only lone surrogates are no UTF-8.
  if (!isWellFormed(text)) throw new JsonError("syntax", "a lone surrogate");
  return JSON.stringify(text);
}

function numeral(value: number): string {
  if (!Number.isFinite(value)) throw new JsonError("syntax", "a number that JSON does not have");
  return String(value);
}
