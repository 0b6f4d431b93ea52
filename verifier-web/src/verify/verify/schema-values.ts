/** Values as JSON Schema compares them: numbers by what they are worth, texts by their characters. */

import { JsonFloat, asDouble, isArray, isNumber, isObject } from "../base/json.js";
import type { Json } from "../base/json.js";

/** A number that is written as an integer exactly, any other as the double that it reads as. */
type Exact = number | bigint;

function exact(value: number | bigint | JsonFloat): Exact {
  return value instanceof JsonFloat ? value.value : value;
}

/** How a number compares to another: below zero when it is less. */
export function compareNumbers(one: number | bigint | JsonFloat, other: number | bigint | JsonFloat): number {
  const [left, right] = [exact(one), exact(other)];
  // JavaScript compares integers of any length and doubles by their exact values.
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether a value is an integer, however it is written: 1.0 is one. */
export function isInteger(value: Json): boolean {
  return isNumber(value) && (typeof value === "bigint" || Number.isInteger(asDouble(value)));
}

/** Whether two values are the same to a schema: 1 and 1.0 are. */
export function equalValues(one: Json, other: Json): boolean {
  if (isNumber(one)) return isNumber(other) && compareNumbers(one, other) === 0;
  if (isArray(one)) {
    return isArray(other) && one.length === other.length && one.every((item, at) => equalValues(item, other[at] ?? null));
  }
  if (!isObject(one)) return one === other;
  if (!isObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && equalValues(one[name] ?? null, other[name] ?? null))
  );
}

/** Whether no two of some values are the same. */
export function areUnique(values: readonly Json[]): boolean {
  const seen = new Map<string, Json[]>();
  return values.every((value) => {
    const alike = seen.get(rough(value));
    if (alike === undefined) seen.set(rough(value), [value]);
    else if (alike.some((other) => equalValues(value, other))) return false;
    else alike.push(value);
    return true;
  });
}

/** A text that is equal for equal values, so that only these are compared. */
function rough(value: Json): string {
  if (isNumber(value)) return `n${Number(exact(value))}`;
  if (isArray(value)) return `a${value.length},${value.map(rough).join()}`;
  if (isObject(value)) return `o${Object.keys(value).sort().join()}`;
  return typeof value === "string" ? `s${value}` : String(value);
}

/** Whether a number is a whole multiple of another, both as the decimals that they are written as. */
export function isMultipleOf(value: number | bigint | JsonFloat, of: number | bigint | JsonFloat): boolean {
  const divisor = Number(exact(of));
  const number = exact(value);
  if (Number.isInteger(divisor) && Math.abs(divisor) <= 2 ** 53) {
    if (typeof number === "bigint") return number % BigInt(divisor) === 0n;
    return Number.isInteger(number) && number % divisor === 0;
  }
  const dividend = Number(number);
  if (dividend === 0) return true;
  if (Math.abs(dividend) < divisor) return false;
  const [left, right] = [decimal(dividend), decimal(divisor)];
  const shared = Math.max(left.decimals, right.decimals);
  const scale = ({ digits, decimals }: Decimal): bigint => digits * 10n ** BigInt(shared - decimals);
  return scale(left) % scale(right) === 0n;
}

interface Decimal {
  readonly digits: bigint;
  readonly decimals: number;
}

/** A double as the shortest decimal that reads as it. */
function decimal(value: number): Decimal {
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const [whole, fraction = ""] = mantissa.split(".") as [string, string?];
  return { digits: BigInt(whole + fraction), decimals: fraction.length - Number(exponent) };
}

/** Number of a text's characters: Unicode code points. */
export function characters(text: string): number {
  let count = text.length;
  for (let at = 0; at + 1 < text.length; at++) {
    const [unit, next] = [text.charCodeAt(at), text.charCodeAt(at + 1)];
    if (unit >= 0xd800 && unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) count--;
  }
  return count;
}

/** A part of a JSON pointer (RFC 6901 §3). */
export function escaped(part: string | number): string {
  return String(part).replace(/~/g, "~0").replace(/\//g, "~1");
}
