/**
 * The compact credential of a QR code and a share link: an SD-JWT VC without disclosures, in short members.
 *
 * | member | stands for | | member | stands for |
 * | --- | --- | --- | --- | --- |
 * | `sc` | `credentialSchema`: base64url of the schema's id | | `ti` | `title`: an object of language → text |
 * | `ty` | `types`, without the `EqfLevelN` that `eq` gives | | `aw` | `awardingDate` |
 * | `st` | status: `[list, index]`, a list of the issuer's on its ledger | | `cn` | `certificateNumber` |
 * | `gn` | `givenName` | | `xd` | `expiryDate` |
 * | `fn` | `familyName` | | `cl` | `classes` |
 * | `bd` | `dateOfBirth` | | `ec` | `ects` |
 * | `eq` | `eqfLevel`, and the type `EqfLevelN` | | `is` | `iscedF` |
 * | `ju` | `jurisdiction`, without its URI's beginning | | `pl` | `place` |
 */

import { fromBase64url, hex } from "../base/bytes.js";
import { isArray, isObject, type Json, type JsonObject, jsonObject } from "../base/json.js";
import { type Did, didOf, isDidUrl } from "../records/did.js";
import { isReference } from "../records/names.js";
import { tokenPath } from "../state/tokens.js";
import * as claims from "./claims.js";
import type { Credential, StatusPointer } from "./credential.js";
import { asU64, keysOf } from "./json.js";
import type { Jws } from "./jws.js";
import { Refusal } from "./refusal.js";

/** The `vct` by which it is told. */
export const COMPACT_VCT = "urn:testamur:compact:1";
/** What a jurisdiction's URI begins with: the EU's authority list of administrative territorial units. */
const JURISDICTIONS = "https://publications.europa.eu/resource/authority/atu/";
/** The type that a level of the European Qualifications Framework is. */
export const EQF_TYPE = "EqfLevel";

/** Short and long names of members that are taken as they are. */
const NAMES = {
  gn: "givenName",
  fn: "familyName",
  bd: "dateOfBirth",
  aw: "awardingDate",
  cn: "certificateNumber",
  xd: "expiryDate",
  cl: "classes",
  ec: "ects",
  is: "iscedF",
  pl: "place",
};

/**
 * Reads one: the signed part, and what follows it, which may only be a `~`: the last character of a link is easily lost. Throws
 * {@link Refusal}.
 */
export function readCompact(jws: Jws, rest: string | undefined): Credential {
  const { payload } = jws;
  if ((rest !== undefined && rest !== "") || "_sd" in payload) {
    throw Refusal.disclosure("a compact credential has no disclosures");
  }
  const kid = claims.requiredText(jws.header, "kid");
  if (!isDidUrl(kid)) throw Refusal.keyUnknown(claims.shown(kid));
  const named = claims.text(payload, "iss");
  const issuer = named === undefined ? didOf(kid) : claims.issuer(named);
  const schema = schemaOf(claims.requiredText(payload, "sc"));
  const types = claims.types(claims.oneOrMany(payload, "ty"));
  const level = levelOf(payload, types);
  if (types.size === 0) throw Refusal.incomplete("ty");
  const jurisdiction = jurisdictionOf(payload);
  const title = titleOf(payload);
  const plain = Object.entries(NAMES).map(([short, long]) => [long, payload[short]] as const);
  const status = statusOf(payload, issuer);
  const [validFrom, validUntil] = [claims.seconds(payload, "nbf"), claims.seconds(payload, "exp")];
  return claims.credential({
    format: "compact",
    id: undefined,
    issuer,
    kid,
    types,
    schemas: [schema],
    subjectId: undefined,
    subject: jsonObject({ ...Object.fromEntries(plain), eqfLevel: level, jurisdiction, title }),
    undisclosed: 0,
    holder: { kind: "unbound" },
    validFrom,
    validUntil,
    status,
    jws,
  });
}

function schemaOf(id: string): string {
  const bytes = fromBase64url(id);
  if (bytes?.length !== 32) throw Refusal.schemaUnknown(claims.shown(id));
  return hex(bytes);
}

/** The level; where a type stands for it, it is added to the types. */
function levelOf(payload: JsonObject, types: Set<string>): Json | undefined {
  const { eq, eqfLevel } = payload;
  if (eq === undefined) return eqfLevel;
  if (eqfLevel !== undefined) throw Refusal.malformed("eq and eqfLevel stand beside each other");
  const number = asU64(eq);
  if (number === undefined) throw Refusal.malformed("eq is not a number");
  types.add(`${EQF_TYPE}${number}`);
  return eq;
}

function jurisdictionOf(payload: JsonObject): string | undefined {
  const code = claims.text(payload, "ju");
  return code === undefined || code.includes(":") ? code : JURISDICTIONS + code;
}

/** The titles, as all other formats have them. */
function titleOf(payload: JsonObject): Json | undefined {
  const title = payload["ti"];
  if (title === undefined) return undefined;
  if (!isObject(title)) throw Refusal.malformed("ti is not an object");
  return keysOf(title).map((language) => jsonObject({ language, text: title[language] }));
}

/** The entry in a list of the issuer's on its ledger. The URL is its path alone: the network says what stands before it. */
function statusOf(payload: JsonObject, issuer: Did): StatusPointer[] {
  const entry = payload["st"];
  if (entry === undefined) return [];
  const [list, written] = isArray(entry) && entry.length === 2 ? entry : [];
  if (typeof list !== "string") throw Refusal.malformed("st is not a list and an index");
  if (!isReference(list)) throw Refusal.malformed("st names no list");
  const index = asU64(written);
  if (index === undefined) throw Refusal.malformed("st has no index");
  return [{ format: "token", url: tokenPath("token", issuer, list), index }];
}
