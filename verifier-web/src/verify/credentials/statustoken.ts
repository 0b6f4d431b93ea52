/**
 * Status list tokens of other servers: read, bounded, in the three formats.
 *
 * The lists of the ledger need none of this: their bits are proven by the state. A token from elsewhere is worth what its issuer's
 * signature is, and no fresher than it says itself.
 *
 * | | header `typ` | entries | most significant bit |
 * | --- | --- | --- | --- |
 * | `statuslist2021` | `JWT` | base64 of gzip, 1 bit each | first |
 * | `bitstring` | `vc+jwt` | `u` and base64url of gzip, 1 bit each | first |
 * | `token` | `statuslist+jwt` | base64url of zlib, 1, 2, 4 or 8 bits each | last |
 *
 * Nothing unpacks to more than `LIST_BYTES_MAX`, whatever the token says.
 */

import { fromBase64url, utf8 } from "../base/bytes.js";
import type { JsonObject } from "../base/json.js";
import { algorithmNamed, type JwsAlgorithm, KeyError, type PublicKey } from "../base/keys.js";
import { trimAscii, utf8Length } from "../base/text.js";
import type { StatusPurpose } from "../state/status.js";
import { type TokenFormat, tokenTyp } from "../state/tokens.js";
import { asText, readObject } from "./json.js";
import { TOKEN_BYTES_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";
import { type ListClaims, READERS, TokenFault } from "./tokenclaims.js";

export { TokenFault } from "./tokenclaims.js";

/** An entry of a Token Status List that says "withdrawn for good". */
export const INVALID = 1;
/** An entry of a Token Status List that says "not to be relied upon for now". */
export const SUSPENDED = 2;

/** A status list token, read. Its signature is not verified yet. */
export class Token {
  /** Its format. */
  readonly format: TokenFormat;
  /** The URL that it says to be found at. */
  readonly url: string;
  /** Who says to have issued it; a Token Status List need not say. */
  readonly issuer: string | undefined;
  /** The key it says to be signed with. */
  readonly kid: string | undefined;
  /** When it was issued: any integer of 64 bits. */
  readonly issued: bigint;
  /** Before this second: any integer of 64 bits. */
  readonly expires: bigint | undefined;
  /** What a set bit means; a Token Status List says it in each entry. */
  readonly purpose: StatusPurpose | undefined;
  /** Bits of an entry: 1, 2, 4 or 8. */
  readonly width: number;
  private readonly bytes: Uint8Array;

  private constructor(
    format: TokenFormat,
    claims: ListClaims,
    header: JsonObject,
    private readonly alg: JwsAlgorithm,
    private readonly signingInput: string,
    private readonly signature: Uint8Array,
  ) {
    this.format = format;
    this.url = claims.url;
    this.issuer = claims.issuer;
    this.kid = asText(header["kid"]);
    this.issued = claims.issued;
    this.expires = claims.expires;
    this.purpose = claims.purpose;
    this.width = claims.width;
    this.bytes = claims.bytes;
  }

  /** Reads a token of a format. Throws {@link TokenFault} and nothing else. */
  static parse(format: TokenFormat, given: string): Token {
    if (utf8Length(given) > TOKEN_BYTES_MAX) throw TokenFault.tooLarge();
    const text = trimAscii(given);
    const [end, middle] = [text.lastIndexOf("."), text.indexOf(".")];
    if (end < 0 || middle === end) throw notJws();
    const signingInput = text.slice(0, end);
    const header = objectOf(signingInput.slice(0, middle));
    const payload = objectOf(signingInput.slice(middle + 1));
    if ("crit" in header || "b64" in header) throw TokenFault.malformed("crit and b64 are not understood");
    const alg = algorithmNamed(asText(header["alg"]) ?? "");
    if (alg === undefined) throw TokenFault.malformed("use ES256, ES384, ES256K or EdDSA");
    const typ = tokenTyp(format);
    if (header["typ"] !== typ) throw TokenFault.malformed(`typ is not ${typ}`);
    const claims = READERS[format](payload);
    const signature = fromBase64url(text.slice(end + 1));
    if (signature === undefined) throw notJws();
    return new Token(format, claims, header, alg, signingInput, signature);
  }

  /** Number of entries. */
  get size(): number {
    return Math.floor((this.bytes.length * 8) / this.width);
  }

  /** The value of an entry; none beyond the end. */
  get(index: bigint): number | undefined {
    if (index < 0n || index >= BigInt(this.size)) return undefined;
    const bit = Number(index) * this.width;
    const byte = this.bytes[Math.floor(bit / 8)];
    if (byte === undefined) return undefined;
    const offset = this.format === "token" ? bit % 8 : 8 - this.width - (bit % 8);
    return (byte >> offset) & (0xff >> (8 - this.width));
  }

  /** Whether a key has signed it. */
  async verifySignature(key: PublicKey): Promise<boolean> {
    try {
      await key.verify(this.alg, utf8(this.signingInput), this.signature);
      return true;
    } catch (error) {
      if (error instanceof KeyError) return false;
      throw error;
    }
  }
}

function notJws(): TokenFault {
  return TokenFault.malformed("not a compact JWS");
}

function objectOf(part: string): JsonObject {
  const bytes = fromBase64url(part);
  if (bytes === undefined) throw notJws();
  try {
    return readObject(bytes);
  } catch (error) {
    if (error instanceof Refusal) throw TokenFault.malformed(error.message);
    throw error;
  }
}
