import { utf8Length } from "../base/text.js";
import { ENDPOINT_CHARS_MAX, LEGAL_NAME_BYTES_MAX } from "./limits.js";

/** A part of a name: 1 to 100 lower-case letters, digits, dots and hyphens. */
export function isNamePart(text: string): boolean {
  return /^[a-z0-9.-]{1,100}$/.test(text);
}

/** A DID method name that is not taken by a method that needs no ledger. */
export function isDidMethod(text: string): boolean {
  return /^[a-z0-9]{1,16}$/.test(text) && text !== "key";
}

/** The beginning of a URL: scheme, host, perhaps a port. */
export function isPublicBase(text: string): boolean {
  const host = /^https?:\/\/([a-z0-9.:[\]-]+)$/.exec(text)?.[1];
  return host !== undefined && host.length <= ENDPOINT_CHARS_MAX;
}

/** A legal name: no control characters. */
export function isLegalName(text: string): boolean {
  return text !== "" && utf8Length(text) <= LEGAL_NAME_BYTES_MAX && !/\p{Cc}/u.test(text);
}

/** ISO 3166-1 alpha-2 in form. */
export function isCountry(text: string): boolean {
  return /^[A-Z]{2}$/.test(text);
}

/** A short reference of an author's own. No free text: nothing personal slips in. */
export function isReference(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}
