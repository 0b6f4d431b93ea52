/**
 * The disclosures of an SD-JWT (RFC 9901 §4.2, §7.1), put back where their digests stand.
 *
 * Each disclosure belongs to exactly one digest of the signed payload or of another disclosure that does, and no digest stands
 * twice; so a field cannot be added, moved or shown in two ways. A disclosure overwrites nothing, and gives nothing that says who
 * issued the credential, when it holds, what kind it is or where it is withdrawn.
 */

import { base64url, fromBase64url, utf8 } from "../base/bytes.js";
import { sha256 } from "../base/hash.js";
import { isArray, isObject, type Json, type JsonObject } from "../base/json.js";
import { ALWAYS_DISCLOSED, RESERVED } from "./claims.js";
import { keysOf, readValue } from "./json.js";
import { CREDENTIAL_DEPTH_MAX, DISCLOSURES_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";

/** The only digest algorithm; also what is meant when none is named. */
const DIGEST_ALGORITHM = "sha-256";

/** A payload with its disclosures in place. */
export interface Disclosed {
  /** The claims. */
  readonly claims: JsonObject;
  /** Digests that no disclosure was given for: fields kept back, or decoys. */
  readonly undisclosed: number;
  /** For each disclosure, the claim that it is part of. */
  readonly partsOf: readonly string[];
}

/** Puts disclosures in place. Throws {@link Refusal}. */
export function applyDisclosures(payload: JsonObject, disclosures: readonly string[]): Disclosed {
  if (disclosures.length > DISCLOSURES_MAX) throw Refusal.disclosure("more disclosures than are read");
  const algorithm = payload["_sd_alg"];
  if (algorithm !== undefined && algorithm !== DIGEST_ALGORITHM) {
    throw Refusal.unknownFormat("an SD-JWT with another digest than SHA-256");
  }
  const given = new Map<string, Given>();
  disclosures.forEach((disclosure, index) => {
    const digest = base64url(sha256(utf8(disclosure)));
    const parts = decode(disclosure);
    if (given.has(digest)) throw Refusal.disclosure("a disclosure stands twice");
    given.set(digest, { index, parts });
  });
  const placing = new Placing(given, disclosures.length);
  const claims = placing.object(payload, undefined, 0);
  if (given.size > 0) throw Refusal.disclosure("a disclosed field does not belong to the credential");
  return { claims, undisclosed: placing.undisclosed, partsOf: placing.partsOf };
}

/** A disclosure that is not placed yet: where it stood among all, and salt, a member's name, and the value. */
interface Given {
  readonly index: number;
  readonly parts: readonly Json[];
}

/** Salt and, for a member, its name, and the value. */
function decode(disclosure: string): readonly Json[] {
  const bytes = fromBase64url(disclosure);
  if (bytes === undefined) throw Refusal.disclosure("a disclosure is not base64url");
  const parts = readParts(bytes);
  if (!isArray(parts)) throw Refusal.disclosure("a disclosure is not a JSON array");
  const texts = parts.slice(0, -1);
  if (texts.length < 1 || texts.length > 2 || !texts.every((part) => typeof part === "string")) {
    throw Refusal.disclosure("a disclosure is not salt, name and value");
  }
  return parts;
}

function readParts(bytes: Uint8Array): Json | undefined {
  try {
    return readValue(bytes);
  } catch (error) {
    if (error instanceof Refusal && error.kind !== "duplicate-member") return undefined;
    throw error;
  }
}

class Placing {
  /** For each disclosure, the claim that it is part of. */
  readonly partsOf: string[];
  /** Digests that nothing was given for. */
  undisclosed = 0;
  private readonly given: Map<string, Given>;
  /** Digests met so far. */
  private readonly seen = new Set<string>();

  constructor(given: Map<string, Given>, count: number) {
    this.given = given;
    this.partsOf = new Array<string>(count).fill("");
  }

  object(object: JsonObject, partOf: string | undefined, depth: number): JsonObject {
    const placed: { [name: string]: Json } = Object.create(null) as { [name: string]: Json };
    for (const name of keysOf(object)) {
      if (name === "_sd" || (name === "_sd_alg" && depth === 0)) continue;
      if (name === "...") throw Refusal.disclosure("a digest of an array element stands in an object");
      placed[name] = this.value(object[name] ?? null, partOf ?? name, depth + 1);
    }
    const digests = object["_sd"];
    if (digests === undefined) return placed;
    if (!isArray(digests)) throw Refusal.disclosure("_sd is not a list of digests");
    for (const digest of digests) {
      const found = this.take(digest);
      if (found === undefined) continue;
      const [, name, value] = found.parts;
      if (typeof name !== "string" || value === undefined) {
        throw Refusal.disclosure("an array element is disclosed as a member");
      }
      const signedOnly = depth === 0 && (RESERVED.has(name) || ALWAYS_DISCLOSED.has(name));
      if (name === "_sd" || name === "..." || signedOnly) {
        throw Refusal.disclosure("a disclosure gives what must be signed in the open");
      }
      if (name in placed) throw Refusal.disclosure("a disclosure overwrites a field");
      this.partsOf[found.index] = partOf ?? name;
      placed[name] = this.value(value, partOf ?? name, depth + 1);
    }
    return placed;
  }

  private value(value: Json, partOf: string, depth: number): Json {
    if (depth > CREDENTIAL_DEPTH_MAX) throw Refusal.disclosure("disclosures are nested deeper than a credential is");
    if (isObject(value)) return this.object(value, partOf, depth);
    return isArray(value) ? this.array(value, partOf, depth) : value;
  }

  private array(elements: readonly Json[], partOf: string, depth: number): Json[] {
    const placed: Json[] = [];
    for (const element of elements) {
      const digest = isObject(element) ? element["..."] : undefined;
      if (digest === undefined) {
        placed.push(this.value(element, partOf, depth + 1));
        continue;
      }
      if (isObject(element) && Object.keys(element).length !== 1) {
        throw Refusal.disclosure("beside the digest of an array element stands more");
      }
      const found = this.take(digest);
      if (found === undefined) continue;
      const [, value, more] = found.parts;
      if (value === undefined || more !== undefined) {
        throw Refusal.disclosure("a member is disclosed as an array element");
      }
      this.partsOf[found.index] = partOf;
      placed.push(this.value(value, partOf, depth + 1));
    }
    return placed;
  }

  /** The disclosure of a digest, which may be taken once. */
  private take(digest: Json): Given | undefined {
    if (typeof digest !== "string") throw Refusal.disclosure("a digest is not text");
    if (this.seen.has(digest)) throw Refusal.disclosure("a digest stands twice");
    this.seen.add(digest);
    const found = this.given.get(digest);
    this.given.delete(digest);
    if (found === undefined) this.undisclosed++;
    return found;
  }
}
