// Decentralised identifiers (W3C DID Core 1.0 §3.1) and the did:key method. A key id of did:key is `did:key:z…#z…`.

import { base58, concat, equalBytes, fromBase58, utf8 } from "../base/bytes.js";
import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import { jcs } from "../base/json.js";
import { jwkJson, KeyError, PublicKey, readJwk, type KeyKind } from "../base/keys.js";
import { DID_CHARS_MAX } from "./limits.js";

/** A DID of a syntax that is safe to print and to put in a URL path; checked by {@link isDid}. */
export type Did = string;
/** A key id: a DID and a fragment; checked by {@link isDidUrl}. */
export type DidUrl = string;

/** Why a DID or key id was refused. */
export type DidReason = "syntax" | "unknown-method" | "bad-key" | "fragment";

const MESSAGES: { readonly [reason in DidReason]: string } = {
  syntax: `not a DID: expected did:<method>:<id> of at most ${DID_CHARS_MAX} characters`,
  "unknown-method": "unknown DID method: this network knows did:key",
  "bad-key": "not a valid did:key: expected z + base58btc of a known key type",
  fragment: "the key id's fragment must be the identifier of its did:key",
};

/** A DID or key id that was refused. */
export class DidError extends VerifyError {
  /** Why. */
  readonly reason: DidReason;

  constructor(reason: DidReason) {
    super(`did.${reason}`, MESSAGES[reason]);
    this.reason = reason;
  }
}

/** Whether a text is a DID. */
export function isDid(text: string): text is Did {
  return text.length <= DID_CHARS_MAX && /^did:[a-z0-9]+:[A-Za-z0-9._:-]*[A-Za-z0-9._-]$/.test(text);
}

/** Whether a text is a key id. */
export function isDidUrl(text: string): text is DidUrl {
  const at = text.indexOf("#");
  return (
    at >= 0 &&
    text.length <= 2 * DID_CHARS_MAX &&
    isDid(text.slice(0, at)) &&
    /^[A-Za-z0-9._-]+$/.test(text.slice(at + 1))
  );
}

/** Reads a DID. */
export const readDid: codec.Reader<Did> = codec.textWhere("a DID", isDid);
/** Reads a key id. */
export const readDidUrl: codec.Reader<DidUrl> = codec.textWhere("a key id", isDidUrl);

/** The DID before the `#`. */
export function didOf(url: DidUrl): Did {
  return url.slice(0, url.indexOf("#"));
}

/** The part after the `#`. */
export function fragmentOf(url: DidUrl): string {
  return url.slice(url.indexOf("#") + 1);
}

/** The method's name. */
export function methodOf(did: Did): string {
  return did.split(":")[1] ?? "";
}

const DID_KEY = "did:key:";

/** Whether it is a did:key, whose key is in its name. */
export function isKeyDid(did: Did): boolean {
  return did.startsWith(DID_KEY);
}

/** Whether it has the form of a ledger's own DIDs, for any method: `z` + base58btc(0x01 ‖ 16 bytes). */
export function isLedgerDid(did: Did): boolean {
  const id = did.split(":").slice(2).join(":");
  if (isKeyDid(did) || !id.startsWith("z")) return false;
  const bytes = fromBase58(id.slice(1));
  return bytes !== undefined && bytes.length === 17 && bytes[0] === 1;
}

// Multicodec, as unsigned varint: ed25519-pub, secp256k1-pub, p256-pub, p384-pub; and EBSI's jwk_jcs-pub.
const CODECS: readonly { readonly prefix: Uint8Array; readonly kind: KeyKind; readonly bytes: number }[] = [
  { prefix: Uint8Array.of(0xed, 0x01), kind: "Ed25519", bytes: 32 },
  { prefix: Uint8Array.of(0xe7, 0x01), kind: "secp256k1", bytes: 33 },
  { prefix: Uint8Array.of(0x80, 0x24), kind: "P-256", bytes: 33 },
  { prefix: Uint8Array.of(0x81, 0x24), kind: "P-384", bytes: 49 },
];
const JWK_JCS = Uint8Array.of(0xd1, 0xd6, 0x03);

function multikey(prefix: Uint8Array, body: Uint8Array): Did {
  return `${DID_KEY}z${base58(concat(prefix, body))}`;
}

/** The did:key of a key, with its own codec. */
export function didOfKey(key: PublicKey): Did {
  const codec = CODECS.find(({ kind }) => kind === key.kind);
  return multikey(codec?.prefix ?? new Uint8Array(), key.bytes);
}

/** EBSI's form of did:key for natural persons: `jwk_jcs-pub`. */
export function jwkJcsDid(key: PublicKey): Did {
  return multikey(JWK_JCS, utf8(jcs(jwkJson(key.toJwk()))));
}

/** The key that a did:key names; throws a {@link DidError}. */
export function keyOfDid(did: Did): PublicKey {
  if (!isKeyDid(did)) throw new DidError("unknown-method");
  const encoded = did.slice(DID_KEY.length);
  const bytes = encoded.startsWith("z") ? fromBase58(encoded.slice(1)) : undefined;
  if (bytes === undefined) throw new DidError("bad-key");
  try {
    return decodeMultikey(bytes);
  } catch (error) {
    if (error instanceof KeyError || error instanceof CodecError) throw new DidError("bad-key");
    throw error;
  }
}

function decodeMultikey(bytes: Uint8Array): PublicKey {
  for (const { prefix, kind, bytes: length } of CODECS) {
    if (!equalBytes(bytes.subarray(0, prefix.length), prefix)) continue;
    const body = bytes.subarray(prefix.length);
    // Compressed points only: one spelling a key. Their length tells them from the others.
    if (body.length !== length) throw new DidError("bad-key");
    return kind === "Ed25519" ? PublicKey.ed25519(body) : PublicKey.ec(kind, body);
  }
  if (!equalBytes(bytes.subarray(0, JWK_JCS.length), JWK_JCS)) throw new DidError("bad-key");
  return PublicKey.fromJwk(codec.fromCanonical(bytes.subarray(JWK_JCS.length), readJwk));
}

/** The key id of a did:key; undefined for other methods. */
export function keyIdOfDid(did: Did): DidUrl | undefined {
  return isKeyDid(did) ? `${did}#${did.slice(DID_KEY.length)}` : undefined;
}

/** The key that a key id of a did:key names; throws a {@link DidError}. */
export function keyOfKeyId(kid: DidUrl): PublicKey {
  const did = didOf(kid);
  const key = keyOfDid(did);
  if (did.slice(DID_KEY.length) !== fragmentOf(kid)) throw new DidError("fragment");
  return key;
}
