// The formats in which verifiers read a status list, derived from its bits.
//
// Each token is a compact JWS whose header and payload are RFC 8785 JSON and depend on nothing but the bits, the record's
// version of the list, its issuer, the algorithm of its key, and the `public_base` of genesis. So everybody derives the
// same bytes as the issuer signed.
//
// No token has an end (`exp`, `validUntil`, `ttl`): how fresh a list is, the state proof says. Of one version of a list,
// all three tokens set the same entries.

import { base64, base64url, hex, utf8 } from "../base/bytes.js";
import { sha256, sha256hex } from "../base/hash.js";
import { jcs, type JsonObject, jsonObject } from "../base/json.js";
import { type JwsAlgorithm, KeyError, type PublicKey } from "../base/keys.js";
import { formatRfc3339 } from "../base/time.js";
import type { Did, DidUrl } from "../records/did.js";
import { BitList, type StatusPurpose, type StatusSignatures, type StatusVersion } from "./status.js";
import { gzip, zlib } from "./stored.js";

/** The schema that EBSI's libraries know StatusList2021 credentials by (2024-01); they hold it and never fetch it. */
export const STATUS_LIST_SCHEMA = "z7DmpwC9doRxZrtQ9PBjz8qQgGWqojkGExELnrw1x8qdi";

/** A format of the list for verifiers: W3C StatusList2021, W3C Bitstring Status List v1.0, IETF Token Status List. */
export type TokenFormat = "statuslist2021" | "bitstring" | "token";

/** All formats, in the order of a record's signatures. */
export const TOKEN_FORMATS: readonly TokenFormat[] = ["statuslist2021", "bitstring", "token"];

const NAMES: Readonly<Record<TokenFormat, string>> = {
  statuslist2021: "StatusList2021 credential",
  bitstring: "Bitstring Status List credential",
  token: "Token Status List",
};

const TYPES: Readonly<Record<TokenFormat, string>> = {
  statuslist2021: "JWT",
  bitstring: "vc+jwt",
  token: "statuslist+jwt",
};

/** A format's name, for people. */
export function tokenName(format: TokenFormat): string {
  return NAMES[format];
}

/** The `typ` of a token's header. */
export function tokenTyp(format: TokenFormat): string {
  return TYPES[format];
}

/** Path of a token on any node; its id is `public_base` and this. */
export function tokenPath(format: TokenFormat, issuer: Did, list: string): string {
  switch (format) {
    case "statuslist2021":
      return `/trusted-issuers-registry/v5/issuers/${issuer}/proxies/${proxyId(issuer)}/credentials/status/${list}`;
    case "bitstring":
      return `/v1/status-lists/${issuer}/${list}/bitstring`;
    case "token":
      return `/v1/status-lists/${issuer}/${list}/token`;
  }
}

/** The id of an issuer's only proxy in EBSI's registry: there issuers serve their lists; here the ledger does. */
export function proxyId(issuer: Did): string {
  return `0x${hex(sha256(utf8("testamur/proxy/v1\n"), utf8(issuer)))}`;
}

/** The signature over a token in a record. */
export function tokenSignature(format: TokenFormat, signatures: StatusSignatures): Uint8Array {
  return { statuslist2021: signatures.statusList2021, bitstring: signatures.bitstring, token: signatures.token }[format];
}

/** What tokens are derived from, beside the bits. */
export interface TokenSource {
  /** Whose list. */
  readonly issuer: Did;
  /** The list's name. */
  readonly list: string;
  /** What a set bit means. */
  readonly purpose: StatusPurpose;
  /** When the tokens say they were issued. */
  readonly issued: number;
  /** The key they are signed with. */
  readonly kid: DidUrl;
  /** That key's algorithm. */
  readonly alg: JwsAlgorithm;
  /** `public_base` of genesis. */
  readonly publicBase: string;
}

/** The source of a published version. */
export function tokenSource(status: StatusVersion, issuer: Did, key: PublicKey, publicBase: string): TokenSource {
  const { list, purpose, issued, kid } = status;
  return { issuer, list, purpose, issued, kid, alg: key.algorithm, publicBase };
}

/** A token's id: the URL that credentials point to. */
export function tokenUrl(source: TokenSource, format: TokenFormat): string {
  return `${source.publicBase}${tokenPath(format, source.issuer, source.list)}`;
}

/** The JWS signing input of a token; none when its date lies after the year 9999. */
export function signingInput(source: TokenSource, format: TokenFormat, bits: BitList): string | undefined {
  const payload = payloadOf(source, format, bits);
  if (!payload) return undefined;
  const header = jsonObject({ alg: source.alg, kid: source.kid, typ: tokenTyp(format) });
  return `${base64url(utf8(jcs(header)))}.${base64url(utf8(jcs(payload)))}`;
}

/** A token, complete; none when its date lies after the year 9999. */
export function compactToken(
  source: TokenSource,
  format: TokenFormat,
  bits: BitList,
  signatures: StatusSignatures,
): string | undefined {
  const input = signingInput(source, format, bits);
  return input === undefined ? undefined : `${input}.${base64url(tokenSignature(format, signatures))}`;
}

function payloadOf(source: TokenSource, format: TokenFormat, bits: BitList): JsonObject | undefined {
  const id = tokenUrl(source, format);
  // That format has no purpose: an entry says itself whether it is invalid or only suspended, which takes two bits.
  if (format === "token") {
    const width = source.purpose === "revocation" ? 1 : 2;
    const lst = base64url(zlib(bits.leastSignificantFirst(width)));
    return jsonObject({ sub: id, iat: source.issued, status_list: jsonObject({ bits: width, lst }) });
  }
  const date = formatRfc3339(source.issued);
  if (date === undefined) return undefined;
  return format === "bitstring" ? bitstring(source, id, date, bits) : statusList2021(source, id, date, bits);
}

function statusList2021(source: TokenSource, id: string, date: string, bits: BitList): JsonObject {
  const vc = jsonObject({
    "@context": ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"],
    id,
    type: ["VerifiableCredential", "VerifiableAttestation", "StatusList2021Credential"],
    issuer: source.issuer,
    issuanceDate: date,
    issued: date,
    validFrom: date,
    credentialSubject: subject(source, id, "StatusList2021", base64(gzip(bits.bytes))),
    credentialSchema: jsonObject({
      id: `${source.publicBase}/trusted-schemas-registry/v3/schemas/${STATUS_LIST_SCHEMA}`,
      type: "FullJsonSchemaValidator2021",
    }),
  });
  const { issuer: iss, issued } = source;
  return jsonObject({ jti: id, sub: `${id}#list`, iss, nbf: issued, iat: issued, vc });
}

function bitstring(source: TokenSource, id: string, date: string, bits: BitList): JsonObject {
  return jsonObject({
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    id,
    type: ["VerifiableCredential", "BitstringStatusListCredential"],
    issuer: source.issuer,
    validFrom: date,
    credentialSubject: subject(source, id, "BitstringStatusList", `u${base64url(gzip(bits.bytes))}`),
  });
}

function subject(source: TokenSource, id: string, type: string, encodedList: string): JsonObject {
  return jsonObject({ id: `${id}#list`, type, statusPurpose: source.purpose, encodedList });
}

/** Why an attachment is not the one of a version, or its signatures are not the issuer's. */
export type StatusFault =
  | { readonly kind: "size" | "digest" | "date" }
  | { readonly kind: "signature"; readonly format: TokenFormat };

/**
 * Checks an attachment and the signatures over the three tokens that it gives; undefined when all is well. That the key is
 * the issuer's and may be used is the caller's to know.
 */
export async function verifyAttachment(
  status: StatusVersion,
  issuer: Did,
  publicBase: string,
  bytes: Uint8Array,
  key: PublicKey,
): Promise<StatusFault | undefined> {
  if (bytes.length !== Math.floor(status.size / 8)) return { kind: "size" };
  if (sha256hex(bytes) !== status.sha256) return { kind: "digest" };
  const bits = BitList.fromBytes(bytes, status.size);
  if (!bits) return { kind: "size" };
  const source = tokenSource(status, issuer, key, publicBase);
  for (const format of TOKEN_FORMATS) {
    const message = signingInput(source, format, bits);
    if (message === undefined) return { kind: "date" };
    try {
      await key.verify(source.alg, utf8(message), tokenSignature(format, status.signatures));
    } catch (error) {
      if (error instanceof KeyError) return { kind: "signature", format };
      throw error;
    }
  }
  return undefined;
}
