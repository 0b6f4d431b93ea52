/** What the formats read alike: dates, types, schemas, status entries, ids. All throw {@link Refusal}. */

import { compareUtf8 } from "../base/bytes.js";
import { fromDecimal } from "../base/codec.js";
import { isArray, isNumber, isObject, type Json, jsonObject, type JsonObject, member } from "../base/json.js";
import { beginning, splitOnce } from "../base/text.js";
import { parseRfc3339 } from "../base/time.js";
import { type Did, type DidUrl, isDid, isDidUrl, isLedgerDid } from "../records/did.js";
import { parseSchemaId } from "../state/accreditation.js";
import type { StatusPurpose } from "../state/status.js";
import type { TokenFormat } from "../state/tokens.js";
import type { Credential, Holder, StatusPointer } from "./credential.js";
import { asText, asU64, numberText } from "./json.js";
import type { Jws } from "./jws.js";
import { JSON_INTEGER_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";

/** Members that formats write themselves: nothing that is attested may be named like one. */
export const RESERVED: ReadonlySet<string> = new Set([
  "_sd",
  "_sd_alg",
  "...",
  "@context",
  "aud",
  "cnf",
  "credentialSchema",
  "credentialStatus",
  "exp",
  "iat",
  "id",
  "iss",
  "jti",
  "nbf",
  "nonce",
  "status",
  "sub",
  "termsOfUse",
  "types",
  "vc",
  "vct",
  "vct#integrity",
]);

/**
 * Members of the content that an SD-JWT never hides: accreditations and printed pages are checked against them, and that a
 * credential is bound to nobody must be seen.
 */
export const ALWAYS_DISCLOSED: ReadonlySet<string> = new Set(["jurisdiction", "eqfLevel", "print", "holderBinding"]);

/** Types that every credential has. */
const GENERAL_TYPES: ReadonlySet<string> = new Set(["VerifiableCredential", "VerifiableAttestation"]);
/** Kinds of schemas, as formats have named them over the years. */
const SCHEMA_TYPES: ReadonlySet<string> = new Set(["FullJsonSchemaValidator2021", "JsonSchema", "JsonSchemaValidator2018"]);
/** Types of status entries, by the lists that they point to. */
const STATUS_TYPES: ReadonlyMap<string, TokenFormat> = new Map([
  ["StatusList2021Entry", "statuslist2021"],
  ["BitstringStatusListEntry", "bitstring"],
]);
/** Types, schemas, status entries: more than any credential has. */
const ENTRIES_MAX = 32;
/** Characters of a text that an error repeats. */
const CHARS_SHOWN = 80;

/** Takes a member that must be text, if it is there. */
export function text(claims: JsonObject, name: string): string | undefined {
  const value = claims[name];
  if (value === undefined || typeof value === "string") return value;
  throw Refusal.malformed(`${name} is not text`);
}

/** Takes a member that must be text and there. */
export function requiredText(claims: JsonObject, name: string, shownAs: string = name): string {
  const value = text(claims, name);
  if (value === undefined) throw Refusal.incomplete(shownAs);
  return value;
}

/** Takes a time in seconds, if it is there. A fraction is cut off, as RFC 7519 allows one. */
export function seconds(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  const whole = asU64(value) ?? wholeOf(value);
  if (whole === undefined || whole > BigInt(JSON_INTEGER_MAX)) {
    throw Refusal.malformed(`${name} is not a time in seconds since 1970`);
  }
  return Number(whole);
}

/** What stands before the point of a number that has one. */
function wholeOf(value: Json): bigint | undefined {
  const parts = isNumber(value) ? splitOnce(numberText(value), ".") : undefined;
  return parts !== undefined && /^[0-9]*$/.test(parts[1]) ? fromDecimal(parts[0]) : undefined;
}

/** Takes a date of RFC 3339, if it is there. */
export function date(credential: JsonObject, name: string): number | undefined {
  const value = text(credential, name);
  if (value === undefined) return undefined;
  const time = parseRfc3339(value);
  if (time === undefined) throw Refusal.malformed(`${name} is not a date and time of RFC 3339`);
  return time;
}

/** Two spellings of one thing, where both are there. */
export function agree<T extends string | number>(one: T | undefined, other: T | undefined, names: string): void {
  if (one !== undefined && other !== undefined && one !== other) throw Refusal.malformed(`${names} differ`);
}

/** One thing or a list of them. Order means nothing. */
export function oneOrMany(claims: JsonObject, name: string): readonly Json[] {
  const value = claims[name];
  const entries = value === undefined ? [] : isArray(value) ? value : [value];
  if (entries.length > ENTRIES_MAX) throw Refusal.malformed(`${name} has more than ${ENTRIES_MAX} entries`);
  return entries;
}

/** The issuer. Whoever is no DID, no ledger of this kind knows. */
export function issuer(value: string): Did {
  if (!isDid(value)) throw Refusal.foreignIssuer(shown(value));
  return value;
}

/** The key: a DID URL, or a fragment of the issuer's document. */
export function kid(header: JsonObject, of: Did): DidUrl {
  const value = requiredText(header, "kid");
  const absolute = value.startsWith("#") ? of + value : value;
  if (!isDidUrl(absolute)) throw Refusal.keyUnknown(shown(value));
  return absolute;
}

/** The types that say what is attested; all must be text. */
export function types(entries: readonly Json[]): Set<string> {
  const found = new Set<string>();
  for (const entry of entries) {
    const name = asText(entry);
    if (name === undefined) throw Refusal.malformed("a type is not text");
    if (!GENERAL_TYPES.has(name)) found.add(name);
  }
  return found;
}

/** The schemas, by their ids. All of them must be of this kind of ledger when the issuer is. */
export function schemas(claims: JsonObject, of: Did): string[] {
  const found: string[] = [];
  for (const entry of oneOrMany(claims, "credentialSchema")) {
    const id = asText(member(entry, "id"));
    if (id === undefined) throw Refusal.incomplete("credentialSchema.id");
    const known = SCHEMA_TYPES.has(asText(member(entry, "type")) ?? "");
    const schema = known ? parseSchemaId(id) : undefined;
    if (schema !== undefined) found.push(schema);
    else if (isLedgerDid(of)) throw Refusal.schemaUnknown(shown(id));
  }
  complete(found.length > 0, of, "credentialSchema");
  return found;
}

/** What every credential of a ledger must have. Others end at their issuer anyway, and are not said to be wrong. */
export function complete(isThere: boolean, of: Did, name: string): void {
  if (!isThere && isLedgerDid(of)) throw Refusal.incomplete(name);
}

/** The status entries of a W3C credential. */
export function status(credential: JsonObject): StatusPointer[] {
  return oneOrMany(credential, "credentialStatus").map(statusEntry);
}

function statusEntry(entry: Json): StatusPointer {
  if (!isObject(entry)) throw Refusal.malformed("credentialStatus is not an object");
  const name = requiredText(entry, "type", "credentialStatus.type");
  const format = STATUS_TYPES.get(name);
  if (format === undefined) throw Refusal.statusUnknown(shown(name));
  const url = requiredText(entry, "statusListCredential");
  const purpose = requiredText(entry, "statusPurpose");
  if (!isPurpose(purpose)) throw Refusal.statusUnknown(shown(purpose));
  const written = entry["statusListIndex"];
  if (written === undefined) throw Refusal.incomplete("statusListIndex");
  const index = typeof written === "string" ? fromDecimal(written) : asU64(written);
  if (index === undefined) throw Refusal.malformed("statusListIndex is not a number");
  return { format, url, index, purpose };
}

/** Whether a text is what a set bit of a list of the ledger can mean. */
export function isPurpose(purpose: string | undefined): purpose is StatusPurpose {
  return purpose === "revocation" || purpose === "suspension";
}

/** Whom a credential is about. */
export interface Subject {
  /** The subject's id, if it has one. */
  readonly id: string | undefined;
  /** What is attested. */
  readonly attested: JsonObject;
}

/** Takes the subject apart: its id, and what is attested of it. */
export function subject(credential: JsonObject): Subject {
  const whole = oneSubject(credential["credentialSubject"]);
  const { id } = whole;
  if (id !== undefined && typeof id !== "string") throw Refusal.malformed("the subject's id is not text");
  return { id, attested: without(whole, (name) => name === "id") };
}

function oneSubject(value: Json | undefined): JsonObject {
  if (value === undefined) throw Refusal.incomplete("credentialSubject");
  if (isObject(value)) return value;
  if (!isArray(value)) throw Refusal.malformed("credentialSubject is not an object");
  const [only] = value;
  if (value.length !== 1 || !isObject(only)) throw Refusal.unknownFormat("a credential of several subjects");
  return only;
}

/** An object without some of its members. */
export function without(object: JsonObject, isLeftOut: (name: string) => boolean): JsonObject {
  return jsonObject(Object.fromEntries(Object.entries(object).filter(([name]) => !isLeftOut(name))));
}

/** Whose key the subject's id is, if it is a DID and not said to be nobody's. */
export function holder(id: string | undefined, attested: JsonObject): Holder {
  const isNobodys = attested["holderBinding"] === "none";
  return id === undefined || isNobodys || !isDid(id) ? { kind: "unbound" } : { kind: "did", did: id };
}

/** What was read of a credential; what is not there is none. */
export interface Read {
  format: Credential["format"];
  id: string | undefined;
  issuer: Did;
  kid: DidUrl;
  types: Iterable<string>;
  schemas: readonly string[];
  subjectId: string | undefined;
  subject: JsonObject;
  undisclosed: number;
  holder: Holder;
  validFrom: number | undefined;
  validUntil: number | undefined;
  status: readonly StatusPointer[];
  jws: Jws;
}

/** A credential of what was read. */
export function credential(read: Read): Credential {
  const { id, types: names, subjectId, validFrom, validUntil, ...rest } = read;
  return {
    ...rest,
    types: [...names].sort(compareUtf8),
    ...(id === undefined ? {} : { id }),
    ...(subjectId === undefined ? {} : { subjectId }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validUntil === undefined ? {} : { validUntil }),
  };
}

/** The earliest of some times, of those that are there. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const there = times.filter((time) => time !== undefined);
  return there.length === 0 ? undefined : Math.min(...there);
}

/** The latest of some times, of those that are there. */
export function latest(...times: readonly (number | undefined)[]): number | undefined {
  const there = times.filter((time) => time !== undefined);
  return there.length === 0 ? undefined : Math.max(...there);
}

/** The beginning of a text that somebody else wrote. */
export function shown(value: string): string {
  return beginning(value, CHARS_SHOWN);
}
