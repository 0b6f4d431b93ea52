// Status list tokens of other servers: the drafts' own vectors, what a node derives, and what is none.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";

import { Token, TokenFault } from "../../src/verify/dist/credentials/statustoken.js";
import { jws, random } from "./support/credentials.mjs";

const FORMATS = ["statuslist2021", "bitstring", "token"];

// Vectors of others, beside the checkout and never committed. What is not there is printed as skipped.
const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const shared = resolve(checkout, process.env["TESTAMUR_SHARED"] ?? "../shared");
const drafts = join(shared, "vectors/token-status-list");
const skip = existsSync(drafts) ? false : `${drafts} is not there`;

const base64url = (bytes) => Buffer.from(bytes).toString("base64url");
const header = { alg: "ES256", kid: "12", typ: "statuslist+jwt" };

function statusList(list, claims = {}, head = header) {
  const payload = { sub: "https://example.com/statuslists/1", iat: 1_686_920_170, status_list: list, ...claims };
  return Token.parse("token", jws(head, payload));
}

/** The JSON of an example, whose strings are folded into lines. */
function example(name) {
  const text = readFileSync(join(drafts, "examples", name), "utf8");
  return JSON.parse(text.slice(text.indexOf("{")).replace(/\s+/g, ""));
}

function faultOf(run) {
  try {
    run();
    return "read";
  } catch (error) {
    if (error instanceof TokenFault) return error.kind;
    throw error;
  }
}

const values = (token, count) => Array.from({ length: count }, (_, index) => token.get(BigInt(index)));

test("the draft's lists read as the draft says", { skip }, () => {
  const one = statusList(example("status_list_encoding_json.md"));
  assert.deepEqual(values(one, 16), [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
  assert.deepEqual([one.size, one.get(16n)], [16, undefined]);
  const two = statusList(example("status_list_encoding2_json.md"));
  assert.deepEqual(values(two, 12), [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);

  // The long ones: what each entry is stands in the draft's text, under a heading for each width.
  const text = readFileSync(join(drafts, "draft-ietf-oauth-status-list.md"), "utf8");
  const vectors = text.slice(text.indexOf("{#test-vectors}"));
  for (const [width, name] of [
    [1, "status_list_encoding1_long_json.md"],
    [2, "status_list_encoding2_long_json.md"],
    [4, "status_list_encoding4_json.md"],
    [8, "status_list_encoding8_json.md"],
  ]) {
    const section = vectors.split(`## ${width}-bit Status List`)[1].split("CBOR encoding")[0];
    const entries = [...section.matchAll(/^status\[(\d+)\].*0b([01]+)/gm)];
    const expected = new Map(entries.map(([, index, value]) => [Number(index), parseInt(value, 2)]));
    assert.ok(expected.size > 10, String(width));
    const list = statusList(example(name));
    assert.equal(list.size, 2 ** 20);
    let wrong = 0;
    for (let index = 0; index < list.size; index++) wrong += list.get(BigInt(index)) === (expected.get(index) ?? 0) ? 0 : 1;
    assert.equal(wrong, 0, `${width} bits`);
  }
});

test("the draft's token reads", { skip }, () => {
  const text = readFileSync(join(drafts, "examples/status_list_jwt_raw.md"), "utf8").replace(/\s+/g, "");
  const token = Token.parse("token", text);
  assert.deepEqual([token.url, token.issuer], ["https://example.com/statuslists/1", "https://example.com"]);
  assert.deepEqual([token.issued, token.expires], [1_686_920_170n, 1_686_920_170n + 43_200n]);
  assert.deepEqual([token.width, token.size, token.kid], [1, 16, "12"]);
  for (const format of ["bitstring", "statuslist2021"]) assert.equal(faultOf(() => Token.parse(format, text)), "malformed");
});

/** A Bitstring Status List credential with this subject. */
function bitstring(subject, claims = {}) {
  return Token.parse(
    "bitstring",
    jws(
      { alg: "EdDSA", typ: "vc+jwt" },
      {
        id: "https://university.example/1",
        type: ["VerifiableCredential", "BitstringStatusListCredential"],
        issuer: { id: "did:ebsi:z" },
        validFrom: "2027-01-15T08:00:00Z",
        credentialSubject: subject,
        ...claims,
      },
    ),
  );
}

/** A StatusList2021 credential with these changes. */
function list2021(list, change = () => {}) {
  const payload = {
    iss: "did:ebsi:z",
    jti: "https://university.example/1",
    nbf: 1_800_000_000,
    vc: {
      id: "https://university.example/1",
      type: ["VerifiableCredential", "StatusList2021Credential"],
      issuer: "did:ebsi:z",
      validFrom: "2027-01-15T08:00:00Z",
      credentialSubject: { type: "StatusList2021", statusPurpose: "revocation", encodedList: list },
    },
  };
  change(payload);
  return Token.parse("statuslist2021", jws({ alg: "EdDSA", typ: "JWT" }, payload));
}

/** Gzip of bytes as it is made in memory: no name, no flags. */
function gzip(bytes, flags = 0, length = bytes.length) {
  const packed = gzipSync(bytes);
  packed[3] = flags;
  packed.writeUInt32LE(length, packed.length - 4);
  return packed;
}

const bytes = Uint8Array.of(0x80, 0, 0, 1);
const subject = (stream, change = {}) => ({
  type: "BitstringStatusList",
  statusPurpose: "revocation",
  encodedList: `u${base64url(stream)}`,
  ...change,
});

test("lists of the W3C's formats read, the most significant bit first", () => {
  const good = bitstring(subject(gzip(bytes)));
  assert.deepEqual([good.get(0n), good.get(31n), good.get(30n), good.size], [1, 1, 0, 32]);
  assert.deepEqual([good.get(32n), good.get(2n ** 64n - 1n)], [undefined, undefined]);
  assert.deepEqual([good.issuer, good.purpose, good.issued], ["did:ebsi:z", "revocation", 1_800_000_000n]);
  assert.equal(bitstring(subject(gzip(bytes), { ttl: 60_000 })).expires, good.issued + 60n);
  assert.equal(bitstring(subject(gzip(bytes), { statusPurpose: ["suspension"] })).purpose, "suspension");
  const ends = { validUntil: "2027-01-15T09:00:00Z", exp: 1_800_000_001 };
  assert.equal(bitstring(subject(gzip(bytes)), ends).expires, 1_800_000_001n);
  for (const encoded of [gzip(bytes).toString("base64"), base64url(gzip(bytes))]) {
    assert.deepEqual(values(list2021(encoded), 2), [1, 0]);
  }
});

test("what is no list is refused", () => {
  const refused = (run, what) => assert.equal(faultOf(run), "malformed", what);
  for (const flags of [1, 2, 4, 8, 16, 0x20, 0x80]) refused(() => bitstring(subject(gzip(bytes, flags))), `flags ${flags}`);
  const wrongCrc = gzip(bytes);
  wrongCrc[wrongCrc.length - 5] ^= 1;
  for (const stream of [gzip(bytes, 0, 5), wrongCrc, [], [0x1f, 0x8b, 8, 0], deflateSync(bytes), deflateRawSync(bytes)]) {
    refused(() => bitstring(subject(stream)));
  }
  const with_ = (change) => () => bitstring(subject(gzip(bytes), change));
  refused(with_({ statusPurpose: "message" }));
  refused(with_({ statusPurpose: ["revocation", "suspension"] }));
  refused(with_({ type: "StatusList2021" }));
  refused(with_({ encodedList: gzip(bytes).toString("base64") }));
  for (const ttl of [-1, 1.5, "60", null]) refused(with_({ ttl }), `ttl ${ttl}`);
  refused(() => bitstring(subject(gzip(bytes)), { validFrom: "yesterday" }));
  refused(() => bitstring(subject(gzip(bytes)), { exp: 1.5 }));
  const encoded = base64url(gzip(bytes));
  for (const change of [
    (payload) => (payload.jti = "https://other.example"),
    (payload) => (payload.iss = "did:ebsi:zother"),
    (payload) => (payload.vc.type = []),
    (payload) => (payload.nbf = "1"),
    (payload) => (payload.vc = []),
    (payload) => [delete payload.nbf, delete payload.vc.validFrom],
  ]) {
    refused(() => list2021(encoded, change), String(change));
  }
});

test("entries of a Token Status List have 1, 2, 4 or 8 bits, the least significant first", () => {
  const list = (bits) => ({ bits, lst: base64url(deflateSync(bytes)) });
  assert.deepEqual(values(statusList(list(1)), 8), [0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(values(statusList(list(2)), 4), [0, 0, 0, 2]);
  assert.deepEqual(values(statusList(list(4)), 2), [0, 8]);
  assert.deepEqual(values(statusList(list(8)), 4), [0x80, 0, 0, 1]);
  assert.equal(statusList(list(1), { ttl: 2 ** 53 }).expires, 1_686_920_170n + 2n ** 53n);
  for (const bits of [0, 3, 16, 256, "1", 1.5, null]) assert.equal(faultOf(() => statusList(list(bits))), "malformed");
  for (const ttl of [0, -1, "1", 1.5, null]) assert.equal(faultOf(() => statusList(list(1), { ttl })), "malformed");
  for (const iat of [-1, "1", 1.5, null, undefined]) assert.equal(faultOf(() => statusList(list(1), { iat })), "malformed");
  for (const change of [{ alg: "none" }, { alg: "HS256" }, { crit: [] }, { b64: true }, { typ: "JWT" }]) {
    assert.equal(faultOf(() => statusList(list(1), {}, { ...header, ...change })), "malformed", JSON.stringify(change));
  }
  const doubled = jws(header, '{"sub":"a","sub":"b"}');
  assert.throws(() => Token.parse("token", doubled), { message: 'the member "sub" stands twice in one object' });
});

test("nothing unpacks to more than is read, whatever it says of itself", () => {
  const bomb = new Uint8Array(2 * 1024 * 1024 + 1);
  for (const claimed of [bomb.length, 4]) assert.equal(faultOf(() => bitstring(subject(gzip(bomb, 0, claimed)))), "too-large");
  assert.equal(faultOf(() => bitstring(subject(gzip(bomb.subarray(1))))), "read");
  assert.equal(faultOf(() => statusList({ bits: 1, lst: base64url(deflateSync(bomb)) })), "too-large");
  assert.equal(faultOf(() => Token.parse("bitstring", "x".repeat(5_000_000))), "too-large");
  // White space around it is taken off in a time that grows with its length alone.
  assert.equal(faultOf(() => Token.parse("token", `${" ".repeat(4_000_000)}x`)), "malformed");
});

test("mutants are read or refused, and nothing else happens", () => {
  const next = random(7);
  const good = [
    ["token", jws(header, { sub: "a", iat: 1, ttl: 2, status_list: { bits: 1, lst: base64url(deflateSync(bytes)) } })],
    ["bitstring", jws({ alg: "EdDSA", typ: "vc+jwt" }, { id: "a", type: "BitstringStatusListCredential", credentialSubject: subject(gzip(bytes)) })],
  ];
  const outcomes = new Set();
  for (let round = 0; round < 4_000; round++) {
    const [format, text] = good[next() % good.length];
    const at = next() % text.length;
    const changed = text.slice(0, at) + "AZaz09-_.=é"[next() % 11] + text.slice(at + 1);
    outcomes.add(faultOf(() => Token.parse(next() % 8 === 0 ? FORMATS[next() % 3] : format, changed)));
    const stream = Buffer.from(deflateSync(bytes));
    stream[next() % stream.length] ^= 1 << (next() % 8);
    outcomes.add(faultOf(() => statusList({ bits: 1, lst: base64url(stream) })));
  }
  assert.deepEqual([...outcomes].sort(), ["malformed", "read"]);
});
