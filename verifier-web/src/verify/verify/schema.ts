/**
 * JSON Schema of Draft 2020-12, as the ledger's schemas are: one document that refers to nothing outside it, formats asserted.
 *
 * No code is made of a schema (the page forbids `eval`), patterns run on an engine whose time grows with the text, and what this
 * cannot do exactly as the Rust side does is not made ready at all: then nobody can tell, which is better than another answer.
 * That is so for an inner `$id`, and for references in a circle.
 */

import { JsonError, isArray, isObject, parse } from "../base/json.js";
import type { Json, JsonObject } from "../base/json.js";
import { keysOf } from "../credentials/json.js";
import { isSchemaForm, lenient } from "./schema-form.js";
import { KEYWORDS } from "./schema-keywords.js";
import type { Check, Fault } from "./schema-keywords.js";
import { escaped } from "./schema-values.js";

/** A schema made ready. */
export interface Schema {
  /** The first thing that is wrong with a value: where in the value, and by which rule of the schema. */
  validate(instance: Json): Fault | undefined;
}

/** This schema is not one that can be made ready. */
class NotReady extends Error {}

/**
 * Makes a schema ready; none when it is no schema, or not one that is read here exactly.
 *
 * @param undisclosed whether only what is there can be judged, so that nothing counts as missing
 */
export function compileSchema(body: string, undisclosed: boolean): Schema | undefined {
  try {
    const schema = parse(body, { duplicates: "last" });
    const root = undisclosed ? lenient(schema) : schema;
    return isSchemaForm(root) ? new Compiler(root).schema() : undefined;
  } catch (error) {
    if (error instanceof NotReady || error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Names of members and places of items. */
export type Parts = Set<string | number>;

/** What a rule looks at of a value. */
export type Looked = (instance: Json, parts: Parts) => void;

/** A schema within the document. */
export class Node {
  private readonly checks: Check[] = [];
  /** Nodes that look at the same value: a circle of them would never end. */
  readonly sameValue: Node[] = [];
  /** Which members and items of a value the rules have looked at. */
  private readonly looked: Looked[] = [];
  /** The same of rules for what no other rule looks at. */
  private readonly rest: Looked[] = [];

  /** Adds a rule. */
  add(check: Check): void {
    this.checks.push(check);
  }

  /** Adds what a rule looks at; `rest`: one for what no other rule looks at. */
  addLooked(looked: Looked, rest: boolean): void {
    (rest ? this.rest : this.looked).push(looked);
  }

  /** Adds to a set the members and items of a value that the rules look at, if nothing is wrong with the value. */
  collect(instance: Json, parts: Parts): void {
    if (this.looked.length + this.rest.length === 0 || !this.holds(instance)) return;
    this.collectOwn(instance, parts);
    for (const looked of this.rest) looked(instance, parts);
  }

  /** As {@link collect}, without rules for what no other rule looks at, and of a value with which nothing is wrong so far. */
  collectOwn(instance: Json, parts: Parts): void {
    for (const looked of this.looked) looked(instance, parts);
  }

  /** The first thing that is wrong with a value at a place. */
  fault(instance: Json, place: string): Fault | undefined {
    for (const check of this.checks) {
      const fault = check(instance, place);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** Whether nothing is wrong with a value. */
  holds(instance: Json): boolean {
    return this.fault(instance, "") === undefined;
  }
}

/** What a keyword's rule is made with. */
export interface Context {
  /** The schema that the keyword stands in. */
  readonly parent: JsonObject;
  /** Where the keyword stands in the document: a JSON pointer. */
  readonly rule: string;
  /** Makes a schema below the keyword ready, for other values or (`same`) for the same value. */
  readonly node: (schema: Json, below: readonly (string | number)[], same: boolean) => Node;
  /** Makes a schema ready that stands beside the keyword, for the same value. */
  readonly sibling: (schema: Json, keyword: string) => Node;
  /** Finds what a reference leads to. */
  readonly reference: (reference: string) => Node;
  /** Says what the rule looks at. */
  readonly looks: (looked: Looked) => void;
  /** Says what the rule looks at that is for what no other rule looks at. */
  readonly looksAtRest: (looked: Looked) => void;
  /** Adds what the other rules of the schema look at. */
  readonly lookedAt: Looked;
  /** The schema cannot be made ready. */
  readonly refuse: () => Error;
}

class Compiler {
  private readonly root: Json;
  private readonly nodes = new Map<Json, Node>();
  private readonly all: Node[] = [];

  constructor(root: Json) {
    this.root = root;
    if (hasInnerId(root, true)) throw new NotReady();
  }

  schema(): Schema {
    const root = this.node(this.root, "");
    for (const node of this.all) refuseCircle(node, new Set());
    return { validate: (instance) => root.fault(instance, "") };
  }

  /** A schema made ready, once for each place of the document. */
  private node(schema: Json, location: string): Node {
    const known = isObject(schema) ? this.nodes.get(schema) : undefined;
    if (known !== undefined) return known;
    const node = new Node();
    this.all.push(node);
    if (schema === false) node.add((_, place) => ({ place, rule: location }));
    else if (isObject(schema)) {
      this.nodes.set(schema, node);
      this.fill(node, schema, location);
    } else if (schema !== true) throw new NotReady();
    return node;
  }

  private fill(node: Node, schema: JsonObject, location: string): void {
    for (const [keyword, compile] of KEYWORDS) {
      const value = schema[keyword];
      if (value === undefined) continue;
      const made = (inner: Json, where: string, same: boolean): Node => {
        const found = this.node(inner, where);
        if (same) node.sameValue.push(found);
        return found;
      };
      const rule = `${location}/${keyword}`;
      const check = compile(value, {
        parent: schema,
        rule,
        node: (inner, path, same) => made(inner, [rule, ...path.map(escaped)].join("/"), same),
        sibling: (inner, beside) => made(inner, `${location}/${beside}`, true),
        reference: (text) => {
          const found = this.target(text);
          node.sameValue.push(found);
          return found;
        },
        looks: (looked) => node.addLooked(looked, false),
        looksAtRest: (looked) => node.addLooked(looked, true),
        lookedAt: (instance, parts) => node.collectOwn(instance, parts),
        refuse: () => new NotReady(),
      });
      if (check !== undefined) node.add(check);
    }
  }

  /** What a reference within the document leads to. */
  private target(reference: string): Node {
    if (!reference.startsWith("#")) throw new NotReady();
    const fragment = decoded(reference.slice(1));
    if (fragment !== "" && !fragment.startsWith("/")) {
      const found = anchored(this.root, fragment, "");
      if (found === undefined) throw new NotReady();
      return this.node(found.schema, found.location);
    }
    let schema: Json | undefined = this.root;
    const parts = fragment.split("/").slice(1).map(unescaped);
    for (const part of parts) {
      if (isArray(schema)) schema = /^(0|[1-9][0-9]*)$/.test(part) ? schema[Number(part)] : undefined;
      else schema = isObject(schema) ? schema[part] : undefined;
      if (schema === undefined) throw new NotReady();
    }
    // What is reached by a pointer alone was not looked at before.
    if (!isSchemaForm(schema)) throw new NotReady();
    return this.node(schema, fragment);
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    throw new NotReady();
  }
}

function unescaped(part: string): string {
  return part.replace(/~1/g, "/").replace(/~0/g, "~");
}

/** Whether a schema within the document names itself, and so turns what references below it mean. */
function hasInnerId(value: Json, isRoot: boolean): boolean {
  if (isArray(value)) return value.some((item) => hasInnerId(item, false));
  if (!isObject(value)) return false;
  if (!isRoot && typeof value["$id"] === "string") return true;
  return Object.values(value).some((member) => hasInnerId(member, false));
}

/** The schema that has an anchor. */
function anchored(value: Json, anchor: string, location: string): { schema: Json; location: string } | undefined {
  if (isObject(value) && (value["$anchor"] === anchor || value["$dynamicAnchor"] === anchor)) {
    return { schema: value, location };
  }
  const members: readonly (readonly [string | number, Json])[] = isArray(value)
    ? Array.from(value.entries())
    : isObject(value)
      ? keysOf(value).map((name) => [name, value[name] ?? null] as const)
      : [];
  for (const [name, member] of members) {
    const found = anchored(member, anchor, `${location}/${escaped(name)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Refuses schemas that refer to one another, for one value, without end. */
function refuseCircle(node: Node, above: Set<Node>, done = new Set<Node>()): void {
  if (above.has(node)) throw new NotReady();
  if (done.has(node)) return;
  above.add(node);
  for (const next of node.sameValue) refuseCircle(next, above, done);
  above.delete(node);
  done.add(node);
}

