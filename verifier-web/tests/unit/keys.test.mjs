// Signatures and proofs by others' vectors: C2SP CCTV and our own edge cases decide for Ed25519, Wycheproof for ECDSA, with the
// browser's cryptography and without.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { base64url, fromHex, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { isEd25519Key, isTorsionFree, verifyEd25519 } from "../../src/verify/dist/base/ed25519.js";
import { KeyError, PublicKey } from "../../src/verify/dist/base/keys.js";
import { EMPTY_ROOT, leafHash, nodeHash, verifyConsistency, verifyInclusion } from "../../src/verify/dist/records/merkle.js";
import { loadJson } from "./support/records.mjs";
import { jsonFiles, shared } from "./support/shared.mjs";

const bytes = (text) => fromHex(text);

/** Runs with `crypto.subtle` absent, as on a page without TLS. */
async function withoutWebCrypto(run) {
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: { getRandomValues: (a) => a }, configurable: true });
  try {
    return await run();
  } finally {
    Object.defineProperty(globalThis, "crypto", own);
  }
}

/** Whether a signature verifies; anything but a refusal is an error of the test. */
async function verifies(key, alg, message, signature) {
  try {
    await key.verify(alg, message, signature);
    return true;
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return false;
  }
}

test("Ed25519 edge cases follow the strict rule", (t) => {
  const cases = loadJson("ed25519.json");
  let accepted = 0;
  for (const { what, key, message, signature, valid } of cases) {
    assert.equal(verifyEd25519(bytes(key), bytes(message), bytes(signature)), valid, what);
    accepted += valid ? 1 : 0;
  }
  assert.ok(cases.length > 800 && accepted > 40, "mixed order that cancels out is accepted");
  t.diagnostic(`${cases.length} cases, ${accepted} accepted`);
});

test("many signatures by one key are judged like the first", () => {
  // After some of them a table of the key's multiples is used.
  const cases = loadJson("ed25519.json");
  const one = cases.find(({ what }) => what === "S in range");
  for (let i = 0; i < 12; i++) {
    for (const { what, key, message, signature, valid } of cases.filter(({ key }) => key === one.key)) {
      assert.equal(verifyEd25519(bytes(key), bytes(message), bytes(signature)), valid, what);
    }
  }
});

test("keys with torsion are keys, but no validators'", () => {
  const keys = new Map(loadJson("ed25519.json").map(({ what, key }) => [what.replace(/; R: .*/, ""), key]));
  let mixed = 0;
  for (const [what, key] of keys) {
    if (!what.startsWith("A: ")) continue;
    const isKey = what.startsWith("A: mixed") || what === "A: prime order";
    assert.equal(isEd25519Key(bytes(key)), isKey, what);
    assert.equal(isTorsionFree(bytes(key)), what === "A: prime order", what);
    mixed += what.startsWith("A: mixed") ? 1 : 0;
  }
  assert.equal(mixed, 7);
});

test("CCTV's Ed25519 vectors follow the strict rule", (t) => {
  const file = process.env.CCTV_ED25519;
  if (!file) {
    console.log("skipped: CCTV_ED25519 names no file");
    return;
  }
  const cases = JSON.parse(readFileSync(file, "utf8"));
  const fine = ["low_order_component_A", "low_order_component_R"];
  let accepted = 0;
  for (const { number, key, msg, sig, flags } of cases) {
    const expected = (flags ?? []).every((flag) => fine.includes(flag));
    assert.equal(verifyEd25519(bytes(key), utf8(msg), bytes(sig)), expected, `${number}: ${flags}`);
    accepted += expected ? 1 : 0;
  }
  assert.equal(cases.length, 914);
  t.diagnostic(`${cases.length} vectors, ${accepted} accepted`);
});

async function wycheproof(folder) {
  const suites = [
    ["ed25519_test.json", "pk", "EdDSA", (key) => PublicKey.ed25519(key)],
    ["ecdsa_secp256r1_sha256_p1363_test.json", "uncompressed", "ES256", (key) => PublicKey.ec("P-256", key)],
    ["ecdsa_secp256k1_sha256_p1363_test.json", "uncompressed", "ES256K", (key) => PublicKey.ec("secp256k1", key)],
  ];
  let count = 0;
  for (const [name, member, alg, read] of suites) {
    const { testGroups } = JSON.parse(readFileSync(join(folder, "testvectors_v1", name), "utf8"));
    for (const { publicKey, tests } of testGroups) {
      const key = read(bytes(publicKey[member]));
      for (const { tcId, comment, msg, sig, result } of tests) {
        const found = await verifies(key, alg, bytes(msg), bytes(sig));
        assert.equal(found, result === "valid", `${name} ${tcId}: ${comment}`);
        count++;
      }
    }
  }
  return count;
}

test("Wycheproof decides, with the browser's cryptography and without", async (t) => {
  const folder = shared("wycheproof");
  if (folder === undefined) return;
  const count = await wycheproof(folder);
  assert.equal(await withoutWebCrypto(() => wycheproof(folder)), count);
  assert.ok(count > 500, "three suites");
  t.diagnostic(`${count} vectors, twice`);
});

test("each curve's keys and signatures are read in all their forms", async () => {
  const { subtle } = globalThis.crypto;
  for (const [curve, alg, hash] of [
    ["P-256", "ES256", "SHA-256"],
    ["P-384", "ES384", "SHA-384"],
  ]) {
    for (let i = 0; i < 8; i++) {
      const pair = await subtle.generateKey({ name: "ECDSA", namedCurve: curve }, true, ["sign"]);
      const { crv, kty, x, y } = await subtle.exportKey("jwk", pair.publicKey);
      const key = PublicKey.fromJwk({ crv, kty, x, y });
      const message = utf8(`message ${i}`);
      const signature = new Uint8Array(await subtle.sign({ name: "ECDSA", hash }, pair.privateKey, message));
      // Compressed and decompressed again it is the same point.
      const again = PublicKey.ec(curve, key.bytes);
      assert.deepEqual(again.toJwk(), { crv, kty, x, y });
      for (const [what, sig] of [["good", signature], ["changed", signature.map((byte, at) => (at === 7 ? byte ^ 1 : byte))]]) {
        const judge = () => Promise.all([key, again].map(({ kind, bytes }) => verifies(PublicKey.ec(kind, bytes), alg, message, sig)));
        const expected = [what === "good", what === "good"];
        assert.deepEqual(await judge(), expected);
        assert.deepEqual(await withoutWebCrypto(judge), expected);
      }
      await assert.rejects(key.verify(alg === "ES256" ? "ES384" : "ES256", message, signature), { reason: "wrong-algorithm" });
      const off = PublicKey.ec(curve, key.bytes).toJwk();
      assert.throws(() => PublicKey.fromJwk({ ...off, y: base64url(new Uint8Array(curve === "P-256" ? 32 : 48).fill(1)) }), { reason: "bad-public-key" });
      assert.throws(() => PublicKey.fromJwk({ ...off, x: off.x.slice(4) }), { reason: "bad-public-key" });
    }
  }
});

const treeHash = (text) => {
  const found = Buffer.from(text ?? "", "base64");
  return found.length === 32 ? hex(new Uint8Array(found)) : undefined;
};

const passes = (check) => {
  try {
    check();
    return true;
  } catch (error) {
    if (error.name !== "MerkleError") throw error;
    return false;
  }
};

test("published Merkle vectors pass", (t) => {
  const folder = shared("merkle");
  if (folder === undefined) return;
  let count = 0;
  // Some numbers of these files are above 2^53 as JavaScript reads them, but still far beyond every tree.
  for (const { desc, leafIdx, treeSize, leafHash: leaf, root, proof, wantErr } of jsonFiles(join(folder, "testdata", "inclusion"))) {
    const [found, expected, path] = [treeHash(leaf), treeHash(root), (proof ?? []).map(treeHash)];
    // Hashes that are not 32 bytes long cannot even be written in these formats.
    const written = found !== undefined && expected !== undefined && !path.includes(undefined);
    const holds = written && passes(() => verifyInclusion(found, leafIdx, treeSize, path, expected));
    assert.equal(holds, !wantErr, desc);
    count++;
  }
  for (const { desc, size1, size2, root1, root2, proof, wantErr } of jsonFiles(join(folder, "testdata", "consistency"))) {
    // Some cases have a text for a root ("don't care"): what counts is which of them are equal.
    const [first, second] = [root1, root2].map((root) => treeHash(root) ?? leafHash(utf8(JSON.stringify(root))));
    const path = (proof ?? []).map(treeHash);
    const holds = !path.includes(undefined) && passes(() => verifyConsistency(size1, first, size2, second, path));
    // The one difference, and meant: they call a proof from the empty tree useless; here it holds, and has no hashes.
    const fromEmpty = size1 === 0 && first === EMPTY_ROOT && path.length === 0;
    assert.equal(holds, !wantErr || (fromEmpty && size2 > 0), desc);
    count++;
  }
  assert.ok(count > 150, "the folder holds both kinds");
  t.diagnostic(`${count} vectors`);
});

test("every leaf of every small tree has one proof", () => {
  const split = (count) => 2 ** Math.floor(Math.log2(count - 1));
  const root = (leaves) =>
    leaves.length === 1 ? leaves[0] : nodeHash(root(leaves.slice(0, split(leaves.length))), root(leaves.slice(split(leaves.length))));
  const path = (leaves, index) => {
    if (leaves.length === 1) return [];
    const middle = split(leaves.length);
    const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
    return index < middle ? [...path(left, index), root(right)] : [...path(right, index - middle), root(left)];
  };
  for (let size = 1; size <= 33; size++) {
    const leaves = Array.from({ length: size }, (_, i) => leafHash(utf8(`leaf ${i}`)));
    const whole = root(leaves);
    leaves.forEach((leaf, index) => {
      const proof = path(leaves, index);
      verifyInclusion(leaf, index, size, proof, whole);
      assert.ok(!passes(() => verifyInclusion(leaf, index, size, [...proof, whole], whole)));
      assert.ok(size === 1 || !passes(() => verifyInclusion(leaf, (index + 1) % size, size, proof, whole)));
    });
  }
});
