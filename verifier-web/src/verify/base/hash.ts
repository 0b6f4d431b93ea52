import { sha256 as hash256, sha384 as hash384, sha512 as hash512 } from "@noble/hashes/sha2.js";

import { hex } from "./bytes.js";

function over(create: typeof hash256.create | typeof hash384.create, parts: readonly Uint8Array[]): Uint8Array {
  const hasher = create();
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/** SHA-256 of the concatenated parts. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return over(hash256.create, parts);
}

/** SHA-256 of the concatenated parts, in lower-case hexadecimal: how hashes are compared here. */
export function sha256hex(...parts: readonly Uint8Array[]): string {
  return hex(sha256(...parts));
}

/** SHA-384 of the concatenated parts. */
export function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  return over(hash384.create, parts);
}

/** SHA-512 of the concatenated parts. */
export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return over(hash512.create, parts);
}
