// DID documents, schemas, status lists and dossiers as the ledger holds them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";

import { base64, base64url, fromBase64url, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { sha256 } from "../../src/verify/dist/base/hash.js";
import { parse } from "../../src/verify/dist/base/json.js";
import { PublicKey } from "../../src/verify/dist/base/keys.js";
import { readAccreditation } from "../../src/verify/dist/state/accreditation.js";
import { dossierEntry, dossierObject, newestDossier } from "../../src/verify/dist/state/dossiers.js";
import {
  checkMethod,
  didObject,
  documentAt,
  findMethod,
  keyId,
  newestDocument,
  publicKey,
  readDidEntry,
  thumbprint,
  usableKey,
} from "../../src/verify/dist/state/identity.js";
import { attribute, attributeObject, issuer, issuerObject, mayAccredit } from "../../src/verify/dist/state/issuers.js";
import { didDocument } from "../../src/verify/dist/state/resolution.js";
import { canonicalSchema, checkSchema, multibase, SchemaFault, schemaId } from "../../src/verify/dist/state/schemabody.js";
import { schema, schemaAt, schemaObject, schemaRevision } from "../../src/verify/dist/state/schemas.js";
import { DamagedState } from "../../src/verify/dist/state/state.js";
import { BitList, newestStatus, readStatusVersion, statusAt, statusObject } from "../../src/verify/dist/state/status.js";
import { adler32, gzip, zlib } from "../../src/verify/dist/state/stored.js";
import {
  compactToken,
  signingInput,
  TOKEN_FORMATS,
  tokenName,
  tokenPath,
  tokenSource,
  tokenTyp,
  verifyAttachment,
} from "../../src/verify/dist/state/tokens.js";
import { canonical, jsonOf, Memory, numbers } from "./support/state.mjs";

const did = "did:ebsi:zZUptBCPeJW4AckamCgvThx";
const record = "01".repeat(32);
// RFC 8037, appendix A.3.
const jwk = { crv: "Ed25519", kty: "OKP", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
const grant = (relationship, not_before, not_after) => ({ relationship, not_before, not_after });
const method = (id, grants, more = {}) => ({ id, key: jwk, grants, ...more });
const entryOf = (seq, time, methods, more = {}) => ({
  v: 1,
  seq,
  height: seq,
  time,
  record,
  controllers: [did],
  methods,
  services: [{ id: "web", type: "Website", endpoint: "https://a.example" }],
  deactivated: false,
  ...more,
});

/** A state with the entries of an object. */
function written(object, ...entries) {
  const values = {};
  for (const entry of entries) values[object.entry(entry.seq)] = values[object.head] = entry;
  return new Memory(values);
}

const typed = (entry) => readDidEntry(parse(canonical(entry)));

test("thumbprints and key ids are those of the standards", () => {
  const key = publicKey(jwk);
  assert.equal(thumbprint(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  assert.equal(keyId(did, key), `${did}#kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k`);
  assert.equal(publicKey({ ...jwk }), key, "the same object while it is remembered");
  assert.equal(publicKey({ ...jwk, x: "AAAA" }), undefined);
});

test("a key holds within its windows until it ends", () => {
  const [A, I, S] = ["assertionMethod", "capabilityInvocation", "authentication"];
  const check = (given, uses, time) => checkMethod(typed(entryOf(1, 1, [given])).methods[0], uses, time);
  const key = method("a", [grant(A, 100, 200), grant(A, 300), grant(I, 100, 150)]);
  for (const [uses, time, expected] of [
    [[A], 99, "not-yet-valid"],
    [[A], 100, undefined],
    [[A], 199, undefined],
    [[A], 200, "not-yet-valid"],
    [[A], 300, undefined],
    [[I], 149, undefined],
    [[I], 150, "expired"],
    [[A, I], 149, undefined],
    [[S], 120, "not-granted"],
    [[], 120, "not-granted"],
  ]) {
    assert.equal(check(key, uses, time), expected, `${uses} at ${time}`);
  }
  const revoked = method("a", [grant(A, 100, 200)], { revoked: 200 });
  assert.equal(check(revoked, [A], 199), undefined);
  assert.equal(check(revoked, [A], 200), "revoked");
  assert.equal(check(revoked, [I], 200), "revoked", "the reason that lasts longest");
  const stolen = { ...key, compromised_from: 120 };
  assert.equal(check(stolen, [A], 119), undefined);
  assert.equal(check(stolen, [A], 120), "compromised");
  assert.equal(check(stolen, [S], 400), "compromised");
  const document = typed(entryOf(1, 1, [key]));
  assert.equal(usableKey(document, "nothing", [A], 100), "unknown");
  assert.equal(usableKey(document, "a", [A], 100), publicKey(jwk));
  const broken = typed(entryOf(1, 1, [{ ...key, key: { ...jwk, x: "AAAA" } }]));
  assert.equal(usableKey(broken, "a", [A], 99), "not-yet-valid");
  assert.equal(usableKey(broken, "a", [A], 100), "unknown");
});

test("a document as of a time knows what became known since", () => {
  const object = didObject(did);
  assert.equal(object.head, `did/${did}/head`);
  const [first, second] = [method("a", [grant("assertionMethod", 100)]), method("b", [grant("assertionMethod", 200)])];
  const state = written(
    object,
    entryOf(1, 100, [first]),
    entryOf(2, 200, [first, second]),
    entryOf(3, 300, [{ ...first, compromised_from: 150, revoked: 300 }, second]),
  );
  assert.equal(newestDocument(state, did).seq, 3);
  assert.equal(documentAt(state, did, 99), undefined);
  assert.equal(documentAt(new Memory({}), did, 99), undefined);
  const then = documentAt(state, did, 199);
  assert.deepEqual([then.seq, then.methods.length], [1, 1]);
  assert.deepEqual([findMethod(then, "a").compromisedFrom, findMethod(then, "a").revoked], [150, undefined]);
  assert.equal(usableKey(then, "a", ["assertionMethod"], 149), publicKey(jwk));
  assert.equal(usableKey(then, "a", ["assertionMethod"], 150), "compromised");
  assert.equal(findMethod(documentAt(state, did, 250), "b").compromisedFrom, undefined);
});

test("the document lists what is valid at the time", () => {
  const early = method("a", [grant("assertionMethod", 100, 200)]);
  const late = method("b", [grant("assertionMethod", 200), grant("capabilityInvocation", 100)]);
  const at = (time, more) => didDocument(did, typed(entryOf(1, 1, [early, late], more)), time);
  assert.deepEqual(at(100), {
    "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
    id: did,
    controller: [did],
    verificationMethod: ["a", "b"].map((id) => ({
      id: `${did}#${id}`,
      type: "JsonWebKey2020",
      controller: did,
      publicKeyJwk: jwk,
    })),
    assertionMethod: [`${did}#a`],
    capabilityInvocation: [`${did}#b`],
    service: [{ id: `${did}#web`, type: "Website", serviceEndpoint: "https://a.example" }],
  });
  assert.deepEqual(at(200).assertionMethod, [`${did}#b`]);
  assert.equal(at(200).verificationMethod.length, 1, "a key that ended is not shown");
  const closed = at(200, { deactivated: true, services: [] });
  assert.deepEqual(Object.keys(closed), ["@context", "id", "controller", "verificationMethod"]);
  assert.deepEqual(closed.verificationMethod, []);
});

test("entries of other shapes are damage", () => {
  const good = entryOf(1, 1, [method("a", [grant("assertionMethod", 1)])]);
  const bad = [
    { ...good, controllers: ["nobody"] },
    { ...good, record: "01" },
    { ...good, record: "AB".repeat(32) },
    { ...good, deactivated: 0 },
    { ...good, methods: [method("a", [grant("assertion", 1)])] },
    { ...good, methods: [method("a", [], { key: { ...jwk, alg: "EdDSA" } })] },
    { ...good, methods: [method("a", [], { revoked: null })] },
  ];
  for (const entry of bad) {
    assert.throws(() => newestDocument(written(didObject(did), entry), did), DamagedState, canonical(entry));
  }
  const id = "ab".repeat(32);
  const accreditation = {
    v: 1,
    seq: 1,
    height: 1,
    time: 1,
    record,
    subject: did,
    accreditor: did,
    root: did,
    parent: "00".repeat(32),
    issuer_type: "root-tao",
    entity: { names: [{ lang: "el", name: "Α" }], country: "EL" },
  };
  const read = (more) => attribute(written(attributeObject(id), { ...accreditation, ...more }), id);
  assert.deepEqual(read({}).entity, { names: [{ lang: "el", name: "Α" }], country: "EL", identifiers: [] });
  assert.deepEqual(read({ ended: { effective: 5, reason: "superseded" }, filled: 3 }).ended, {
    effective: 5,
    reason: "superseded",
  });
  for (const more of [
    { entity: { ...accreditation.entity, identifiers: [] } },
    { issuer_type: "TI" },
    { ended: { effective: 5, reason: "expired" } },
    { credential: null },
  ]) {
    assert.throws(() => read(more), DamagedState);
  }
  const attributes = [id, "cd".repeat(32)];
  const listed = { v: 1, seq: 1, height: 1, time: 1, attributes };
  assert.deepEqual(issuer(written(issuerObject(did), listed), did).attributes, attributes);
  const may = ["root-tao", "tao", "ti"].map((a) => ["root-tao", "tao", "ti"].map((b) => mayAccredit(a, b)));
  assert.deepEqual(may, [
    [false, true, true],
    [false, true, true],
    [false, false, false],
  ]);
});

test("dossiers are read by step", () => {
  const object = dossierObject(record);
  const step = (seq, version) => ({
    v: 1,
    seq,
    height: seq,
    time: seq,
    record,
    version,
    alg: "sha2-256",
    entries: [base64url(sha256(utf8("x")))],
    owners: [{ did, not_before: 1 }],
  });
  const state = written(object, step(1, 1), step(2, 2));
  assert.deepEqual([newestDossier(state, record).version, dossierEntry(state, record, 1).version], [2, 1]);
  assert.equal(dossierEntry(state, record, 3), undefined);
  assert.equal(hex(newestDossier(state, record).entries[0]), hex(sha256(utf8("x"))));
});

test("the records of the vectors' story hold schemas, lists and credentials that read", () => {
  const story = jsonOf("registries.json");
  assert.equal(story.length, 27);
  const found = { "publish-schema": 0, "publish-status": 0, "fill-attribute": 0 };
  for (const step of story) {
    const { act } = JSON.parse(new TextDecoder().decode(fromBase64url(step.record.split(".")[1])));
    if (act.type in found) found[act.type]++;
    if (act.type === "publish-schema") {
      checkSchema(act.body);
      assert.equal(schemaId(act.body), act.schema);
    }
    if (act.type === "publish-status") assert.equal(readStatusVersion(parse(canonical(act.status))).size, 131_072);
    if (act.type === "fill-attribute") assert.equal(readAccreditation(act.credential).attribute, act.attribute);
  }
  assert.deepEqual(found, { "publish-schema": 1, "publish-status": 1, "fill-attribute": 4 });
});

const DRAFT = "https://json-schema.org/draft/2020-12/schema";
const sorted = (text) => canonical(JSON.parse(text));
const having = (members) => sorted(`{"$schema":"${DRAFT}"${members}}`);
const fault = (call) => {
  try {
    call();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SchemaFault, error);
    return error.reason;
  }
};

test("schemas are read by revision and time", () => {
  const id = "cd".repeat(32);
  const revision = (seq, time) => ({ v: 1, seq, height: seq, time, record, owner: did, body: `{"n":${seq}}` });
  const state = written(schemaObject(id), revision(1, 10), revision(2, 20));
  assert.deepEqual([schema(state, id).seq, schemaAt(state, id, 19).seq, schemaRevision(state, id, 1).seq], [2, 1, 1]);
  assert.equal(schemaAt(state, id, 9), undefined);
  assert.equal(schema(state, id).body, '{"n":2}');
});

test("an id is the hash of what is left without annotations", () => {
  const left = (text) => hex(sha256(utf8(sorted(text))));
  const cases = [
    ['{"title":"T","type":"object"}', '{"type":"object"}'],
    [
      '{"$comment":"","default":{},"deprecated":true,"description":"","examples":[],"readOnly":true,"title":"","writeOnly":true}',
      "{}",
    ],
    [
      '{"properties":{"title":{"title":"T","type":"string"},"default":{"description":"d"}}}',
      '{"properties":{"default":{},"title":{"type":"string"}}}',
    ],
    ['{"$defs":{"examples":{"examples":[1]}},"definitions":{"title":true}}', '{"$defs":{"examples":{}},"definitions":{"title":true}}'],
    [
      '{"patternProperties":{"description":{"description":"d"}},"dependentSchemas":{"title":{"title":"t"}}}',
      '{"dependentSchemas":{"title":{}},"patternProperties":{"description":{}}}',
    ],
    ['{"const":{"title":"kept"},"enum":[{"description":"kept"}]}', '{"const":{"title":"kept"},"enum":[{"description":"kept"}]}'],
    [
      '{"dependentRequired":{"title":["description"]},"required":["title"]}',
      '{"dependentRequired":{"title":["description"]},"required":["title"]}',
    ],
    [
      '{"properties":{"properties":{"title":"x","properties":{"title":{"title":"y"}}}}}',
      '{"properties":{"properties":{"properties":{"title":{}}}}}',
    ],
    ['{"allOf":[{"title":"t"},{"if":{"title":"t","const":{"default":1}}}],"items":{"title":"t"}}', '{"allOf":[{},{"if":{"const":{"default":1}}}],"items":{}}'],
    ['{"properties":{"const":{"title":"t"}}}', '{"properties":{"const":{}}}'],
    ['{"properties":{"__proto__":{"title":"t"}}}', '{"properties":{"__proto__":{}}}'],
  ];
  for (const [text, expected] of cases) assert.equal(schemaId(text), left(expected), text);
  assert.equal(multibase("00".repeat(32)), "z11111111111111111111111111111111");
  const published = "be77a21356835dc09d3d8149ea832ae0a4bae0ae9c869d18219ef8f4a74b4644";
  assert.equal(multibase(published), "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD");
});

test("a schema that stands on its own passes", () => {
  for (const members of [
    "",
    ',"$defs":{"a":{"$ref":"#/$defs/b"},"b":true},"$ref":"#/$defs/a"',
    ',"$dynamicRef":"#node","$dynamicAnchor":"node"',
    ',"$id":"https://schemas.example/diploma"',
    ',"$defs":{"a":{"$id":"a","$ref":"#/x","$schema":"https://json-schema.org/draft/2020-12/schema"}}',
    ',"properties":{"$ref":{"type":"string"},"$id":{},"$schema":{"const":1}}',
    ',"maximum":0.000001,"minimum":-123456789.123456,"multipleOf":0.5',
    ',"maximum":999999999999999,"minimum":0',
    ',"const":"1e400 -- 12345678901234567890 \\" 1E5","title":"\\\\\\"1e9"',
  ]) {
    const body = having(members);
    assert.equal(fault(() => checkSchema(body)), undefined, body);
    assert.equal(canonicalSchema(body.replaceAll("{", "{\n  ")), body);
  }
});

test("references outside are found wherever they hide", () => {
  for (const members of [
    ',"$ref":"https://evil.example/s"',
    ',"$ref":"other.json"',
    ',"$ref":""',
    ',"$dynamicRef":"//evil.example#a"',
    ',"$recursiveRef":"x"',
    ',"properties":{"a":{"items":[{"$ref":"zDpW"}]}}',
    ',"$ref":"#/default","default":{"$ref":"http://evil.example"}',
    ',"const":[{"$ref":"urn:x"}]',
    ',"$defs":{"a":{"$id":"https://evil.example/"}}',
    ',"$defs":{"a":{"$id":"//evil.example/"}}',
  ]) {
    assert.equal(fault(() => checkSchema(having(members))), "remote-reference", members);
  }
  assert.throws(() => checkSchema(having(`,"$ref":"${"x".repeat(5_000)}"`)), (error) => error.message.length < 300);
});

test("bad text gets its own fault", () => {
  const check = (text) => fault(() => checkSchema(text));
  assert.deepEqual(["[]", "true", "{}"].map(check), ["not-an-object", "not-an-object", "draft"]);
  assert.equal(check('{"$schema":"http://json-schema.org/draft-07/schema#"}'), "draft");
  assert.equal(check(`{"$schema":["${DRAFT}"]}`), "draft");
  assert.equal(check(having(',"$defs":{"a":{"$schema":"http://json-schema.org/draft-04/schema#"}}')), "draft");
  const good = having(',"type":"object"');
  const spellings = [good.replace(":", ": "), good.replace("}", ',"type":"object"}'), good.replace("object", "\\u006fbject")];
  for (const text of spellings) assert.equal(check(text), "not-canonical", text);
  for (const text of ["", "{", "nul", "{}{}", '{"a":"\\ud800"}', '{"a":01}', "\ufeff{}"]) {
    assert.equal(check(text), "json", text);
  }
  const number = (text) => check(`{"$schema":"${DRAFT}","maximum":${text}}`);
  for (const text of ["1e5", "1E-7", "0.0000001", "1234567890123456", "12345678901234.56", "-1e300", "9007199254740993"]) {
    assert.equal(number(text), "number", text);
  }
  assert.equal(number("-1e400"), "json");
  for (const text of ["1.0", "-0", "0.50"]) assert.equal(number(text), "not-canonical", text);
});

test("a schema's length and depth are bounded before it is read", () => {
  const padded = (length, of = "x") => having(`,"title":"${of.repeat(length)}"`);
  const frame = padded(0).length;
  assert.equal(fault(() => checkSchema(padded(32_768 - frame))), undefined);
  assert.equal(fault(() => checkSchema(padded(32_768 - frame + 1))), "too-large");
  assert.equal(fault(() => checkSchema(padded(32_768 - frame, "é"))), undefined, "characters are counted, not bytes");
  assert.equal(fault(() => checkSchema(padded(32_768 - frame, "😀"))), undefined, "nor UTF-16");
  assert.equal(fault(() => schemaId(padded(10_000_000))), "too-large");
  const nested = (depth, inner) => having(`,"not":${'{"not":'.repeat(depth)}${inner}${"}".repeat(depth)}`);
  assert.equal(fault(() => checkSchema(nested(31, "1"))), undefined);
  assert.equal(fault(() => checkSchema(nested(31, "[]"))), "too-deep");
  assert.equal(fault(() => schemaId("[".repeat(32_768))), "too-deep");
});

test("stored streams are pinned, and any other implementation reads them", () => {
  assert.equal(hex(gzip(utf8("a"))), "1f8b08000000000000ff010100feff6143beb7e801000000");
  assert.equal(hex(zlib(utf8("a"))), "7801010100feff6100620062");
  assert.deepEqual([adler32(utf8("Wikipedia")), adler32(utf8(""))], [0x11e6_0398, 1]);
  for (const length of [0, 1, 2, 16_384, 65_534, 65_535, 65_536, 131_070, 131_071, 262_144, 524_288]) {
    const bytes = Uint8Array.from({ length }, (_, n) => (n * n) >> 3);
    assert.ok(gunzipSync(gzip(bytes)).equals(bytes), `gzip of ${length}`);
    assert.ok(inflateSync(zlib(bytes)).equals(bytes), `zlib of ${length}`);
  }
});

test("a list is its set of entries", () => {
  const random = numbers(9);
  const size = 131_072;
  const [list, model] = [BitList.zeros(size), new Set()];
  for (let n = 0; n < 300; n++) {
    const [index, value] = [random(200_000), random(3) > 0];
    assert.equal(list.set(index, value), index < size);
    if (index < size && value) model.add(index);
    else model.delete(index);
  }
  assert.equal(list.ones, model.size);
  const [one, two] = [list.leastSignificantFirst(1), list.leastSignificantFirst(2)];
  assert.equal(two.length, 2 * one.length);
  for (const index of [...model, 0, 7, 8, size - 1]) {
    const set = model.has(index);
    assert.deepEqual([list.get(index), list.get(BigInt(index))], [set, set]);
    assert.equal((one[index >> 3] >> (index & 7)) & 1, set ? 1 : 0);
    assert.equal((two[index >> 2] >> (2 * (index & 3))) & 3, set ? 2 : 0);
  }
  for (const index of [size, -1, 2 ** 53, 0xffff_ffff_ffff_ffffn]) assert.equal(list.get(index), undefined);
  assert.equal(BitList.zeros(12), undefined);
  assert.equal(BitList.fromBytes(new Uint8Array(3), 16), undefined);
  assert.equal(BitList.fromBytes(new Uint8Array(2), 17), undefined);
  const small = BitList.fromBytes(Uint8Array.of(0b1000_0001, 0b0100_0000), 16);
  assert.deepEqual([...Array(16).keys()].filter((index) => small.get(index)), [0, 7, 9]);
});

const file = jsonOf("status-tokens.json");
const bitsOf = () => {
  const bits = BitList.zeros(file.status.size);
  for (const index of file.set) bits.set(index, true);
  return bits;
};

test("the vectors' tokens are derived byte by byte", async () => {
  const status = readStatusVersion(parse(JSON.stringify(file.status)));
  const [bits, key] = [bitsOf(), PublicKey.fromJwk(file.jwk)];
  assert.equal(bits.sha256(), status.sha256);
  const source = tokenSource(status, file.issuer, key, file.public_base);
  assert.equal(file.tokens.length, 3);
  TOKEN_FORMATS.forEach((format, i) => {
    const token = compactToken(source, format, bits, status.signatures);
    const digest = createHash("sha256").update(token).digest("hex");
    assert.deepEqual([digest, token.length], file.tokens[i], format);
  });
  assert.equal(await verifyAttachment(status, file.issuer, file.public_base, bits.bytes, key), undefined);
  assert.deepEqual(TOKEN_FORMATS.map(tokenTyp), ["JWT", "vc+jwt", "statuslist+jwt"]);
  assert.equal(tokenName("token"), "Token Status List");
  assert.equal(tokenPath("bitstring", file.issuer, "a"), `/v1/status-lists/${file.issuer}/a/bitstring`);
});

test("a list under other facts has other tokens", async () => {
  const status = readStatusVersion(parse(JSON.stringify(file.status)));
  const [bits, key] = [bitsOf(), PublicKey.fromJwk(file.jwk)];
  const check = (changed, bytes = bits.bytes, base = file.public_base, by = file.issuer, of = key) =>
    verifyAttachment({ ...status, ...changed }, by, base, bytes, of);
  const first = { kind: "signature", format: "statuslist2021" };
  assert.deepEqual(await check({}, bits.bytes, "https://other.example"), first);
  assert.deepEqual(await check({}, bits.bytes, file.public_base, did), first);
  assert.deepEqual(await check({}, bits.bytes, file.public_base, file.issuer, publicKey(jwk)), first);
  assert.deepEqual(await check({ purpose: "suspension" }), first);
  assert.deepEqual(await check({ issued: status.issued + 1 }), first);
  assert.deepEqual(await check({ list: "revocation-2" }), first);
  assert.deepEqual(await check({}, bits.bytes.subarray(1)), { kind: "size" });
  assert.deepEqual(await check({ size: 131_073 }), { kind: "size" });
  assert.deepEqual(await check({ issued: 253_402_300_800 }), { kind: "date" });
  const other = bits.bytes.slice();
  other[5] ^= 1;
  assert.deepEqual(await check({}, other), { kind: "digest" });
  assert.deepEqual(await check({ sha256: hex(sha256(other)) }, other), first);
  for (const [format, name] of [["statuslist2021", "statusList2021"], ["bitstring", "bitstring"], ["token", "token"]]) {
    const signature = status.signatures[name].slice();
    signature[40] ^= 1;
    const found = await check({ signatures: { ...status.signatures, [name]: signature } });
    assert.deepEqual(found, { kind: "signature", format });
  }
  const payload = (purpose) => {
    const source = { ...tokenSource(status, file.issuer, key, file.public_base), purpose };
    return JSON.parse(new TextDecoder().decode(fromBase64url(signingInput(source, "token", bits).split(".")[1])));
  };
  assert.equal(payload("revocation").status_list.bits, 1);
  assert.equal(payload("suspension").status_list.bits, 2);
  assert.equal(base64(gzip(bits.bytes)).length, 21_876);
});

test("lists are read by name, issuer and time", () => {
  const object = statusObject(file.issuer, "revocation-1");
  assert.equal(object.head, `status/${file.issuer}:revocation-1/head`);
  const entry = (seq, time) => ({ v: 1, seq, height: seq, time, record, issuer: file.issuer, status: { ...file.status, version: seq } });
  const state = written(object, entry(1, 10), entry(2, 20));
  assert.equal(newestStatus(state, file.issuer, "revocation-1").status.version, 2);
  assert.equal(statusAt(state, file.issuer, "revocation-1", 19).status.version, 1);
  assert.equal(statusAt(state, file.issuer, "revocation-1", 9), undefined);
  assert.equal(newestStatus(state, file.issuer, "revocation-2"), undefined);
  const bad = written(object, { ...entry(1, 10), status: { ...file.status, list: "a b" } });
  assert.throws(() => newestStatus(bad, file.issuer, "revocation-1"), DamagedState);
});
