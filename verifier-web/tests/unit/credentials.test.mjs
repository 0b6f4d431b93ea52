// What the formats read as: the golden vectors, and each rule by an example that keeps it and one that does not.

import assert from "node:assert/strict";
import test from "node:test";

import { base58, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { toPlain } from "../../src/verify/dist/base/json.js";
import { PublicKey } from "../../src/verify/dist/base/keys.js";
import { credentialDigest, credentialScopes } from "../../src/verify/dist/credentials/credential.js";
import { disclosable, disclose, DiscloseError } from "../../src/verify/dist/credentials/choose.js";
import { parseCredential } from "../../src/verify/dist/credentials/format.js";
import { readMembers, readValue } from "../../src/verify/dist/credentials/json.js";
import { parseJws, verifyJws } from "../../src/verify/dist/credentials/jws.js";
import { makeLink, parseLink } from "../../src/verify/dist/credentials/link.js";
import { Refusal } from "../../src/verify/dist/credentials/refusal.js";
import { keyBinding } from "../../src/verify/dist/credentials/sdjwt.js";
import {
  changed,
  digestOf,
  disclosure,
  encoded,
  issuer,
  jws,
  parts,
  random,
  reasonOf,
  refusalOf,
  schemaUrl,
  vector,
} from "./support/credentials.mjs";

const FORMATS = ["sd-jwt", "vcdm2", "ebsi", "compact"];
const TOKEN_NAMES = {
  statuslist2021: "StatusList2021 credential",
  bitstring: "Bitstring Status List credential",
  token: "Token Status List",
};

/** A credential as the vectors write it down. */
function reads(credential) {
  const none = (value) => value ?? null;
  return {
    format: credential.format,
    holder: credential.holder.kind === "unbound" ? "unbound" : "bound",
    id: none(credential.id),
    issuer: credential.issuer,
    kid: credential.kid,
    schemas: credential.schemas.map((schema) => `z${base58(Uint8Array.from(Buffer.from(schema, "hex")))}`),
    status: credential.status.map(({ format, url, index, purpose }) => ({
      format: TOKEN_NAMES[format],
      index: Number(index),
      purpose: none(purpose),
      url,
    })),
    subject: toPlain(credential.subject),
    subject_id: none(credential.subjectId),
    types: credential.types,
    undisclosed: credential.undisclosed,
    valid_from: none(credential.validFrom),
    valid_until: none(credential.validUntil),
  };
}

for (const format of FORMATS) {
  test(`the vectors of ${format} read as they say`, async () => {
    const { cases } = vector(`credentials/${format}.json`);
    assert.ok(cases.length >= 8);
    for (const { name, text, digest, reads: expected, jwk, link, ...rest } of cases) {
      const credential = parseCredential(text);
      assert.deepEqual(reads(credential), expected, name);
      assert.equal(hex(credentialDigest(credential)), digest, name);
      await verifyJws(credential.jws, PublicKey.fromJwk(jwk));
      if (link !== undefined) {
        assert.equal(makeLink("https://verify.example", text), link, name);
        assert.equal(parseLink(link), text, name);
      }
      const some = rest["title and awardingDate alone"];
      if (some !== undefined) {
        assert.equal(disclose(text, ["title", "awardingDate"]), some, name);
        const hidden = Object.keys(expected.subject).length - Object.keys(parseCredential(some).subject).length;
        assert.equal(parseCredential(some).undisclosed, hidden, name);
      }
    }
  });
}

test("what an issuer must be accredited for", () => {
  const [scope, ...others] = credentialScopes(parseCredential(changed("compact")));
  assert.equal(others.length, 0);
  assert.equal(scope.schema, "09".repeat(32));
  assert.deepEqual([...scope.types], ["EqfLevel7", "UniversityDegree"]);
  assert.deepEqual([...scope.jurisdictions], ["https://publications.europa.eu/resource/authority/atu/FRA"]);
});

test("RFC 7515 appendix A.3 verifies, and under no other key", async () => {
  const text =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  const key = PublicKey.fromJwk({
    crv: "P-256",
    kty: "EC",
    x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  });
  await verifyJws(parseJws(text), key);
  const others = vector("credentials/vcdm2.json").cases.map((found) => PublicKey.fromJwk(found.jwk));
  const reasons = [];
  for (const other of others) {
    await verifyJws(parseJws(text), other).catch((error) => reasons.push([other.kind, error.reason]));
  }
  assert.equal(reasons.length, others.length);
  for (const [kind, reason] of reasons) {
    assert.equal(reason, kind === "P-256" ? "signature.invalid" : "signature.algorithm");
  }
});

test("algorithms are known ones, and never of a header that wants more", () => {
  for (const alg of ["none", "None", "HS256", "RS256", "ES512", "es256", "", "ES256K ", "dir", null, 7, ["ES256"]]) {
    const text = changed("vcdm2", (_, header) => Object.assign(header, { alg }));
    assert.equal(reasonOf(text), "signature.algorithm", String(alg));
  }
  for (const extra of [{ crit: ["exp"] }, { crit: [] }, { b64: false }, { b64: true }]) {
    assert.equal(reasonOf(changed("ebsi", (_, header) => Object.assign(header, extra))), "signature.algorithm");
  }
  const input = changed("vcdm2").replace(/\.[^.]*$/, "");
  assert.equal(reasonOf(input), "signature.missing");
  assert.equal(reasonOf(`${input}.`), "signature.missing");
  const withKey = { jwk: { kty: "EC" }, jku: "https://evil.example", x5c: ["MIIB"], x5u: "https://evil.example" };
  assert.equal(reasonOf(changed("vcdm2", (_, header) => Object.assign(header, withKey))), "read");
  const refusal = refusalOf(() => parseCredential(changed("vcdm2", (_, header) => Object.assign(header, { alg: '"\u202e' }))));
  assert.match(refusal.message, /^the algorithm "\\"\\u\{202e\}" is not accepted/);
});

test("doubled members are refused at every depth, however they are spelt", () => {
  const header = '{"alg":"ES256","kid":"did:ebsi:zx#k","typ":"vc+jwt"}';
  for (const [head, body] of [
    ['{"alg":"ES256","alg":"none","typ":"JWT"}', "{}"],
    ['{"alg":"none","typ":"JWT","\\u0061lg":"ES256"}', "{}"],
    [header, '{"iss":"a","iss":"b"}'],
    [header, '{"vc":{"a":[{"b":1},{"c":{"d":1,"e":[],"d":2}}]}}'],
    [header, '{"a":1,"\\u0061":1}'],
    [header, '{ "x" : { "y" : 1 , "z" : "\\"y\\"" , "y" : 1 } }'],
    [header, '{"__proto__":1,"__proto__":2}'],
  ]) {
    assert.equal(reasonOf(jws(head, body)), "readable.duplicate-members", body);
  }
  const read = (text) => refusalOf(() => readValue(utf8(text)))?.reason ?? "read";
  for (const good of ['{"a":{"b":1},"b":{"a":1}}', '[{"a":1},{"a":1}]', '{"a":"a","b":["a","a",{"a":"b"}]}', '{"":1}']) {
    assert.equal(read(good), "read", good);
  }
  const deep = (depth) => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(read(deep(16)), "read");
  for (const depth of [17, 100, 100_000]) assert.equal(read(deep(depth)), "readable.malformed");
  for (const bad of ["", "{", '{"a":1}x', "{'a':1}", '{"a":01}', '{"a":"\\ud800"}', "\ufeff{}", '{"a":1,}', "nul", "1e400"]) {
    assert.equal(read(bad), "readable.malformed", bad);
  }
  const name = `\u202e${"n".repeat(100)}`;
  const refusal = refusalOf(() => readValue(utf8(`{"${name}":1,"${name}":2}`)));
  assert.equal(refusal.message, `the member "\\u{202e}${"n".repeat(63)}" stands twice in one object`);
});

test("members are split as JSON reads them", () => {
  const text = ' { "a" : "x\\"}]" , "\\u0062": {"c":["]}",{}]} ,"d":[1,2] , "e":-1.5e3,"f":null,"g":"" } ';
  const whole = JSON.parse(text);
  const split = readMembers(utf8(text));
  assert.deepEqual([...split.keys()], Object.keys(whole));
  for (const [name, value] of split) assert.deepEqual(JSON.parse(Buffer.from(value).toString()), whole[name]);
  assert.equal(readMembers(utf8(" {} ")).size, 0);
  const read = (json) => refusalOf(() => readMembers(utf8(json)))?.reason ?? "read";
  assert.equal(read('{"a":1,"\\u0061":2}'), "readable.duplicate-members");
  for (const bad of [
    "", "[]", "{", '{"a"', '{"a":', '{"a":}', '{"a":1', '{"a":1,}', '{"a":1}{', "{a:1}", '{"a":"', '{"a":[}', '{"a" 1}', "{,}",
  ]) {
    assert.equal(read(bad), "readable.malformed", bad);
  }
});

test("what is no credential is not called a bad one", () => {
  for (const text of ["", "hello", "a.b.c", "..", "%PDF-1.7", "eyJ", "e30", "bm90IGpzb24.e30.e30", "{}"]) {
    assert.equal(reasonOf(text), "readable.unknown-format", text);
  }
  for (const typ of ["JWT", "statuslist+jwt", "kb+jwt", "testamur-record-v1+jws", "at+jwt", "dc+sd-jwt"]) {
    assert.equal(reasonOf(jws({ alg: "ES256", typ }, { iss: issuer })), "readable.unknown-format", typ);
  }
  assert.equal(reasonOf("x".repeat(256 * 1024 + 1)), "readable.too-large");
  assert.equal(reasonOf("é".repeat(128 * 1024 + 1)), "readable.too-large", "bytes, not characters");
  const text = changed("vcdm2");
  for (const bad of [`${text}=`, `${text}.e30`, text.replaceAll(".", "..")]) {
    assert.equal(reasonOf(bad), "readable.malformed");
  }
  assert.equal(reasonOf(`${text}~`), "readable.unknown-format", "disclosures of a format without");
  assert.equal(reasonOf(changed("sd-jwt").slice(0, -1)), "readable.malformed", "no ~");
  assert.equal(reasonOf(changed("compact").slice(0, -1)), "read", "a link that lost its last character");
  assert.equal(reasonOf(`${changed("compact")}${disclosure("s", "a", 1)}~`), "readable.disclosure");
});

/** A credential with one member set, or removed where the value is undefined; `vc.` leads into the claim. */
function withMember(format, path, value) {
  return changed(format, (payload, header) => {
    const [first, rest] = path.split(/\.(.*)/s);
    const object = first === "vc" && rest ? payload.vc : first === "header" ? header : payload;
    const name = first === "vc" && rest ? rest : first === "header" ? rest : path;
    if (value === undefined) delete object[name];
    else object[name] = value;
  });
}

test("claims and credential must agree in EBSI's format", () => {
  for (const [path, value] of [
    ["iss", "did:ebsi:zother"],
    ["jti", "urn:uuid:other"],
    ["sub", "did:key:zother"],
    ["nbf", 1_768_471_201],
    ["iat", 1],
    ["exp", 1_926_237_601],
    ["nbf", "1768471200"],
    ["nbf", null],
    ["nbf", 2 ** 53],
    ["vc.issuanceDate", "2026-01-15T10:00:01Z"],
    ["vc.validFrom", "yesterday"],
    ["vc.expirationDate", "2030-01-01T00:00:00Z"],
    ["vc", []],
    ["vc.type", ["VerifiableCredential", 7]],
    ["vc.credentialSubject", "did:key:z"],
    ["vc.issuer", "https://university.example"],
    ["vc.id", null],
  ]) {
    assert.equal(reasonOf(withMember("ebsi", path, value)), "readable.malformed", path);
  }
  for (const path of ["iss", "vc.issuer", "vc.credentialSubject", "vc.credentialSchema", "vc.type"]) {
    assert.equal(reasonOf(withMember("ebsi", path, undefined)), "readable.incomplete", path);
  }
  for (const types of [["VerifiableCredential", "VerifiableAttestation"], ["UniversityDegree"]]) {
    assert.equal(reasonOf(withMember("ebsi", "vc.type", types)), "readable.incomplete");
  }
  for (const [path, value] of [
    ["vc.type", ["EqfLevel7", "UniversityDegree", "VerifiableAttestation", "VerifiableCredential"]],
    ["vc.issuer", { id: issuer, name: "Nobody asks" }],
    ["vc.credentialSchema", [{ id: `0x${"09".repeat(32)}`, type: "JsonSchema" }]],
    ["vc.validFrom", "2026-01-15T11:00:00.999+01:00"],
    ["vc.issued", undefined],
    ["vc.evidence", [{ anything: 1.5 }]],
    ["jti", undefined],
    ["nbf", 1_768_471_200.25],
  ]) {
    const read = parseCredential(withMember("ebsi", path, value));
    assert.deepEqual(read.schemas, ["09".repeat(32)], path);
    assert.deepEqual(read.types, ["EqfLevel7", "UniversityDegree"], path);
    assert.equal(read.validFrom, 1_768_471_200, path);
    assert.equal(read.holder.kind, "unbound");
  }
  assert.equal(reasonOf(withMember("ebsi", "vc.@context", [])), "readable.unknown-format");
  assert.equal(reasonOf(withMember("ebsi", "vc.credentialSubject", [{}, {}])), "readable.unknown-format");
});

test("times are seconds in the spellings that a reader of JSON takes for a number", () => {
  const withNbf = (written) => {
    const { header, payload } = parts("sd-jwt");
    const text = JSON.stringify(payload).replace('"nbf":1768471200', `"nbf":${written}`);
    const token = `${jws(header, text)}~`;
    return reasonOf(token) === "read" ? parseCredential(token).validFrom : reasonOf(token);
  };
  assert.equal(withNbf("1768471200"), 1_768_471_200);
  assert.equal(withNbf("1768471200.9"), 1_768_471_200);
  assert.equal(withNbf("1.7684712e9"), 1_768_471_200);
  assert.equal(withNbf("1e3"), 1_000);
  assert.equal(withNbf("0.5"), 0);
  assert.equal(withNbf("0.00001"), 0);
  assert.equal(withNbf("9007199254740991"), Number.MAX_SAFE_INTEGER);
  for (const bad of ["9007199254740992", "1e16", "1e300", "1e-6", "1.5e-7", "-0", "-0.0", "-1", "-0.5", "18446744073709551616"]) {
    assert.equal(withNbf(bad), "readable.malformed", bad);
  }
});

test("status entries are of known kinds, with an index that is a number", () => {
  const entry = (change) => ({
    id: "urn:x",
    type: "StatusList2021Entry",
    statusPurpose: "revocation",
    statusListIndex: "5",
    statusListCredential: "https://ledger.example/list",
    ...change,
  });
  const read = (change) => {
    const text = withMember("ebsi", "vc.credentialStatus", entry(change));
    return reasonOf(text) === "read" ? parseCredential(text).status[0].index : reasonOf(text);
  };
  assert.equal(read({}), 5n);
  assert.equal(read({ statusListIndex: 5 }), 5n);
  assert.equal(read({ statusListIndex: "18446744073709551615" }), 18_446_744_073_709_551_615n);
  for (const index of ["05", "", "-1", "1.0", "18446744073709551616", -1, 1.5, null]) {
    assert.equal(read({ statusListIndex: index }), "readable.malformed", String(index));
  }
  assert.equal(read({ type: "RevocationList2020Status" }), "status.unknown-list");
  assert.equal(read({ statusPurpose: "message" }), "status.unknown-list");
  for (const name of ["type", "statusPurpose", "statusListIndex", "statusListCredential"]) {
    assert.equal(read({ [name]: undefined }), "readable.incomplete", name);
  }
  const compact = (st) => reasonOf(changed("compact", (payload) => Object.assign(payload, { st })));
  for (const bad of [[], ["diplomas-1"], ["diplomas-1", -1], ["diplomas 1", 1], ["a", 1, 2], "a", null, [1, 1]]) {
    assert.equal(compact(bad), "readable.malformed", JSON.stringify(bad));
  }
  const sd = (status) => reasonOf(changed("sd-jwt", (payload) => Object.assign(payload, { status })));
  assert.equal(sd({ status_list: { idx: 1, uri: "x" } }), "read");
  assert.equal(sd({ status_list: { idx: 1, uri: "x" }, other: {} }), "status.unknown-list");
  for (const bad of [{}, { status_list: {} }, { status_list: { idx: 1 } }]) assert.equal(sd(bad), "readable.incomplete");
  for (const bad of [null, 1, { status_list: 1 }, { status_list: { idx: "1", uri: "x" } }]) {
    assert.equal(sd(bad), "readable.malformed");
  }
});

test("schemas are named in a way of the ledger", () => {
  for (const id of ["https://example.org/schema.json", "zzz", ""]) {
    assert.equal(reasonOf(withMember("ebsi", "vc.credentialSchema", { id, type: "JsonSchema" })), "readable.schema-unknown");
  }
  const other = { id: schemaUrl, type: "SomethingElse" };
  assert.equal(reasonOf(withMember("vcdm2", "credentialSchema", other)), "readable.schema-unknown");
  assert.equal(reasonOf(withMember("vcdm2", "credentialSchema", { type: "JsonSchema" })), "readable.incomplete");
  assert.equal(reasonOf(withMember("vcdm2", "credentialSchema", "x")), "readable.incomplete");
  assert.equal(reasonOf(withMember("compact", "sc", "AAAA")), "readable.schema-unknown");
  assert.equal(reasonOf(withMember("compact", "sc", undefined)), "readable.incomplete");
  assert.equal(reasonOf(withMember("vcdm2", "credentialSchema", new Array(33).fill({}))), "readable.malformed");
});

test("issuers that no ledger knows are strangers and not liars", () => {
  for (const iss of ["https://university.example", "did:web:a%3A1", "", "not a did"]) {
    assert.equal(reasonOf(withMember("sd-jwt", "iss", iss)), "issuer.foreign-did", iss);
  }
  const unnamed = (name) =>
    changed("sd-jwt", (payload, header) => {
      delete payload.iss;
      header[name] = ["MIIB"];
    });
  assert.equal(reasonOf(unnamed("x5c")), "issuer.foreign-did", "known by a certificate");
  assert.equal(reasonOf(unnamed("other")), "readable.incomplete");
  const foreign = changed("vcdm2", (payload, header) => {
    payload.issuer = "did:web:university.example";
    delete payload.credentialSchema;
    header.kid = "#key-1";
  });
  assert.equal(parseCredential(foreign).kid, "did:web:university.example#key-1");
  assert.deepEqual(parseCredential(foreign).schemas, []);
  assert.equal(reasonOf(withMember("vcdm2", "header.kid", "key-1")), "signature.key-unknown");
  assert.equal(reasonOf(withMember("vcdm2", "header.kid", 5)), "readable.malformed");
  assert.equal(reasonOf(withMember("compact", "header.kid", "#key")), "signature.key-unknown");
  assert.equal(reasonOf(withMember("compact", "header.kid", undefined)), "readable.incomplete");
});

test("windows of time are the narrower in the W3C's format", () => {
  const read = parseCredential(changed("vcdm2", (payload) => Object.assign(payload, { nbf: 1_800_000_000, exp: 1_900_000_000 })));
  assert.deepEqual([read.validFrom, read.validUntil], [1_800_000_000, 1_900_000_000]);
  for (const [name, value] of [["iss", "did:ebsi:zother"], ["jti", "x"], ["sub", 5], ["vc", {}]]) {
    assert.equal(reasonOf(withMember("vcdm2", name, value)), "readable.malformed", name);
  }
  for (const context of [[], "https://www.w3.org/2018/credentials/v1", [{}, "https://www.w3.org/ns/credentials/v2"]]) {
    assert.equal(reasonOf(withMember("vcdm2", "@context", context)), "readable.malformed");
  }
});

test("the compact credential's short members are the long ones again", () => {
  const read = parseCredential(changed("compact"));
  assert.deepEqual(toPlain(read.subject), {
    familyName: "Curie",
    eqfLevel: 7,
    jurisdiction: "https://publications.europa.eu/resource/authority/atu/FRA",
    title: [{ language: "en", text: "Bachelor" }, { language: "fr", text: "Licence" }],
  });
  assert.equal(read.issuer, issuer, "that of the key");
  assert.equal(read.status[0].url, `/v1/status-lists/${issuer}/diplomas-1/token`);
  for (const change of [{ eq: 1.5 }, { eqfLevel: 7 }, { ti: [] }, { ju: 1 }, { ty: [1] }]) {
    assert.equal(reasonOf(changed("compact", (payload) => Object.assign(payload, change))), "readable.malformed");
  }
  assert.equal(reasonOf(changed("compact", (payload) => Object.assign(payload, { _sd: [] }))), "readable.disclosure");
  const claimed = parseCredential(changed("compact", (payload) => {
    delete payload.eq;
    payload.eqfLevel = "7";
    payload.ju = "urn:elsewhere";
  }));
  assert.deepEqual([claimed.types, claimed.subject.eqfLevel], [["UniversityDegree"], "7"]);
  assert.equal(claimed.subject.jurisdiction, "urn:elsewhere");
});

test("holders are read as they were bound", () => {
  const { jwk } = vector("credentials/vcdm2.json").cases[0];
  const other = vector("credentials/vcdm2.json").cases.find((found) => found.jwk.crv === "P-384").jwk;
  const wallet = vector("did-key.json").good[0];
  const did = wallet.kid.split("#")[0];
  const holder = (change) => {
    const text = changed("sd-jwt", (payload) => Object.assign(payload, change));
    return reasonOf(text) === "read" ? parseCredential(text).holder : reasonOf(text);
  };
  assert.deepEqual(holder({}), { kind: "unbound" });
  assert.deepEqual(holder({ cnf: { jwk: { ...jwk, use: "sig" } } }), { kind: "key", jwk });
  assert.deepEqual(holder({ sub: "did:web:x", cnf: { jwk } }), { kind: "key", jwk }, "the key is what a wallet proves");
  assert.deepEqual(holder({ sub: "did:web:x" }), { kind: "did", did: "did:web:x" });
  assert.deepEqual(holder({ cnf: { kid: "did:web:x#k" } }), { kind: "did", did: "did:web:x" });
  assert.deepEqual(holder({ sub: "urn:uuid:1" }), { kind: "unbound" });
  assert.equal(holder({ cnf: { jwk: { ...jwk, x: jwk.y } } }), "readable.malformed", "off the curve");
  for (const bad of [null, {}, { kty: "RSA", n: "AQAB" }]) assert.equal(holder({ cnf: { jwk: bad } }), "readable.malformed");
  assert.deepEqual(holder({ sub: did, cnf: { jwk: wallet.jwk } }), { kind: "did", did });
  assert.equal(holder({ sub: did, cnf: { jwk: other } }), "readable.malformed", "two keys");
});

/** An SD-JWT of claims of one's own, with these disclosures. */
function selective(change, ...given) {
  const { header, payload } = parts("sd-jwt");
  delete payload.eqfLevel;
  Object.assign(payload, change);
  return [jws(header, payload), ...given, ""].join("~");
}

test("RFC 9901 §4.2.3: another's disclosure has its digest; spaces are part of it", () => {
  const given = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
  const read = parseCredential(selective({ _sd: ["X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"] }, given));
  assert.deepEqual(toPlain(read.subject), { family_name: "Möbius" });
});

test("disclosures belong where they stand and overwrite nothing", () => {
  const name = disclosure("s1", "familyName", "Curie");
  const inner = disclosure("s2", "street", "Rue Lhomond");
  const outer = disclosure("s3", "address", { _sd: [digestOf(inner)], country: "FR" });
  const element = disclosure("s4", "fr");
  const all = { _sd: [digestOf(name), digestOf(outer), digestOf("decoy")] };
  const read = parseCredential(selective(all, inner, outer, name));
  assert.deepEqual(toPlain(read.subject), { familyName: "Curie", address: { country: "FR", street: "Rue Lhomond" } });
  assert.equal(read.undisclosed, 1);
  assert.equal(parseCredential(selective(all, outer)).undisclosed, 3);
  const languages = { languages: [{ "...": digestOf(element) }, "de", { "...": digestOf("decoy") }] };
  assert.deepEqual(parseCredential(selective(languages, element)).subject.languages, ["fr", "de"]);
  assert.deepEqual(parseCredential(selective(languages)).subject.languages, ["de"]);
  const twice = disclosure("s5", "familyName", "Other");
  const many = Array.from({ length: 129 }, (_, n) => disclosure("s", `f${n}`, n));
  const chain = [disclosure("s", "end", 1)];
  for (let n = 0; n < 100; n++) chain.push(disclosure("s", "next", { _sd: [digestOf(chain[n])] }));
  const refused = {
    "a part without the whole": selective(all, inner),
    "a disclosure twice": selective(all, name, name),
    "a field that was not signed": selective(all, disclosure("s9", "familyName", "Skłodowska")),
    "a digest twice": selective({ _sd: [digestOf(name), digestOf(name)] }, name),
    "a decoy twice": selective({ _sd: ["decoy", "decoy"] }),
    "an element as a member": selective({ _sd: [digestOf(element)] }, element),
    "a field twice": selective({ _sd: [digestOf(name), digestOf(twice)] }, name, twice),
    "a member as an element": selective({ languages: [{ "...": digestOf(name) }] }, name),
    "more beside a digest": selective({ languages: [{ "...": digestOf(element), x: 1 }] }, element),
    "over an open field": selective({ familyName: "Open", _sd: [digestOf(name)] }, name),
    "an element's digest in an object": selective({ "...": "x" }),
    "more than are read": selective({ _sd: many.map(digestOf) }, ...many),
    "nested too deep": selective({ _sd: [digestOf(chain[100])] }, ...chain),
    "_sd is text": selective({ _sd: "x" }),
    "_sd of numbers": selective({ _sd: [5] }),
    "_sd is an object": selective({ _sd: {} }),
  };
  for (const reserved of ["iss", "exp", "vct", "types", "cnf", "jurisdiction", "eqfLevel", "print", "_sd", "...", "holderBinding"]) {
    const hidden = disclosure("s6", reserved, 7);
    refused[reserved] = selective({ _sd: [digestOf(hidden)] }, hidden);
  }
  const shapes = [disclosure("s"), disclosure(1, "a", 2), disclosure("s", 1, 2), disclosure("s", "a", 1, 2)];
  for (const bad of ["", "e30", "!", ...shapes]) {
    refused[`the disclosure ${bad}`] = selective({ _sd: [digestOf(bad)] }, bad);
  }
  for (const [what, text] of Object.entries(refused)) assert.equal(reasonOf(text), "readable.disclosure", what);
  const doubled = encoded('["s","a",{"b":1,"b":2}]');
  assert.equal(reasonOf(selective({ _sd: [digestOf(doubled)] }, doubled)), "readable.duplicate-members");
  assert.equal(reasonOf(selective({ _sd_alg: "sha-512" })), "readable.unknown-format");
  const proto = disclosure("s", "__proto__", { polluted: true });
  const polluted = parseCredential(selective({ _sd: [digestOf(proto)] }, proto));
  assert.deepEqual(Object.keys(polluted.subject), ["__proto__"]);
  assert.equal({}.polluted, undefined);
});

test("a holder chooses what to show", () => {
  const [title, name] = [disclosure("s1", "title", "Licence"), disclosure("s2", "familyName", "Curie")];
  const text = selective({ _sd: [digestOf(title), digestOf(name)], eqfLevel: 7 }, title, name);
  assert.deepEqual(disclosable(text), ["familyName", "title"]);
  const shown = disclose(text, ["title"]);
  assert.deepEqual(Object.keys(parseCredential(shown).subject).sort(), ["eqfLevel", "title"]);
  assert.equal(parseCredential(shown).undisclosed, 1);
  const bound = `${text}e30.e30.AA`;
  assert.equal(keyBinding(bound), "e30.e30.AA");
  assert.equal(keyBinding(text), undefined);
  assert.equal(disclose(bound, ["title", "familyName"]), text, "without the key binding");
  assert.throws(() => disclose(shown, ["familyName"]), { name: "DiscloseError", kind: "unknown" });
  assert.throws(() => disclose(text, ["eqfLevel"]), { kind: "unknown" }, "always shown");
  assert.throws(() => disclose(changed("ebsi"), []), (error) => error instanceof DiscloseError && error.kind === "format");
  assert.throws(() => disclose("x", []), Refusal);
});

test("mutants are read or refused, and nothing else happens", () => {
  const next = random(20_261_122);
  const good = FORMATS.flatMap((format) => vector(`credentials/${format}.json`).cases.map(({ text }) => text));
  const outcomes = new Map();
  for (let round = 0; round < 6_000; round++) {
    const text = mutant(good[next() % good.length], next);
    const outcome = reasonOf(text);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  assert.ok(outcomes.size >= 8, [...outcomes].join(" "));
});

/** A credential with something changed: in its text, or in the JSON of one of its parts. */
function mutant(text, next) {
  if (next() % 4 === 0) {
    const at = next() % text.length;
    return text.slice(0, at) + ["", "~", ".", "A", "é", "=", text.slice(at, at + 40)][next() % 7] + text.slice(at + (next() % 3));
  }
  const pieces = text.split(/([.~])/);
  const bodies = pieces.map((piece, at) => (piece.length > 8 ? at : -1)).filter((at) => at >= 0);
  const at = bodies[next() % bodies.length];
  const json = Buffer.from(pieces[at], "base64url").toString();
  const values = ["null", "1.0", "-1", "[]", "{}", '""', "1e3", "18446744073709551616", '"\\ud800"', '{"a":1,"a":1}', "[[1]]"];
  const spots = [...json.matchAll(/"(?:[^"\\]|\\.)*"|\d+|[[\]{}:,]/g)];
  if (spots.length === 0) return text;
  const spot = spots[next() % spots.length];
  const replaced = json.slice(0, spot.index) + values[next() % values.length] + json.slice(spot.index + spot[0].length);
  pieces[at] = encoded(replaced);
  return pieces.join("");
}
