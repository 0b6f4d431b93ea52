/**
 * Where a credential's status entry points: to a list of this ledger, or elsewhere.
 *
 * An issuer's list `L` has two companions with the same places: `L-suspended` and `L-replaced`. A pointer into any of the three
 * means all of them.
 */

import type { Credential, StatusPointer } from "../credentials/credential.js";
import { isDid } from "../records/did.js";
import type { Did } from "../records/did.js";
import { isReference } from "../records/names.js";
import { tokenPath } from "../state/tokens.js";

/** Ending of the companion that says who is suspended. */
export const SUSPENDED = "-suspended";
/** Ending of the companion that says who has got another credential instead. */
export const REPLACED = "-replaced";

/** Where a list is: on this ledger, at an address of this ledger at which no list can be, or on somebody's server. */
export type Place =
  | { readonly kind: "ledger"; readonly issuer: Did; readonly list: string }
  | { readonly kind: "nowhere" }
  | { readonly kind: "elsewhere" };

/** Finds where a pointer leads. A path alone, as a compact credential has it, is one of this ledger. */
export function placeOf(pointer: StatusPointer, publicBase: string): Place {
  const path = pointer.url.startsWith(publicBase) ? pointer.url.slice(publicBase.length) : pointer.url;
  if (!path.startsWith("/")) return { kind: "elsewhere" };
  // Where the list's name stands, counted from the end. What it and the issuer give must be the path itself, to the byte.
  const fromEnd = pointer.format === "statuslist2021" ? 1 : 2;
  const parts = path.split("/");
  const issuer = parts.find(isDid);
  const list = parts[parts.length - fromEnd];
  const named = issuer !== undefined && list !== undefined && isReference(list);
  if (!named || tokenPath(pointer.format, issuer, list) !== path) return { kind: "nowhere" };
  return { kind: "ledger", issuer, list };
}

/** The list that a name stands for: itself, or the one that it is a companion of. */
export function baseOf(list: string): string {
  const ending = [SUSPENDED, REPLACED].find((known) => list.endsWith(known)) ?? "";
  const base = list.slice(0, list.length - ending.length);
  return isReference(base) ? base : list;
}

/** A companion of a list; none when its name would be too long for any list. */
export function companionOf(list: string, ending: string): string | undefined {
  return isReference(list + ending) ? list + ending : undefined;
}

/** The lists of its issuer that a credential points to on this ledger, without companions, none twice, in order. */
export function listsOf(credential: Credential, publicBase: string): string[] {
  const names = new Set<string>();
  for (const pointer of credential.status) {
    const place = placeOf(pointer, publicBase);
    if (place.kind === "ledger" && place.issuer === credential.issuer) names.add(baseOf(place.list));
  }
  // Names are ASCII, so this is the order of their bytes.
  return Array.from(names).sort();
}
