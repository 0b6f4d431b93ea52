// The state and evidence of the golden vectors, for tests of what is read from them.

import { readFileSync } from "node:fs";

import { utf8 } from "../../../src/verify/dist/base/bytes.js";
import { TrustFile } from "../../../src/verify/dist/records/trust.js";
import { accredited, ChainRefusal, trustChain } from "../../../src/verify/dist/state/chain.js";
import { Evidence, EvidenceError } from "../../../src/verify/dist/state/evidence.js";
import { documentAt } from "../../../src/verify/dist/state/identity.js";
import { NotProven } from "../../../src/verify/dist/state/state.js";

const vectors = new URL("../../../../tests/vectors/", import.meta.url);

/** A file of the golden vectors. */
export function bytesOf(name) {
  return new Uint8Array(readFileSync(new URL(name, vectors)));
}

/** A JSON file of the golden vectors, as JavaScript reads it. */
export function jsonOf(name) {
  return JSON.parse(readFileSync(new URL(name, vectors), "utf8"));
}

/** The trust file of the evidence vectors. */
export const trust = TrustFile.decode(bytesOf("trust-registries.json"));

/** A state in memory: what is not there is absent, unless only some keys are known. */
export class Memory {
  constructor(values, known) {
    this.values = values;
    this.known = known;
  }

  get(key) {
    if (this.known && !this.known.has(key)) throw new NotProven(key);
    const value = this.values[key];
    return value === undefined ? null : utf8(typeof value === "string" ? value : canonical(value));
  }
}

/** JSON with members in order; for values without numbers that could be written in two ways. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** What a question over evidence gives: exit code and slug, as the evidence vectors have them. */
export async function judge(evidence, { question, subject, at }) {
  try {
    const state = evidence().verify(trust);
    switch (question) {
      case undefined:
        return [0, "holds"];
      case "did":
        return [0, documentAt(state, subject, at) ? "registered" : "absent"];
      case "issuer":
        return walked(await accredited(state, subject, undefined, at));
      case "chain":
        return walked(await trustChain(state, subject, at));
      default:
        throw new Error(`no such question: ${question}`);
    }
  } catch (error) {
    if (error instanceof NotProven) return [4, error.code];
    if (!(error instanceof EvidenceError)) throw error;
    const unknown = ["receipt.unknown-network", "evidence.unknown-format"].includes(error.code);
    return [unknown ? 4 : 3, error.code];
  }
}

function walked(found) {
  return found instanceof ChainRefusal ? [3, found.code] : [0, "holds"];
}

/** An evidence file's reader. */
export function decoded(bytes) {
  return () => Evidence.decode(bytes);
}

/** Numbers that look random and are the same every time. */
export function numbers(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}
