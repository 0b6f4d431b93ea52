/**
 * JSON as somebody else wrote it: any members and numbers, but one reading. What is read has no member twice in one object, at
 * any depth, in whatever spelling the name is escaped.
 */

import { compareUtf8 } from "../base/bytes.js";
import { type Json, type JsonFloat, isObject, JsonError, type JsonObject, parse } from "../base/json.js";
import { beginning } from "../base/text.js";
import { CREDENTIAL_DEPTH_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";

/** Characters of a member's name that an error repeats. */
const NAME_CHARS_SHOWN = 64;

/** Reads an object. Throws {@link Refusal}. */
export function readObject(bytes: Uint8Array): JsonObject {
  const value = readValue(bytes);
  if (!isObject(value)) throw Refusal.malformed("expected a JSON object");
  return value;
}

/** Reads a value. Throws {@link Refusal}. */
export function readValue(bytes: Uint8Array): Json {
  try {
    return parse(bytes, { depthMax: CREDENTIAL_DEPTH_MAX });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    if (error.reason === "duplicate") throw Refusal.duplicateMember(shownName(error.member ?? ""));
    if (error.reason === "depth") throw Refusal.malformed("the JSON is nested deeper than a credential is");
    throw Refusal.malformed("not JSON");
  }
}

/** Reads a text; none for what is anything else, or no JSON. */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    const value = parse(bytes);
    return typeof value === "string" ? value : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Reads a list of texts; none for what is anything else, or no JSON. */
export function readTexts(bytes: Uint8Array): readonly string[] | undefined {
  try {
    const value = parse(bytes);
    const isTexts = Array.isArray(value) && value.every((entry) => typeof entry === "string");
    return isTexts ? (value as readonly string[]) : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d];

/**
 * The members of an object, each value as the bytes it stands in, for the caller to read. Of what is inside the values only the
 * nesting of brackets is looked at. Throws {@link Refusal}.
 */
export function readMembers(bytes: Uint8Array): Map<string, Uint8Array> {
  const refuse = (): Refusal => Refusal.malformed("not a JSON object");
  const expect = (at: number, byte: number): number => {
    if (bytes[at] !== byte) throw refuse();
    return at + 1;
  };
  const members = new Map<string, Uint8Array>();
  let at = space(bytes, expect(space(bytes, 0), OPEN));
  while (bytes[at] !== CLOSE || members.size > 0) {
    const start = at;
    at = stringEnd(bytes, expect(at, QUOTE) - 1);
    const name = readName(bytes.subarray(start, at));
    at = space(bytes, expect(space(bytes, at), COLON));
    const end = valueEnd(bytes, at);
    if (end === undefined) throw refuse();
    if (members.has(name)) throw Refusal.duplicateMember(shownName(name));
    members.set(name, bytes.subarray(at, end));
    at = space(bytes, end);
    if (bytes[at] === CLOSE) break;
    at = space(bytes, expect(at, COMMA));
  }
  if (space(bytes, expect(at, CLOSE)) !== bytes.length) throw refuse();
  return members;
}

/** The beginning of a member's name, for an error. */
export function shownName(name: string): string {
  return beginning(name, NAME_CHARS_SHOWN);
}

function readName(quoted: Uint8Array): string {
  const name = readText(quoted);
  if (name === undefined) throw Refusal.malformed("not JSON");
  return name;
}

/** Whether a byte is white space of JSON. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

/** The place after white space. */
function space(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isSpace(bytes[at])) at++;
  return at;
}

/** The place after the value that begins at a place, by its brackets and quotes. Whether it is JSON, who reads it sees. */
function valueEnd(bytes: Uint8Array, start: number): number | undefined {
  const first = bytes[start];
  if (first === QUOTE) return stringEnd(bytes, start);
  if (first === OPEN || first === OPEN_LIST) return bracketEnd(bytes, start);
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === COMMA || byte === CLOSE || isSpace(byte)) return at > start ? at : undefined;
  }
  return undefined;
}

function bracketEnd(bytes: Uint8Array, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < bytes.length; ) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      continue;
    }
    if (byte === OPEN || byte === OPEN_LIST) depth++;
    if (byte === CLOSE || byte === CLOSE_LIST) depth = Math.max(0, depth - 1);
    at++;
    if (depth === 0) return at;
  }
  return undefined;
}

/** The place after the closing quote of the string that begins at a place, or the end. */
function stringEnd(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at + 1;
    if (bytes[at] === BACKSLASH) at++;
  }
  return bytes.length;
}

/** The names of an object's members in the order of their UTF-8 bytes, in which all are gone through. */
export function keysOf(object: JsonObject): string[] {
  return Object.keys(object).sort(compareUtf8);
}

/** The names of members as bytes, in the same order. */
export function keysOfMembers(members: ReadonlyMap<string, Uint8Array>): string[] {
  return [...members.keys()].sort(compareUtf8);
}

/** An unsigned integer of 64 bits, written as one. */
export function asU64(value: Json | undefined): bigint | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value < 0 ? undefined : BigInt(value);
  return typeof value === "bigint" && value >= 0n ? value : undefined;
}

/** A text; none for anything else. */
export function asText(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}


/** A number in decimal, as Rust's serde_json writes it: `1000`, `1000.0`, `1e16`, `-0.0`. */
export function numberText(number: number | bigint | JsonFloat): string {
  if (typeof number === "number" || typeof number === "bigint") return number.toString();
  const { value } = number;
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [digits, exponent] = Math.abs(value).toExponential().replace(".", "").split("e") as [string, string];
  const power = Number(exponent);
  if (power < -5 || power > 15) {
    return `${sign}${digits.slice(0, 1)}${digits.length > 1 ? "." : ""}${digits.slice(1)}e${power}`;
  }
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${digits}`;
  const whole = digits.padEnd(power + 1, "0");
  return `${sign}${whole.slice(0, power + 1)}.${whole.slice(power + 1) || "0"}`;
}
