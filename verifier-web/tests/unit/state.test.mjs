// State keys, proofs and history.

import assert from "node:assert/strict";
import test from "node:test";

import { equalBytes, fromHex, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { sha256 } from "../../src/verify/dist/base/hash.js";
import { parse } from "../../src/verify/dist/base/json.js";
import { EMPTY_ROOT, innerHash, leafHash, StateProof, StateProofError } from "../../src/verify/dist/state/proof.js";
import {
  DamagedState,
  entry,
  entryAt,
  head,
  isStateKey,
  NotProven,
  Recorder,
  StateObject,
} from "../../src/verify/dist/state/state.js";
import * as codec from "../../src/verify/dist/base/codec.js";
import { jsonOf, Memory, numbers } from "./support/state.mjs";

const file = jsonOf("state.json");

function reasonOf(proof, root, key, value) {
  try {
    proof.verify(root, key, value);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof StateProofError);
    return error.reason;
  }
}

/** The root by definition, which no code of ours uses. */
function rootOf(leaves, depth = 0) {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leafHash(...leaves[0]);
  const side = (bit) => leaves.filter(([path]) => ((path[depth >> 3] >> (7 - (depth & 7))) & 1) === bit);
  return innerHash(rootOf(side(0), depth + 1), rootOf(side(1), depth + 1));
}

test("the root of the vectors' state is that of its definition", () => {
  assert.equal(file.state.length, 72);
  const leaves = file.state.map(({ key, value }) => [sha256(utf8(key)), sha256(utf8(value))]);
  assert.equal(hex(rootOf(leaves)), file.root);
  assert.equal(hex(EMPTY_ROOT), "5350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f");
});

test("the vectors' proofs show what they show and nothing else", () => {
  assert.equal(file.proofs.length, 15);
  const random = numbers(7);
  for (const { key, value, proof: json } of file.proofs) {
    const proof = StateProof.fromJson(parse(JSON.stringify(json)));
    const bytes = value === undefined ? null : utf8(value);
    assert.equal(reasonOf(proof, file.root, key, bytes), undefined, key);
    assert.equal(reasonOf(proof, file.root, key, utf8(`${value} `)), "not-present", key);
    if (bytes) assert.equal(reasonOf(proof, file.root, key, null), "not-absent", key);
    assert.notEqual(reasonOf(proof, file.root, "did/did:ebsi:other/head", bytes), undefined, key);
    assert.equal(reasonOf(proof, "00".repeat(32), key, bytes), "root", key);
    assert.equal(reasonOf(new StateProof(2, proof.leaf, proof.siblings), file.root, key, bytes), "form", key);
    for (let n = 0; n < 50; n++) {
      const siblings = proof.siblings.map((text) => fromHex(text));
      siblings[random(siblings.length)][random(32)] ^= 1 << random(8);
      assert.equal(reasonOf(new StateProof(1, proof.leaf, siblings.map(hex)), file.root, key, bytes), "root", key);
    }
    for (const part of ["path", "value"]) {
      if (!proof.leaf) continue;
      const leaf = { ...proof.leaf, [part]: hex(sha256(utf8(part))) };
      const found = reasonOf(new StateProof(1, leaf, proof.siblings), file.root, key, bytes);
      assert.notEqual(found, undefined, `${key}: another ${part}`);
    }
  }
});

test("a leaf elsewhere in the tree shows no absence", () => {
  const absent = file.proofs.filter(({ value, proof }) => value === undefined && proof.leaf);
  assert.ok(absent.length > 0);
  for (const { proof: json } of absent) {
    const proof = StateProof.fromJson(parse(JSON.stringify(json)));
    const depth = proof.siblings.length;
    // Keys whose path leads elsewhere; a few among thousands lead to the same place, and are absent, too.
    let elsewhere = 0;
    for (let n = 0; n < 200; n++) {
      const path = sha256(utf8(`writer/n${n}/head`));
      const same = Array.from({ length: depth }).every((_, d) => bit(path, d) === bit(fromHex(proof.leaf.path), d));
      const found = reasonOf(proof, file.root, `writer/n${n}/head`, null);
      assert.equal(found, same ? undefined : "not-absent");
      if (!same) elsewhere++;
    }
    assert.ok(elsewhere > 100);
  }
  function bit(path, d) {
    return (path[d >> 3] >> (7 - (d & 7))) & 1;
  }
});

test("a proof has at most 256 siblings", () => {
  const [{ key, value, proof }] = file.proofs;
  const many = new StateProof(1, proof.leaf, Array(257).fill("00".repeat(32)));
  assert.equal(reasonOf(many, file.root, key, utf8(value)), "form");
  const most = new StateProof(1, proof.leaf, Array(256).fill("00".repeat(32)));
  assert.equal(reasonOf(most, file.root, key, utf8(value)), "root");
});

test("an empty tree and a tree of one key have proofs without siblings", () => {
  const root = hex(EMPTY_ROOT);
  const nothing = new StateProof(1, undefined, []);
  assert.equal(reasonOf(nothing, root, "did/did:ebsi:a/head", null), undefined);
  assert.equal(reasonOf(nothing, root, "did/did:ebsi:a/head", utf8("{}")), "not-present");
  const leaf = { path: hex(sha256(utf8("did/did:ebsi:a/head"))), value: hex(sha256(utf8("{}"))) };
  const one = new StateProof(1, leaf, []);
  const only = hex(leafHash(fromHex(leaf.path), fromHex(leaf.value)));
  assert.equal(reasonOf(one, only, "did/did:ebsi:a/head", utf8("{}")), undefined);
  assert.equal(reasonOf(one, only, "did/did:ebsi:b/head", null), undefined);
});

test("state keys have one form", () => {
  for (const key of ["did/did:ebsi:z1/head", "a-b/x/1", "status/did:ebsi:z1:list/18446744073709551615", "a/!~/10"]) {
    assert.ok(isStateKey(key), key);
  }
  const bad = ["", "a/b", "a/b/c", "a//1", "/b/1", "A/b/1", "a/b/0", "a/b/01", "a/b/+1", "a/b/1/2", "a/b c/1", "a/é/1"];
  for (const key of [...bad, "a/b/18446744073709551616", "a/b/head\n", "a1/b/1", "a/b/Head", "a/b/"]) {
    assert.ok(!isStateKey(key), key);
  }
  assert.throws(() => new StateObject("did", "a/b"), RangeError);
  assert.throws(() => new StateObject("did", ""), RangeError);
});

const SHAPE = {
  members: ["height", "time"],
  read: (members, seq) => ({
    seq,
    height: codec.field(members, "height", codec.integer),
    time: codec.field(members, "time", codec.integer),
  }),
};
const object = new StateObject("thing", "x");

/** A history of entries written at these times. */
function history(...times) {
  const values = {};
  times.forEach((time, i) => {
    values[object.entry(i + 1)] = values[object.head] = { v: 1, seq: i + 1, height: i, time };
  });
  return values;
}

test("the entry in force is the newest that is not later, for every history and time", () => {
  const random = numbers(3);
  for (let length = 1; length <= 20; length++) {
    const times = [];
    for (let i = 0, time = 5; i < length; i++) times.push((time += random(3)));
    const reader = new Memory(history(...times));
    for (let at = 0; at <= times[length - 1] + 2; at++) {
      const expected = times.filter((time) => time <= at).length;
      assert.equal(entryAt(reader, object, at, SHAPE)?.seq, expected === 0 ? undefined : expected);
    }
  }
  assert.equal(entryAt(new Memory({}), object, 5, SHAPE), undefined);
});

test("now costs one key, and no more than a search costs then", () => {
  const reader = new Recorder(new Memory(history(...Array(100).keys())));
  assert.equal(entryAt(reader, object, 1_000, SHAPE).seq, 100);
  assert.deepEqual(reader.keys(), [object.head]);
  assert.equal(entryAt(reader, object, 37, SHAPE).seq, 38);
  assert.ok(reader.keys().length <= 9);
});

test("a key of which nothing is known is never taken for absent", () => {
  const reader = new Memory(history(1, 2, 3), new Set([object.head]));
  assert.equal(head(reader, object, SHAPE).seq, 3);
  assert.throws(
    () => entryAt(reader, object, 1, SHAPE),
    (error) => error instanceof NotProven && error.key === object.entry(1),
  );
});

test("values that the rules cannot have written are damage", () => {
  const good = { v: 1, seq: 1, height: 1, time: 5 };
  const damaged = [
    '{"height":1,"seq":1,"time":5, "v":1}',
    '{"v":1,"seq":1,"height":1,"time":5}',
    '{"height":1,"seq":1,"time":5,"v":1,"v":1}',
    '{"height":1,"seq":1,"time":5.0,"v":1}',
    '{"height":1,"seq":1,"time":9007199254740992,"v":1}',
    '{"height":null,"seq":1,"time":5,"v":1}',
    "[1,1,1,5]",
    "",
    "null",
    { ...good, v: 2 },
    { ...good, v: 256 },
    { ...good, seq: 0 },
    { ...good, seq: 2 },
    { ...good, more: 1 },
    { ...good, time: undefined },
    { ...good, time: "5" },
    { ...good, time: -5 },
  ];
  for (const value of damaged) {
    const reader = new Memory({ [object.entry(1)]: value });
    const is = (error) => error instanceof DamagedState && error.key === object.entry(1);
    assert.throws(() => entry(reader, object, 1, SHAPE), is, JSON.stringify(value));
  }
  assert.ok(entry(new Memory({ [object.entry(1)]: good }), object, 1, SHAPE));
  const gap = history(1, 2, 3);
  delete gap[object.entry(1)];
  assert.throws(() => entryAt(new Memory(gap), object, 1, SHAPE), DamagedState);
});

test("bytes are compared whole", () => {
  assert.ok(equalBytes(utf8("ab"), utf8("ab")) && !equalBytes(utf8("ab"), utf8("abc")));
});
