// Runs the cases of tests/vectors/diplomas (tests/README.md has their form), as tests/src/vectors/diplomas does in Rust.

import { fromBase64url } from "../../../src/verify/dist/base/bytes.js";
import { inflateZlib } from "../../../src/verify/dist/base/inflate.js";
import { Lists } from "../../../src/verify/dist/credentials/proofs.js";
import { Refusal } from "../../../src/verify/dist/credentials/refusal.js";
import { TrustFile } from "../../../src/verify/dist/records/trust.js";
import { Evidence } from "../../../src/verify/dist/state/evidence.js";
import { findCredentials } from "../../../src/verify/dist/verify/check.js";
import { Verifier, policyNow, presented, withProofs } from "../../../src/verify/dist/verify/verifier.js";

/** Lays parts one after the other. */
export function expand(parts, load) {
  const bytes = (part) => {
    if (typeof part === "string") return Buffer.from(part);
    if (part.repeat !== undefined) return Buffer.from(part.repeat.repeat(part.times));
    if (part.base64 !== undefined) return Buffer.from(part.base64, "base64");
    return Buffer.from(load(part.file));
  };
  return new Uint8Array(Buffer.concat(parts.map(bytes)));
}

/** The steps of a report, as cases have them. */
export function stepsOf(report) {
  return report.steps.map(({ outcome, reason }) => (outcome === "not-checked" ? outcome : `${outcome} ${reason}`));
}

/** Judges cases, and remembers the proofs that many of them share. */
export class DiplomaRunner {
  #verifiers = new Map();
  #evidence = new Map();
  #lists = new Map();

  /**
   * What is said of a case: one report for each credential in its input.
   *
   * @param load the bytes of a file by its path
   */
  async judge(test, load) {
    const receipt = test.receipt === undefined ? undefined : new Uint8Array(load(test.receipt));
    const policy = { ...policyNow(test.now), ...(test.at === undefined ? {} : { at: test.at }) };
    const verifier = this.#once(this.#verifiers, test.trust, () => new Verifier(TrustFile.decode(new Uint8Array(load(test.trust)))));
    const reports = [];
    for (const found of findCredentials(expand(test.input, load), receipt)) {
      reports.push(await verifier.verify(this.#presented(test, found, load), policy));
    }
    return reports;
  }

  #presented(test, found, load) {
    const { bytes, sha256, whole } = test.print ?? {};
    const shown = presented(found.presented, test.print ? { digest: { bytes, sha256 }, whole } : found.print);
    const given = found.presented instanceof Refusal ? shown.proofs : found.presented.proofs;
    const all = given.lists.entries().map(([, bits]) => bits);
    if (test.lists !== undefined) all.push(...this.#once(this.#lists, test.lists, () => listsOf(load(test.lists))));
    const proofs = { ...given, lists: Lists.of(all), tokens: new Map(given.tokens) };
    for (const [url, parts] of Object.entries(test.tokens ?? {})) {
      proofs.tokens.set(url, Buffer.from(expand(parts, load)).toString());
    }
    if (test.evidence === undefined) return { ...shown, proofs };
    proofs.evidence = this.#once(this.#evidence, test.evidence, () => Evidence.decode(new Uint8Array(load(test.evidence))));
    return withProofs(shown, proofs);
  }

  /** What a path stands for, made once. A mutant's path stands for other bytes each time. */
  #once(memory, path, make) {
    if (path === "mutant") return make();
    if (!memory.has(path)) memory.set(path, make());
    return memory.get(path);
  }
}

function listsOf(file) {
  return JSON.parse(Buffer.from(file).toString()).map((list) => inflateZlib(fromBase64url(list), 1 << 24));
}
