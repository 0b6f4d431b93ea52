// The other spellings of an evidence that the ledger's software reads where the evidence is part of another file: null for
// what is missing, an object as the list of its members, a word as the only member of an object. A file of its own has
// one spelling; inside others, what one implementation reads the other must read, too.

import { isArray, isObject, type Json, jsonObject } from "../base/json.js";

type Spelling = (json: Json) => Json;

/** An object that may be given as the list of its members, some of which may be null for missing. */
function members(shape: { readonly [name: string]: Spelling }, nullable: readonly string[] = []): Spelling {
  const names = Object.keys(shape);
  return (json) => {
    if (isArray(json) && json.length > names.length) return json;
    const given = isArray(json) ? Object.fromEntries(json.map((value, i) => [names[i] ?? "", value])) : json;
    if (!isArray(json) && !isObject(given)) return json;
    const spelt = Object.entries(given as { [name: string]: Json }).map(([name, value]) => {
      const isMissing = value === null && nullable.includes(name);
      const spell = Object.prototype.hasOwnProperty.call(shape, name) ? shape[name] : undefined;
      return [name, isMissing ? undefined : spell ? spell(value) : value] as const;
    });
    return jsonObject(Object.fromEntries(spelt));
  };
}

const asIs: Spelling = (json) => json;
const list =
  (item: Spelling): Spelling =>
  (json) =>
    isArray(json) ? json.map(item) : json;

/** A word may be given as an object with the word as its only member, which is null. */
const word: Spelling = (json) => {
  const names = isObject(json) ? Object.keys(json) : [];
  const [name] = names;
  return isObject(json) && name !== undefined && names.length === 1 && json[name] === null ? name : json;
};

const VALIDATORS = list(
  members({
    address: asIs,
    name: asIs,
    operator: asIs,
    country: asIs,
    did: asIs,
    keys: list(members({ alg: word, key: asIs })),
    log_key: asIs,
    peer_key: asIs,
    not_after: asIs,
  }),
);
const LEAF = members({ path: asIs, value: asIs });
const PROOF = members({ v: asIs, leaf: LEAF, siblings: asIs }, ["leaf"]);

/** The JSON of an evidence as it stands in a file of its own, if this is one in another spelling. */
export const asWritten: Spelling = members({
  v: asIs,
  type: asIs,
  network: members({ genesis: asIs, origin: asIs }),
  header: asIs,
  note: asIs,
  validators: VALIDATORS,
  epochs: list(members({ header: asIs, note: asIs, validators: VALIDATORS })),
  state: list(members({ key: asIs, value: asIs, proof: PROOF }, ["value"])),
});
