/**
 * Whether a JSON value is a schema of Draft 2020-12, by that draft's own meta-schema: what is not, is not made ready. Formats inside
 * the meta-schema (URIs, patterns) are no part of this.
 */

import type { Json, JsonObject } from "../base/json.js";
import { asDouble, isArray, isNumber, isObject } from "../base/json.js";

type Check = (value: Json) => boolean;

const TYPES: readonly Json[] = ["array", "boolean", "integer", "null", "number", "object", "string"];

const isText: Check = (value) => typeof value === "string";
const isBoolean: Check = (value) => typeof value === "boolean";
const isAnchor: Check = (value) => typeof value === "string" && /^[A-Za-z_][-A-Za-z0-9._]*$/.test(value);
const isCount: Check = (value) => {
  const count = isNumber(value) ? asDouble(value) : undefined;
  return count !== undefined && Number.isInteger(count) && count >= 0;
};
const isTexts: Check = (value) => isArray(value) && value.every(isText) && new Set(value).size === value.length;
const isSchemas: Check = (value) => isArray(value) && value.length > 0 && value.every(isSchemaForm);
const each =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);

const KEYWORDS: Readonly<Record<string, Check>> = {
  $id: (value) => typeof value === "string" && /^[^#]*#?$/.test(value),
  $schema: isText,
  $ref: isText,
  $anchor: isAnchor,
  $dynamicRef: isText,
  $dynamicAnchor: isAnchor,
  $vocabulary: each(isBoolean),
  $comment: isText,
  $defs: each(isSchemaForm),
  $recursiveAnchor: isAnchor,
  $recursiveRef: isText,
  definitions: each(isSchemaForm),
  dependencies: each((value) => isSchemaForm(value) || isTexts(value)),
  prefixItems: isSchemas,
  items: isSchemaForm,
  contains: isSchemaForm,
  additionalProperties: isSchemaForm,
  properties: each(isSchemaForm),
  patternProperties: each(isSchemaForm),
  dependentSchemas: each(isSchemaForm),
  propertyNames: isSchemaForm,
  if: isSchemaForm,
  then: isSchemaForm,
  else: isSchemaForm,
  allOf: isSchemas,
  anyOf: isSchemas,
  oneOf: isSchemas,
  not: isSchemaForm,
  unevaluatedItems: isSchemaForm,
  unevaluatedProperties: isSchemaForm,
  type: (value) => TYPES.includes(value) || (isTexts(value) && isTypes(value)),
  enum: isArray,
  multipleOf: (value) => isNumber(value) && (asDouble(value) ?? 0) > 0,
  maximum: isNumber,
  exclusiveMaximum: isNumber,
  minimum: isNumber,
  exclusiveMinimum: isNumber,
  maxLength: isCount,
  minLength: isCount,
  pattern: isText,
  maxItems: isCount,
  minItems: isCount,
  uniqueItems: isBoolean,
  maxContains: isCount,
  minContains: isCount,
  maxProperties: isCount,
  minProperties: isCount,
  required: isTexts,
  dependentRequired: each(isTexts),
  title: isText,
  description: isText,
  deprecated: isBoolean,
  readOnly: isBoolean,
  writeOnly: isBoolean,
  examples: isArray,
  format: isText,
  contentEncoding: isText,
  contentMediaType: isText,
  contentSchema: isSchemaForm,
};

function isTypes(value: Json): boolean {
  return isArray(value) && value.length > 0 && value.every((name) => TYPES.includes(name));
}

/** Whether a value has the form of a schema, and so has everything in it that is one. */
export function isSchemaForm(value: Json): boolean {
  if (typeof value === "boolean") return true;
  if (!isObject(value)) return false;
  return Object.entries(value).every(([name, member]) => checkOf(name)?.(member) ?? true);
}

function checkOf(name: string): Check | undefined {
  return Object.prototype.hasOwnProperty.call(KEYWORDS, name) ? KEYWORDS[name] : undefined;
}

/** Keywords that undisclosed fields could break: that something must be there, and what turns that around. */
const DROPPED = [
  "required",
  "dependentRequired",
  "minProperties",
  "minItems",
  "contains",
  "minContains",
  "maxContains",
  "not",
  "if",
  "then",
  "else",
  "unevaluatedProperties",
  "unevaluatedItems",
];
const NAMED = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const LISTED = ["allOf", "anyOf", "prefixItems"];
const SINGLE = ["items", "additionalProperties", "propertyNames", "additionalItems"];

/** A schema without what undisclosed fields could break. */
export function lenient(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const members: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
  for (const [name, value] of Object.entries(schema)) {
    // A scalar is disclosed as a whole or not at all; only objects and arrays can have lost parts.
    const isData = name === "const" || name === "enum";
    const values = name === "const" ? [value] : isArray(value) ? value : [null, [value]];
    const lost = isData && values.some((one) => isObject(one) || isArray(one));
    if (!DROPPED.includes(name) && !lost) members[name] = value;
  }
  // "Exactly one of" tells them apart by what is there.
  const { oneOf } = members;
  if (oneOf !== undefined) {
    delete members["oneOf"];
    if (members["anyOf"] === undefined) members["anyOf"] = oneOf;
  }
  for (const [name, value] of Object.entries(members)) {
    if (NAMED.includes(name) && isObject(value)) members[name] = mapped(value);
    else if (LISTED.includes(name) && isArray(value)) members[name] = value.map(lenient);
    else if (SINGLE.includes(name)) members[name] = lenient(value);
  }
  return members;
}

function mapped(schemas: JsonObject): JsonObject {
  const all: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
  for (const [name, schema] of Object.entries(schemas)) all[name] = lenient(schema);
  return all;
}
