/** What a status list token of each format claims. All throw {@link TokenFault}. */

import { fromBase64, fromBase64url } from "../base/bytes.js";
import { crc32, inflate, type Inflated, inflateZlib } from "../base/inflate.js";
import { isArray, isObject, type JsonObject, member } from "../base/json.js";
import { parseRfc3339 } from "../base/time.js";
import type { StatusPurpose } from "../state/status.js";
import type { TokenFormat } from "../state/tokens.js";
import { isPurpose } from "./claims.js";
import { asText, asU64 } from "./json.js";
import { LIST_BYTES_MAX } from "./limits.js";

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Why a token is refused: it is none of that format, or unpacks to more than is read. */
export class TokenFault extends Error {
  /** Which of both. */
  readonly kind: "malformed" | "too-large";

  private constructor(kind: "malformed" | "too-large", message: string) {
    super(message);
    this.name = "TokenFault";
    this.kind = kind;
  }

  /** Not a token of that format. */
  static malformed(what: string): TokenFault {
    return new TokenFault("malformed", what);
  }

  /** It unpacks to more than is read. */
  static tooLarge(): TokenFault {
    return new TokenFault("too-large", "the list is larger than anything that is read here");
  }
}

/** What a payload says of its list. */
export interface ListClaims {
  /** Where the list is found. */
  readonly url: string;
  /** Whose it is. */
  readonly issuer: string | undefined;
  /** When it was issued. */
  readonly issued: bigint;
  /** Before this second. */
  readonly expires: bigint | undefined;
  /** What a set bit means. */
  readonly purpose: StatusPurpose | undefined;
  /** Bits of an entry. */
  readonly width: number;
  /** The entries. */
  readonly bytes: Uint8Array;
}

/** How a payload of each format is read. */
export const READERS: { readonly [format in TokenFormat]: (payload: JsonObject) => ListClaims } = {
  statuslist2021: readStatusList2021,
  bitstring: readBitstring,
  token: readTokenStatusList,
};

/** W3C StatusList2021 in a VCDM 1.1 JWT, as EBSI has it. */
function readStatusList2021(payload: JsonObject): ListClaims {
  const vc = object(payload, "vc");
  const subject = object(vc, "credentialSubject");
  if (!hasType(vc, "StatusList2021Credential") || !hasType(subject, "StatusList2021")) {
    throw TokenFault.malformed("not a StatusList2021 credential");
  }
  const url = requiredText(vc, "id");
  const [jti, issuer] = [asText(payload["jti"]), issuerOf(vc)];
  if ((jti !== undefined && jti !== url) || issuer !== asText(payload["iss"])) {
    throw TokenFault.malformed("the claims of the JWT and the credential differ");
  }
  // The JWT's and the credential's dates say the same of one that is made by the rules; the narrowest holds otherwise.
  const begins = [numericDate(payload, "nbf"), numericDate(payload, "iat"), date(vc, "validFrom"), date(vc, "issuanceDate")];
  const ends = [numericDate(payload, "exp"), date(vc, "expirationDate"), date(vc, "validUntil")];
  const encoded = asText(subject["encodedList"]);
  const packed = encoded === undefined ? undefined : (fromBase64(encoded) ?? fromBase64url(encoded));
  if (packed === undefined) throw TokenFault.malformed("encodedList is not base64");
  const issued = latest(begins);
  if (issued === undefined) throw TokenFault.malformed("it does not say when it was issued");
  return { url, issuer, issued, expires: earliest(ends), purpose: purposeOf(subject), width: 1, bytes: gunzip(packed) };
}

/** W3C Bitstring Status List v1.0, as `vc+jwt`. */
function readBitstring(payload: JsonObject): ListClaims {
  const subject = object(payload, "credentialSubject");
  if (!hasType(payload, "BitstringStatusListCredential") || !hasType(subject, "BitstringStatusList")) {
    throw TokenFault.malformed("not a Bitstring Status List credential");
  }
  const url = requiredText(payload, "id");
  const issued = date(payload, "validFrom");
  if (issued === undefined) throw TokenFault.malformed("validFrom is missing");
  const encoded = asText(subject["encodedList"]);
  const packed = encoded?.startsWith("u") === true ? fromBase64url(encoded.slice(1)) : undefined;
  if (packed === undefined) throw TokenFault.malformed("encodedList is not u and base64url");
  const ttl = subject["ttl"];
  const ttlMs = asU64(ttl);
  if (ttl !== undefined && ttlMs === undefined) throw TokenFault.malformed("ttl is no number of milliseconds");
  // `ttl` counts milliseconds from when the list was made.
  const stale = ttlMs === undefined ? undefined : issued + ttlMs / 1_000n;
  return {
    url,
    issuer: issuerOf(payload),
    issued,
    expires: earliest([date(payload, "validUntil"), numericDate(payload, "exp"), stale]),
    purpose: purposeOf(subject),
    width: 1,
    bytes: gunzip(packed),
  };
}

/** IETF Token Status List, as JWT. */
function readTokenStatusList(payload: JsonObject): ListClaims {
  const url = requiredText(payload, "sub");
  const issued = numericDate(payload, "iat");
  if (issued === undefined) throw TokenFault.malformed("iat is missing");
  const ttl = payload["ttl"];
  const ttlS = asU64(ttl);
  if (ttl !== undefined && (ttlS === undefined || ttlS === 0n)) {
    throw TokenFault.malformed("ttl is no positive number of seconds");
  }
  const list = object(payload, "status_list");
  const encoded = asText(list["lst"]);
  const packed = encoded === undefined ? undefined : fromBase64url(encoded);
  const stale = ttlS === undefined ? undefined : least(issued + ttlS, U64_MAX);
  const expires = earliest([numericDate(payload, "exp"), stale]);
  const width = Number(asU64(list["bits"]) ?? 0n);
  if (![1, 2, 4, 8].includes(width)) throw TokenFault.malformed("bits is not 1, 2, 4 or 8");
  if (packed === undefined) throw TokenFault.malformed("lst is not base64url");
  const bytes = unpacked(inflateZlib(packed, LIST_BYTES_MAX));
  return { url, issuer: asText(payload["iss"]), issued, expires, purpose: undefined, width, bytes };
}

/** A NumericDate (RFC 7519 §2): seconds, here whole ones. */
function numericDate(claims: JsonObject, name: string): bigint | undefined {
  const value = claims[name];
  const time = asU64(value);
  if (value !== undefined && time === undefined) throw TokenFault.malformed(`${name} is no date`);
  return time;
}

/** An RFC 3339 date. */
function date(claims: JsonObject, name: string): bigint | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  const time = parseRfc3339(asText(value) ?? "");
  if (time === undefined) throw TokenFault.malformed(`${name} is no date`);
  return BigInt(time);
}

/** The one purpose of a W3C list. */
function purposeOf(subject: JsonObject): StatusPurpose {
  const written = subject["statusPurpose"];
  const name = asText(isArray(written) && written.length === 1 ? written[0] : written);
  if (!isPurpose(name)) throw TokenFault.malformed("statusPurpose is neither revocation nor suspension");
  return name;
}

/** An issuer as text, or as an object with an id. */
function issuerOf(credential: JsonObject): string | undefined {
  const { issuer } = credential;
  return asText(issuer) ?? asText(member(issuer, "id"));
}

function object(claims: JsonObject, name: string): JsonObject {
  const value = claims[name];
  if (!isObject(value)) throw TokenFault.malformed(`${name} is no object`);
  return value;
}

function requiredText(claims: JsonObject, name: string): string {
  const value = asText(claims[name]);
  if (value === undefined) throw TokenFault.malformed(`${name} is missing`);
  return value;
}

function hasType(credential: JsonObject, wanted: string): boolean {
  const { type } = credential;
  return isArray(type) ? type.includes(wanted) : type === wanted;
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function earliest(times: readonly (bigint | undefined)[]): bigint | undefined {
  return times.reduce((one, other) => (one !== undefined && (other === undefined || one < other) ? one : other), undefined);
}

function latest(times: readonly (bigint | undefined)[]): bigint | undefined {
  return times.reduce((one, other) => (one !== undefined && (other === undefined || one > other) ? one : other), undefined);
}

/** Magic, method "deflate" and no flags: what packs bytes in memory has no file name, comment or extra field to note. */
const GZIP_START = [0x1f, 0x8b, 8, 0];
const [GZIP_HEADER_BYTES, GZIP_TRAILER_BYTES] = [10, 8];

/** Unpacks gzip (RFC 1952). */
function gunzip(stream: Uint8Array): Uint8Array {
  const end = stream.length - GZIP_TRAILER_BYTES;
  if (end < GZIP_HEADER_BYTES || GZIP_START.some((byte, at) => stream[at] !== byte)) throw notGzip();
  const trailer = new DataView(stream.buffer, stream.byteOffset + end, GZIP_TRAILER_BYTES);
  const bytes = unpacked(inflate(stream.subarray(GZIP_HEADER_BYTES, end), LIST_BYTES_MAX));
  // The cap is far below 4 GiB, so the length is the whole length.
  if (bytes.length !== trailer.getUint32(4, true) || crc32(bytes) !== trailer.getUint32(0, true)) throw notGzip();
  return bytes;
}

function notGzip(): TokenFault {
  return TokenFault.malformed("the list is not gzip");
}

function unpacked(found: Inflated): Uint8Array {
  if (found === "too-large") throw TokenFault.tooLarge();
  if (found === "damaged") throw TokenFault.malformed("the list does not unpack");
  return found;
}
