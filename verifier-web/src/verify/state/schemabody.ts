// What text is a schema of this ledger, and what its id is.
//
// A body is the RFC 8785 form of a JSON Schema 2020-12 that stands on its own: nobody who validates a diploma in thirty
// years should need another server's file. So nothing in it refers outside, in data of `const` and `default` neither,
// since a JSON pointer can make a schema of any object. Numbers have one shortest form, which every reader of JSON keeps.
//
// The id follows EBSI's rule: SHA-256 of the RFC 8785 form without annotations. A keyword is an annotation only where a
// schema stands, not as the name of a property, nor inside the data of `const` and `enum`.

import { base58, utf8 } from "../base/bytes.js";
import { hashBytes } from "../base/codec.js";
import { VerifyError } from "../base/errors.js";
import { sha256hex } from "../base/hash.js";
import { isArray, isObject, jcs, type Json, JsonError, jsonObject, parse } from "../base/json.js";
import { beginning, quoted } from "../base/text.js";
import { nestsDeeper } from "./shape.js";

/** The only draft. */
export const DRAFT = "https://json-schema.org/draft/2020-12/schema";
/** Characters of a schema's text. */
export const SCHEMA_CHARS_MAX = 32_768;
/** Nesting of a schema. */
export const SCHEMA_DEPTH_MAX = 32;

/** Keywords that say nothing of what is valid. */
const ANNOTATIONS = new Set("$comment title description default deprecated readOnly writeOnly examples".split(" "));
/** Keywords whose value maps names to schemas. */
const NAMED_SCHEMAS = new Set("properties patternProperties $defs definitions dependentSchemas dependencies".split(" "));
/** Keywords whose value holds no schema. */
const DATA = new Set(["const", "enum", "dependentRequired", "$vocabulary"]);
/** Keywords whose value, if it is text, is a reference. */
const REFERENCES = new Set(["$ref", "$dynamicRef", "$recursiveRef"]);

/** Most digits of a number: what a double keeps, whichever way it is read. */
const DIGITS_MAX = 15;
/** Most digits after the point: RFC 8785 writes smaller numbers with an exponent. */
const DECIMALS_MAX = 6;

/** What is wrong with a text that should be a schema. */
export type SchemaReason =
  | "too-large"
  | "json"
  | "too-deep"
  | "not-canonical"
  | "not-an-object"
  | "number"
  | "draft"
  | "remote-reference";

/** Text that is not a schema of this ledger. */
export class SchemaFault extends VerifyError {
  /** What is wrong. */
  readonly reason: SchemaReason;

  constructor(reason: SchemaReason, message: string) {
    super(`schema.${reason}`, message);
    this.reason = reason;
  }
}

/** The canonical text of a schema given in any spacing and order. What {@link checkSchema} refuses is refused. */
export function canonicalSchema(text: string): string {
  const canonical = jcs(read(text));
  checkSchema(canonical);
  return canonical;
}

/** Checks a body: its length, its form, its draft, its references. Throws {@link SchemaFault}. */
export function checkSchema(body: string): void {
  const schema = read(body);
  if (jcs(schema) !== body) {
    throw new SchemaFault(
      "not-canonical",
      "the JSON is not in canonical form (RFC 8785): no spaces, members in order, shortest numbers",
    );
  }
  if (!isObject(schema)) throw new SchemaFault("not-an-object", "a schema is a JSON object");
  if (schema["$schema"] !== DRAFT) throw draft();
  checkReferences(schema, true);
}

/** The id of a schema by EBSI's rule, in hexadecimal. */
export function schemaId(body: string): string {
  return sha256hex(utf8(jcs(withoutAnnotations(read(body)))));
}

/** The text form of an id in EBSI's registry: `z` and base58btc. */
export function multibase(id: string): string {
  return `z${base58(hashBytes(id))}`;
}

function draft(): SchemaFault {
  return new SchemaFault("draft", `$schema must be ${DRAFT}`);
}

/** Reads JSON of bounded length and depth whose numbers every reader keeps. */
function read(text: string): Json {
  // Long input is not counted through.
  const characters = text.length > 4 * SCHEMA_CHARS_MAX ? text.length : Array.from(text).length;
  if (characters > SCHEMA_CHARS_MAX) {
    throw new SchemaFault("too-large", `it has ${characters} characters; at most ${SCHEMA_CHARS_MAX} are allowed`);
  }
  const bytes = utf8(text);
  if (nestsDeeper(bytes, SCHEMA_DEPTH_MAX)) throw new SchemaFault("too-deep", "JSON nested deeper than allowed");
  let value: Json;
  try {
    value = parse(bytes, { duplicates: "last" });
  } catch (error) {
    if (error instanceof JsonError) throw new SchemaFault("json", `not the expected JSON: ${error.message}`);
    throw error;
  }
  checkNumbers(text);
  return value;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[0-9+.eE-]+/g;

/** Looks at the numbers in the text of valid JSON: what is left outside strings, but for the letter e of `true`. */
function checkNumbers(json: string): void {
  for (const [token] of json.matchAll(TOKEN)) {
    if (token.startsWith('"') || !/[0-9]/.test(token)) continue;
    const [, whole, decimals = ""] = /^-*([0-9]*)(?:\.([0-9]*))?$/.exec(token) ?? [];
    const tooLong = (whole ?? "").length + decimals.length > DIGITS_MAX || decimals.length > DECIMALS_MAX;
    if (whole === undefined || tooLong) {
      throw new SchemaFault(
        "number",
        `a number has at most ${DIGITS_MAX} digits, ${DECIMALS_MAX} of them after the point, and no exponent`,
      );
    }
  }
}

function checkReferences(value: Json, isRoot: boolean): void {
  if (isArray(value)) value.forEach((item) => checkReferences(item, false));
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const text = value[name] ?? null;
    if (typeof text !== "string") {
      checkReferences(text, false);
      continue;
    }
    if (name === "$schema" && text !== DRAFT) throw draft();
    const isRemote = REFERENCES.has(name)
      ? !text.startsWith("#")
      : name === "$id" && !isRoot && (text.includes(":") || text.startsWith("//"));
    if (isRemote) {
      // A message need not repeat a long text.
      const shown = quoted(beginning(text, 200));
      throw new SchemaFault("remote-reference", `it refers to ${shown}: only references within it are allowed`);
    }
  }
}

function withoutAnnotations(schema: Json): Json {
  if (isArray(schema)) return schema.map(withoutAnnotations);
  if (!isObject(schema)) return schema;
  const kept: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
  for (const [name, value] of Object.entries(schema)) {
    if (ANNOTATIONS.has(name)) continue;
    if (NAMED_SCHEMAS.has(name) && isObject(value)) {
      const named = Object.entries(value).map(([inner, of]) => [inner, withoutAnnotations(of)] as const);
      kept[name] = jsonObject(Object.fromEntries(named));
    } else {
      kept[name] = DATA.has(name) ? value : withoutAnnotations(value);
    }
  }
  return kept;
}
