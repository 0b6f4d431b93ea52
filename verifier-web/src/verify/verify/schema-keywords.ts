/** The keywords of JSON Schema that say what is valid, each as what makes its rule. */

import { isArray, isNumber, isObject } from "../base/json.js";
import type { Json, JsonFloat } from "../base/json.js";
import { keysOf } from "../credentials/json.js";
import type { Context, Node, Parts } from "./schema.js";
import { formatCheck } from "./schema-formats.js";
import { compilePattern } from "./schema-pattern.js";
import type { Pattern } from "./schema-pattern.js";
import {
  areUnique,
  characters,
  compareNumbers,
  equalValues,
  escaped,
  isInteger,
  isMultipleOf,
} from "./schema-values.js";

/** What is wrong with a value: where in it, and by which rule of the schema, both as JSON pointers. */
export interface Fault {
  /** Where in the value. */
  readonly place: string;
  /** Where in the schema. */
  readonly rule: string;
}

/** A rule: what is wrong with a value at a place, if anything. */
export type Check = (instance: Json, place: string) => Fault | undefined;

/** Makes a keyword's rule; none where the keyword says nothing. */
type Compile = (value: Json, context: Context) => Check | undefined;

type AnyNumber = number | bigint | JsonFloat;

/** A rule that a value keeps or breaks as a whole. */
function rule(context: Context, keeps: (instance: Json) => boolean): Check {
  const { rule: where } = context;
  return (instance, place) => (keeps(instance) ? undefined : { place, rule: where });
}

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  array: isArray,
  boolean: (value) => typeof value === "boolean",
  integer: isInteger,
  null: (value) => value === null,
  number: isNumber,
  object: isObject,
  string: (value) => typeof value === "string",
};

const type: Compile = (value, context) => {
  const names = (isArray(value) ? value : [value]).filter((name): name is string => typeof name === "string");
  return rule(context, (instance) => names.some((name) => TYPES[name]?.(instance) ?? false));
};

const limit =
  (keeps: (comparison: number) => boolean): Compile =>
  (value, context) =>
    isNumber(value)
      ? rule(context, (instance) => !isNumber(instance) || keeps(compareNumbers(instance, value)))
      : undefined;

/** A bound on how many there are of something. */
const count =
  (of: (instance: Json) => number | undefined, keeps: (count: number, bound: AnyNumber) => boolean): Compile =>
  (value, context) => {
    if (!isNumber(value)) throw context.refuse();
    return rule(context, (instance) => {
      const found = of(instance);
      return found === undefined || keeps(found, value);
    });
  };

const atLeast = (found: number, bound: AnyNumber): boolean => compareNumbers(found, bound) >= 0;
const atMost = (found: number, bound: AnyNumber): boolean => compareNumbers(found, bound) <= 0;
const lengthOf = (value: Json): number | undefined => (typeof value === "string" ? characters(value) : undefined);
const itemsOf = (value: Json): number | undefined => (isArray(value) ? value.length : undefined);
const membersOf = (value: Json): number | undefined => (isObject(value) ? Object.keys(value).length : undefined);

function texts(value: Json | undefined): string[] {
  return isArray(value) ? value.filter((name): name is string => typeof name === "string") : [];
}

function patternOf(text: string, context: Context): Pattern {
  const pattern = compilePattern(text);
  if (pattern === undefined) throw context.refuse();
  return pattern;
}

const required: Compile = (value, context) => {
  const names = texts(value);
  return rule(context, (instance) => !isObject(instance) || names.every((name) => name in instance));
};

const dependentRequired: Compile = (value, context) => {
  if (!isObject(value)) return undefined;
  const needs = Object.entries(value).map(([name, needed]) => [name, texts(needed)] as const);
  return rule(
    context,
    (instance) =>
      !isObject(instance) || needs.every(([name, all]) => !(name in instance) || all.every((one) => one in instance)),
  );
};

const format: Compile = (value, context) => {
  const check = typeof value === "string" ? formatCheck(value) : undefined;
  if (check === "unsure") throw context.refuse();
  return check && rule(context, (instance) => typeof instance !== "string" || check(instance));
};

const pattern: Compile = (value, context) => {
  if (typeof value !== "string") throw context.refuse();
  const compiled = patternOf(value, context);
  return rule(context, (instance) => typeof instance !== "string" || compiled.test(instance));
};

/** The first fault among members of an object, in the order of their names. */
function firstMember(
  instance: Json,
  place: string,
  judge: (name: string, value: Json, place: string) => Fault | undefined,
): Fault | undefined {
  if (!isObject(instance)) return undefined;
  for (const name of keysOf(instance)) {
    const fault = judge(name, instance[name] ?? null, `${place}/${escaped(name)}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Says which members a rule looks at. */
function looksAtMembers(context: Context, which: (name: string) => boolean): void {
  context.looks((instance, parts) => {
    if (isObject(instance)) for (const name of Object.keys(instance)) if (which(name)) parts.add(name);
  });
}

/** Says which items a rule looks at. */
function looksAtItems(context: Context, which: (at: number, item: Json) => boolean): void {
  context.looks((instance, parts) => {
    if (isArray(instance)) for (const [at, item] of instance.entries()) if (which(at, item)) parts.add(at);
  });
}

/** Says that a rule looks at what other schemas look at that are for the same value. */
function looksThrough(context: Context, nodes: (instance: Json) => Iterable<Node | undefined>): void {
  context.looks((instance, parts) => {
    for (const node of nodes(instance)) node?.collect(instance, parts);
  });
}

/** Schemas by name, made ready. */
function named(value: Json, context: Context, same: boolean): Map<string, Node> {
  const nodes = new Map<string, Node>();
  if (!isObject(value)) return nodes;
  for (const name of keysOf(value)) nodes.set(name, context.node(value[name] ?? null, [name], same));
  return nodes;
}

const properties: Compile = (value, context) => {
  const nodes = named(value, context, false);
  looksAtMembers(context, (name) => nodes.has(name));
  return (instance, place) => firstMember(instance, place, (name, member, at) => nodes.get(name)?.fault(member, at));
};

const patternProperties: Compile = (value, context) => {
  const nodes = Array.from(named(value, context, false), ([text, node]) => [patternOf(text, context), node] as const);
  looksAtMembers(context, (name) => nodes.some(([compiled]) => compiled.test(name)));
  return (instance, place) =>
    firstMember(instance, place, (name, member, at) => {
      for (const [compiled, node] of nodes) {
        const fault = compiled.test(name) ? node.fault(member, at) : undefined;
        if (fault !== undefined) return fault;
      }
      return undefined;
    });
};

const additionalProperties: Compile = (value, context) => {
  const node = context.node(value, [], false);
  const { properties: own, patternProperties: patterns } = context.parent;
  const known = new Set(isObject(own) ? Object.keys(own) : []);
  const compiled = isObject(patterns) ? Object.keys(patterns).map((text) => patternOf(text, context)) : [];
  const isKnown = (name: string): boolean => known.has(name) || compiled.some((one) => one.test(name));
  looksAtMembers(context, (name) => !isKnown(name));
  return (instance, place) => {
    // That there is more than may be is said of the whole.
    if (value === false) {
      return firstMember(instance, place, (name) => (isKnown(name) ? undefined : { place, rule: context.rule }));
    }
    return firstMember(instance, place, (name, member, at) => (isKnown(name) ? undefined : node.fault(member, at)));
  };
};

const propertyNames: Compile = (value, context) => {
  const node = context.node(value, [], false);
  return (instance, place) => firstMember(instance, place, (name) => node.fault(name, place));
};

/** The first fault among items of an array. */
function firstItem(
  instance: Json,
  place: string,
  judge: (at: number, item: Json, place: string) => Fault | undefined,
): Fault | undefined {
  if (!isArray(instance)) return undefined;
  for (const [at, item] of instance.entries()) {
    const fault = judge(at, item, `${place}/${at}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const prefixItems: Compile = (value, context) => {
  const nodes = isArray(value) ? value.map((schema, at) => context.node(schema, [at], false)) : [];
  looksAtItems(context, (at) => at < nodes.length);
  return (instance, place) => firstItem(instance, place, (at, item, where) => nodes[at]?.fault(item, where));
};

const items: Compile = (value, context) => {
  const node = context.node(value, [], false);
  const { prefixItems: prefix } = context.parent;
  const first = isArray(prefix) ? prefix.length : 0;
  looksAtItems(context, (at) => at >= first);
  return (instance, place) =>
    firstItem(instance, place, (at, item, where) => (at < first ? undefined : node.fault(item, where)));
};

const contains: Compile = (value, context) => {
  const node = context.node(value, [], false);
  const { minContains, maxContains } = context.parent;
  looksAtItems(context, (_, item) => node.holds(item));
  return rule(context, (instance) => {
    if (!isArray(instance)) return true;
    const found = instance.filter((item) => node.holds(item)).length;
    const enough = atLeast(found, isNumber(minContains) ? minContains : 1);
    return enough && (!isNumber(maxContains) || atMost(found, maxContains));
  });
};

const dependentSchemas: Compile = (value, context) => {
  const nodes = named(value, context, true);
  looksThrough(context, (instance) => Array.from(nodes, ([name, node]) => (hasMember(instance, name) ? node : undefined)));
  return (instance, place) =>
    isObject(instance)
      ? first(nodes, ([name, node]) => (name in instance ? node.fault(instance, place) : undefined))
      : undefined;
};

/** A keyword of earlier drafts, which is still read: names that others need, or schemas. */
const dependencies: Compile = (value, context) => {
  if (!isObject(value)) return undefined;
  const all = keysOf(value).map((name): [string, Check] => {
    const needed = value[name] ?? null;
    if (!isArray(needed)) {
      const node = context.node(needed, [name], true);
      return [name, (instance, place) => node.fault(instance, place)];
    }
    const where = `${context.rule}/${escaped(name)}`;
    const names = texts(needed);
    const keeps = (instance: Json): boolean => !isObject(instance) || names.every((one) => one in instance);
    return [name, (instance, place) => (keeps(instance) ? undefined : { place, rule: where })];
  });
  return (instance, place) =>
    isObject(instance)
      ? first(all, ([name, check]) => (name in instance ? check(instance, place) : undefined))
      : undefined;
};

function first<T>(all: Iterable<T>, judge: (one: T) => Fault | undefined): Fault | undefined {
  for (const one of all) {
    const fault = judge(one);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function hasMember(value: Json, name: string): boolean {
  return isObject(value) && name in value;
}

function schemas(value: Json, context: Context): Node[] {
  const nodes = isArray(value) ? value.map((schema, at) => context.node(schema, [at], true)) : [];
  looksThrough(context, () => nodes);
  return nodes;
}

const allOf: Compile = (value, context) => {
  const nodes = schemas(value, context);
  return (instance, place) => first(nodes, (node) => node.fault(instance, place));
};

const anyOf: Compile = (value, context) => {
  const nodes = schemas(value, context);
  return rule(context, (instance) => nodes.some((node) => node.holds(instance)));
};

const oneOf: Compile = (value, context) => {
  const nodes = schemas(value, context);
  return rule(context, (instance) => nodes.filter((node) => node.holds(instance)).length === 1);
};

const not: Compile = (value, context) => {
  const node = context.node(value, [], true);
  return rule(context, (instance) => !node.holds(instance));
};

const condition: Compile = (value, context) => {
  const { then, else: otherwise } = context.parent;
  const test = context.node(value, [], true);
  const whenTrue = then === undefined ? undefined : context.sibling(then, "then");
  const whenFalse = otherwise === undefined ? undefined : context.sibling(otherwise, "else");
  looksThrough(context, (instance) => (test.holds(instance) ? [test, whenTrue] : [whenFalse]));
  return (instance, place) => (test.holds(instance) ? whenTrue : whenFalse)?.fault(instance, place);
};

const reference: Compile = (value, context) => {
  if (typeof value !== "string") throw context.refuse();
  const node = context.reference(value);
  looksThrough(context, () => [node]);
  return (instance, place) => node.fault(instance, place);
};

const constant: Compile = (value, context) => rule(context, (instance) => equalValues(instance, value));

const oneOfValues: Compile = (value, context) =>
  rule(context, (instance) => isArray(value) && value.some((one) => equalValues(instance, one)));

const multipleOf: Compile = (value, context) =>
  isNumber(value) ? rule(context, (instance) => !isNumber(instance) || isMultipleOf(instance, value)) : undefined;

const uniqueItems: Compile = (value, context) =>
  value === true ? rule(context, (instance) => !isArray(instance) || areUnique(instance)) : undefined;

/** The members or items of a value. */
type Inside = (instance: Json) => readonly (readonly [string | number, Json])[];

const membersOfValue: Inside = (instance) => (isObject(instance) ? Object.entries(instance) : []);
const itemsOfValue: Inside = (instance) => (isArray(instance) ? Array.from(instance.entries()) : []);

/** A rule for what no other rule of its schema looks at. */
const unevaluated =
  (inside: Inside): Compile =>
  (value, context) => {
    const node = context.node(value, [], false);
    context.looksAtRest((instance, parts) => inside(instance).forEach(([part]) => parts.add(part)));
    return rule(context, (instance) => {
      const parts: Parts = new Set();
      context.lookedAt(instance, parts);
      return inside(instance).every(([part, one]) => parts.has(part) || node.holds(one));
    });
  };

/** The keywords, in the order in which their rules are asked: cheap ones first. */
export const KEYWORDS: readonly (readonly [string, Compile])[] = [
  ["type", type],
  ["const", constant],
  ["enum", oneOfValues],
  ["minimum", limit((comparison) => comparison >= 0)],
  ["maximum", limit((comparison) => comparison <= 0)],
  ["exclusiveMinimum", limit((comparison) => comparison > 0)],
  ["exclusiveMaximum", limit((comparison) => comparison < 0)],
  ["multipleOf", multipleOf],
  ["minLength", count(lengthOf, atLeast)],
  ["maxLength", count(lengthOf, atMost)],
  ["minItems", count(itemsOf, atLeast)],
  ["maxItems", count(itemsOf, atMost)],
  ["minProperties", count(membersOf, atLeast)],
  ["maxProperties", count(membersOf, atMost)],
  ["required", required],
  ["dependentRequired", dependentRequired],
  ["pattern", pattern],
  ["format", format],
  ["uniqueItems", uniqueItems],
  ["properties", properties],
  ["patternProperties", patternProperties],
  ["additionalProperties", additionalProperties],
  ["propertyNames", propertyNames],
  ["items", items],
  ["prefixItems", prefixItems],
  ["contains", contains],
  ["dependencies", dependencies],
  ["dependentSchemas", dependentSchemas],
  ["allOf", allOf],
  ["anyOf", anyOf],
  ["oneOf", oneOf],
  ["not", not],
  ["if", condition],
  ["$ref", reference],
  ["$dynamicRef", reference],
  ["unevaluatedProperties", unevaluated(membersOfValue)],
  ["unevaluatedItems", unevaluated(itemsOfValue)],
];
