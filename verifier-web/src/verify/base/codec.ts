// Reading the formats: canonical JSON and the few types that stand in it. Every reader takes a JSON value and returns a
// typed one or throws a CodecError; unknown, missing and `null` members are refused everywhere.

import { fromBase64url, fromHex, fromUtf8 } from "./bytes.js";
import { CodecError } from "./errors.js";
import { isArray, isObject, jcs, JsonError, parse, type Json, type JsonObject } from "./json.js";

/** Nesting of signed JSON. */
export const JSON_DEPTH_MAX = 8;

/** Makes a typed value of JSON, or throws a CodecError. */
export type Reader<T> = (value: Json) => T;

/** Reads JSON that must be its own RFC 8785 form. */
export function fromCanonical<T>(source: Uint8Array | string, read: Reader<T>, depthMax: number = JSON_DEPTH_MAX): T {
  const text = typeof source === "string" ? source : fromUtf8(source);
  if (text === undefined) throw new CodecError("json", "not UTF-8");
  const value = parseStrict(text, depthMax);
  const typed = read(value);
  if (jcs(value) !== text) {
    throw new CodecError("not-canonical", "the JSON is not in canonical form (RFC 8785)");
  }
  return typed;
}

/** Reads JSON in any spacing, no member twice. */
export function fromStrict<T>(source: Uint8Array | string, read: Reader<T>, depthMax: number = JSON_DEPTH_MAX): T {
  return read(parseStrict(source, depthMax));
}

function parseStrict(source: Uint8Array | string, depthMax: number): Json {
  try {
    return parse(source, { depthMax });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new CodecError(error.reason === "depth" ? "too-deep" : "json", error.message);
  }
}

function refuse(expected: string): CodecError {
  return new CodecError("json", `not the expected JSON: expected ${expected}`);
}

/** An object with all of the required members, perhaps some of the optional ones, and no other. */
export function object(value: Json, required: readonly string[], optional: readonly string[] = []): JsonObject {
  if (!isObject(value)) throw refuse("an object");
  for (const name of required) if (!(name in value)) throw refuse(`the member ${name}`);
  for (const name of Object.keys(value)) {
    if (!required.includes(name) && !optional.includes(name)) throw refuse(`no member ${name.slice(0, 64)}`);
  }
  return value;
}

/** A member that {@link object} found to be there, read. */
export function field<T>(object: JsonObject, name: string, read: Reader<T>): T {
  const value = object[name];
  if (value === undefined) throw refuse(`the member ${name}`);
  return read(value);
}

/** A member that may be absent, read. */
export function maybe<T>(object: JsonObject, name: string, read: Reader<T>): T | undefined {
  const value = object[name];
  return value === undefined ? undefined : read(value);
}

/** A text. */
export function text(value: Json): string {
  if (typeof value !== "string") throw refuse("a text");
  return value;
}

/** A text that a rule accepts. */
export function textWhere(what: string, holds: (text: string) => boolean): Reader<string> {
  return (value) => {
    if (typeof value !== "string" || !holds(value)) throw refuse(what);
    return value;
  };
}

/** One of these words. */
export function word<T extends string>(...words: readonly T[]): Reader<T> {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw refuse(`one of ${words.join(", ")}`);
    return found;
  };
}

/** True or false. */
export function bool(value: Json): boolean {
  if (typeof value !== "boolean") throw refuse("true or false");
  return value;
}

function integerUpTo(most: number): Reader<number> {
  return (value) => {
    if (typeof value !== "number" || value < 0 || value > most) throw refuse(`an integer from 0 to ${most}`);
    return value;
  };
}

/** An integer that every JSON implementation keeps exactly: 0 to 2^53 − 1. */
export const integer = integerUpTo(Number.MAX_SAFE_INTEGER);
/** An integer of 32 bits. */
export const u32 = integerUpTo(0xffffffff);
/** An integer of 8 bits. */
export const u8 = integerUpTo(0xff);

/** A list of such values. */
export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    if (!isArray(value)) throw refuse("a list");
    return value.map(read);
  };
}

/** A list with something in it: one that is left out when there is nothing. */
export function someOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    const items = list(read)(value);
    if (items.length === 0) throw refuse("a list that is not empty");
    return items;
  };
}

/** 32 bytes as 64 lower-case hexadecimal digits; kept as that text, which is how hashes are compared here. */
export function hash(value: Json): string {
  if (typeof value !== "string" || !isHash(value)) throw refuse("lower-case hexadecimal of 32 bytes");
  return value;
}

/** Whether a text is 32 bytes in lower-case hexadecimal. */
export function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The bytes of a hash. */
export function hashBytes(hash: string): Uint8Array {
  const bytes = isHash(hash) ? fromHex(hash) : undefined;
  if (bytes === undefined) throw new CodecError("hex", "not lower-case hexadecimal of 32 bytes");
  return bytes;
}

/** Bytes as unpadded base64url. */
export function data(value: Json): Uint8Array {
  const bytes = typeof value === "string" ? fromBase64url(value) : undefined;
  if (bytes === undefined) throw refuse("unpadded base64url");
  return bytes;
}

/** A decimal of 64 bits without sign, space or leading zero. */
export function fromDecimal(text: string): bigint | undefined {
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= 0xffff_ffff_ffff_ffffn ? value : undefined;
}
