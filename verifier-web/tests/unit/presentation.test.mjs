// What a credential travels in: a link, a package, a mail. What is put in comes out; what was damaged on the way is said to be.

import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { equalBytes, utf8 } from "../../src/verify/dist/base/bytes.js";
import { beginning, quoted, trimAscii, utf8Length } from "../../src/verify/dist/base/text.js";
import { formatRfc3339, parseDay, parseRfc3339 } from "../../src/verify/dist/base/time.js";
import { Generations } from "../../src/verify/dist/credentials/generations.js";
import { isLink, LinkError, makeLink, parseLink } from "../../src/verify/dist/credentials/link.js";
import { readPresentation } from "../../src/verify/dist/credentials/presentation.js";
import { Lists } from "../../src/verify/dist/credentials/proofs.js";
import { ReceiptError } from "../../src/verify/dist/records/receipt.js";
import { random, refusalOf, vector, vectorBytes } from "./support/credentials.mjs";

const compact = vector("credentials/compact.json").cases[0].text;
const { text: credential } = vector("credentials/sd-jwt.json").cases[1];
const asText = (bytes) => new TextDecoder().decode(bytes);
const receipt = asText(vectorBytes("receipts/batch.json"));
const evidence = asText(vectorBytes("evidence/chain-holds.json"));

/** Bits of 131,072 entries of which one in a hundred is set. */
const bits = new Uint8Array(16_384).map((_, at) => (at % 13 === 0 ? 1 << (at % 8) : 0));
const listOf = (bytes) => Buffer.from(deflateSync(bytes)).toString("base64url");

/** A package's members, each as it is written. */
const members = {
  credential: JSON.stringify(credential),
  evidence,
  lists: JSON.stringify([listOf(bits), listOf(new Uint8Array(16_384))]),
  receipt,
  type: '"testamur-diploma-package"',
  v: "1",
};

function file(changes = {}) {
  const all = Object.entries({ ...members, ...changes }).filter(([, value]) => value !== undefined);
  return `{${all.map(([name, value]) => `"${name}":${value}`).join(",")}}`;
}

const read = (given) => readPresentation(typeof given === "string" ? utf8(given) : given);
const reason = (given) => refusalOf(() => read(given))?.reason ?? "read";

function isWhole(presentation) {
  assert.equal(presentation.text, credential);
  assert.equal(asText(presentation.receipt.encode()), receipt);
  assert.equal(asText(presentation.proofs.evidence.encode()), evidence);
  assert.equal(presentation.proofs.lists.size, 2);
  const [[digest, found]] = presentation.proofs.lists.entries().filter(([, list]) => equalBytes(list, bits));
  assert.equal(presentation.proofs.lists.get(digest), found);
  assert.equal(presentation.evidenceError, undefined);
}

test("a package is read as it was made", () => {
  isWhole(read(file()));
  // The same bytes are the same evidence; others, of any difference, are read.
  assert.equal(read(file()).proofs.evidence, read(file()).proofs.evidence);
  const other = JSON.parse(evidence);
  other.state.pop();
  const shorter = read(file({ evidence: JSON.stringify(other) })).proofs.evidence;
  assert.equal(JSON.parse(asText(shorter.encode())).state.length, other.state.length);
  isWhole(read(file()));
  // Spaces around the members, any order and a byte order mark are what editors leave.
  isWhole(read(`\ufeff{\n ${file({ lists: JSON.stringify([listOf(bits), listOf(new Uint8Array(16_384))], null, 2) }).slice(1)}\n`));
  const bare = read(file({ receipt: undefined, evidence: undefined, lists: undefined }));
  assert.deepEqual([bare.receipt, bare.proofs.evidence, bare.proofs.lists.size], [undefined, undefined, 0]);
  const untyped = read(`{"credential":${members.credential},"note":"ours","receipt":${receipt}}`);
  assert.equal(asText(untyped.receipt.encode()), receipt);
});

test("damaged packages say what is damaged", () => {
  assert.equal(reason(file({ credential: undefined })), "readable.no-credential");
  assert.equal(reason(file({ credential: "5" })), "readable.malformed");
  assert.equal(reason(file({ type: '"other"' })), "readable.unknown-format");
  assert.equal(reason(file({ type: '"\\u0074estamur-diploma-package"' })), "readable.unknown-format", "another spelling");
  for (const v of ["2", "1.0", '"1"', undefined]) assert.equal(reason(file({ v })), "readable.unknown-format", String(v));
  assert.equal(reason(file({ issuer: '"me"' })), "readable.malformed");
  const refusal = refusalOf(() => read(file({ "\\u202e": "1", "a\\\"": "1" })));
  assert.equal(refusal.message, 'a package has no member "a\\""', "the first in the order of names");
  for (const [lists, expected] of [
    ['["!"]', "readable.malformed"],
    ["[5]", "readable.malformed"],
    ["null", "readable.malformed"],
    ['["AAAA"]', "readable.archive"],
    [JSON.stringify(new Array(9).fill(listOf(bits))), "readable.malformed"],
    [JSON.stringify([listOf(new Uint8Array(256 * 1024 + 1))]), "readable.archive"],
    [JSON.stringify([listOf(new Uint8Array(64 << 20))]), "readable.archive"],
    [JSON.stringify([listOf(new Uint8Array(256 * 1024))]), "read"],
  ]) {
    assert.equal(reason(file({ lists })), expected, lists.slice(0, 40));
  }
  const broken = read(file({ receipt: receipt.replace(/"index":\d+/, '"index":77') }));
  assert.ok(broken.receipt instanceof ReceiptError, "a broken receipt is not one that is missing");
  assert.ok(read(file({ receipt: "null" })).receipt instanceof ReceiptError);
  const noState = read(file({ evidence: '{"state":7}' }));
  assert.deepEqual([noState.proofs.evidence, noState.evidenceError.code], [undefined, "evidence.malformed"]);
  assert.equal(read(file({ evidence: `"${"x".repeat(5 << 20)}"` })).evidenceError.code, "evidence.malformed");
  assert.equal(reason(file().replace("{", '{"v":1,')), "readable.duplicate-members");
  const whole = file();
  for (const cut of [1, 100, whole.length >> 1, whole.length - 1]) assert.notEqual(reason(whole.slice(0, cut)), "read");
  assert.equal(reason(receipt), "readable.no-credential", "a receipt by itself");
  assert.equal(reason("{}"), "readable.no-credential");
  assert.equal(reason(new Uint8Array(10).fill(0xff)), "readable.unknown-format");
  assert.equal(reason(new Uint8Array(10 << 20).fill(0x78)), "readable.too-large");
  assert.equal(reason(new Uint8Array(10 << 20).fill(0x7b)), "readable.too-large");
  assert.equal(reason("[".repeat(100_000)), "readable.unknown-format");
});

test("a credential by itself is read as people pass it on", () => {
  const wrapped = credential.replace(/.{76}/g, "$&\r\n");
  for (const given of [credential, `\n ${credential} \n`, `"${credential}"`, wrapped, `\ufeff${credential}`]) {
    const presentation = read(given);
    assert.equal(presentation.text, credential);
    assert.deepEqual([presentation.receipt, presentation.proofs.evidence], [undefined, undefined]);
  }
  assert.equal(reason('"'), "readable.unknown-format");
  assert.equal(read(`${credential}a.b.c`).keyBinding, "a.b.c");
});

test("links are made for pages and read as others mangle them", () => {
  assert.equal(makeLink("https://verify.example", "x"), "https://verify.example/#c=x");
  assert.equal(makeLink("https://verify.example/en/", "x"), "https://verify.example/en/#c=x");
  assert.equal(makeLink("http://127.0.0.1:8080", "x"), "http://127.0.0.1:8080/#c=x");
  for (const page of ["", "verify.example", "http://verify.example", "https://x/#", "https://x y", "javascript:alert(1)"]) {
    assert.throws(() => makeLink(page, "x"), { name: "LinkError", kind: "page" }, page);
  }
  assert.throws(() => makeLink(`https://${"x".repeat(2_000)}.example`, compact), LinkError);
  const link = makeLink("https://verify.example", compact);
  assert.ok(isLink(link) && !isLink(compact));
  for (const mangled of [
    link.replace("#", "%23"),
    link.replace("#c=", "%23c%3D"),
    link.replace("#c=", "%23c%3d"),
    link.replace("~", "%7E"),
    link.replace("~", ""),
    `${link}&utm_source=mail`,
    `${link}#again`,
    `  ${link}\r\n`,
    link.replace("/#", "/?lang=fr#"),
  ]) {
    assert.equal(read(mangled).credential.jws.signingInput, compact.replace(/\.[^.]*$/, ""), mangled.slice(0, 60));
  }
  for (const [bad, expected] of [
    ["https://verify.example/", "readable.no-credential"],
    ["https://verify.example/#c=", "readable.no-credential"],
    ["https://verify.example/#c=&c=x", "readable.no-credential"],
    ["https://verify.example/#c=%", "readable.malformed"],
    ["https://verify.example/#c=%zz", "readable.malformed"],
    ["https://verify.example/#c=%+f", "readable.malformed"],
    ["https://verify.example/#c=%é", "readable.malformed"],
    ["https://verify.example/#c=%ff", "readable.malformed"],
    ["https://verify.example/#c=hello", "readable.unknown-format"],
    [`https://x/#c=${"a".repeat(7_000)}`, "readable.too-large"],
  ]) {
    assert.equal(reason(bad), expected, bad.slice(0, 60));
  }
  assert.equal(parseLink("https://x/#c=%2541"), "%41", "decoded once");
});

test("mutants of packages are read or refused, and nothing else happens", () => {
  const next = random(99);
  const whole = utf8(file());
  const reasons = new Set();
  for (let round = 0; round < 400; round++) {
    const mutant = whole.slice(0, next() % 4 === 0 ? 1 + (next() % whole.length) : whole.length);
    for (let change = next() % 3; change >= 0; change--) mutant[next() % mutant.length] = next() & 255;
    reasons.add(reason(mutant));
  }
  for (let round = 0; round < 3_000; round++) {
    reasons.add(reason(Uint8Array.from({ length: next() % 400 }, () => next() & 255)));
  }
  assert.ok(reasons.size >= 4, [...reasons].join(" "));
});

test("lists are found by what they are", () => {
  const lists = Lists.of([bits]);
  assert.equal(lists.add(new Uint8Array(32)), "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
  assert.equal(lists.size, 2);
  assert.equal(lists.get("00".repeat(32)), undefined);
  const digests = lists.entries().map(([digest]) => digest);
  assert.deepEqual(digests, [...digests].sort());
});

test("a memory keeps what is asked for, and never more than it may", () => {
  const memory = new Generations(20);
  for (let key = 0; key < 100; key++) {
    memory.put(String(key), key, 1);
    assert.equal(memory.get("0"), 0, "it was asked for all the time");
  }
  assert.equal(memory.get("50"), undefined);
  memory.put("200", 200, 11);
  assert.equal(memory.get("200"), undefined, "heavier than a generation");
  memory.put("0", 7, 1);
  assert.equal(memory.get("0"), 7);
});

test("dates of RFC 3339 are read by one rule", () => {
  for (const [text, expected] of [
    ["2026-06-26T08:00:00Z", 1_782_460_800],
    ["2026-06-26 08:00:00z", 1_782_460_800],
    ["2026-06-26T10:00:00.999+02:00", 1_782_460_800],
    ["1970-01-01T00:00:00Z", 0],
    ["1970-01-01T01:00:00+01:00", 0],
    ["2016-12-31T23:59:60Z", 1_483_228_799],
    ["2017-01-01T00:59:60+01:00", 1_483_228_799],
    ["9999-12-31T23:59:59Z", 253_402_300_799],
    ["9999-12-31T23:59:59-23:59", 253_402_387_139],
  ]) {
    assert.equal(parseRfc3339(text), expected, text);
  }
  for (const bad of [
    "", "2026-06-26", "2026-06-26T08:00Z", "2026-06-26T08:00:00", "2026-06-26T08:00:00.Z", "2026-06-26T24:00:00Z",
    "2026-06-26T08:60:00Z", "2026-06-26T08:00:61Z", "2026-06-26T23:59:60Z", "2026-06-26T08:00:00+24:00",
    "2026-06-26T08:00:00+02", "2027-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z", "02026-06-26T08:00:00Z", "2026-06-26T08:00:00Z ", "2026-06-26é08:00:00Z",
  ]) {
    assert.equal(parseRfc3339(bad), undefined, bad);
  }
  assert.equal(formatRfc3339(1_782_460_800), "2026-06-26T08:00:00Z");
  assert.deepEqual([formatRfc3339(253_402_300_800), formatRfc3339(-1), formatRfc3339(0.5)], [undefined, undefined, undefined]);
  assert.equal(parseDay("2028-02-29"), 1_835_395_200);
  assert.equal(parseDay("+2028-02-29"), 1_835_395_200);
  assert.equal(parseDay("0001-01-01"), -62_135_596_800);
  for (const bad of ["2027-02-29", "1.1.2030", "2030-1-1", "", "2030-01-01T00:00:00Z", "+10000-01-01"]) {
    assert.equal(parseDay(bad), undefined, bad);
  }
});

test("texts of others are repeated so that everything is seen", () => {
  assert.equal(quoted('a"\\\n\t\r\0 é𝒳\u00a0\u202e\u0301\u0007'), '"a\\"\\\\\\n\\t\\r\\0 é𝒳\\u{a0}\\u{202e}\\u{301}\\u{7}"');
  assert.equal(beginning("𝒳𝒳𝒳", 2), "𝒳𝒳");
  assert.equal(beginning("ab", 5), "ab");
  for (const text of ["", "abc", "é", "€", "𝒳", "aé€𝒳"]) assert.equal(utf8Length(text), utf8(text).length, text);
  assert.equal(trimAscii(" \t\n\f\r\u00a0x\u000b \n"), "\u00a0x\u000b");
});
