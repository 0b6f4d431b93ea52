// Reading accreditation credentials: EBSI's four kinds as they are issued, and every shape that is not one of them.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import test from "node:test";

import { base58, base64url, fromBase58, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { PublicKey } from "../../src/verify/dist/base/keys.js";
import {
  Accreditation,
  kindOfIssuer,
  MalformedAccreditation,
  outOfScopeText,
  parseSchemaId,
  readAccreditation,
  specificTypes,
} from "../../src/verify/dist/state/accreditation.js";

const SCHEMA_ID = "zDpWGUBenmqXzurskry9Nsk6vq2R8thh9VSeoRqguoyMD";
const BEL = "https://publications.europa.eu/resource/authority/atu/BEL";
const LUX = "https://publications.europa.eu/resource/authority/atu/LUX";
/** 2026-01-15T10:00:00Z and 2031-01-15T10:00:00Z. */
const FROM = 1_768_471_200;
const UNTIL = 1_926_237_600;

const did = (n) => `did:ebsi:z${base58(Uint8Array.from([1, ...Array(16).fill(n)]))}`;
const keys = (type) => generateKeyPairSync("ec", { namedCurve: type });
const publicKey = ({ publicKey }) => {
  const { crv, kty, x, y } = publicKey.export({ format: "jwk" });
  return PublicKey.fromJwk({ crv, kty, x, y });
};
const signer = keys("P-256");
const attribute = "ab".repeat(32);
const schema = `https://ledger.example/trusted-schemas-registry/v3/schemas/${SCHEMA_ID}`;

/** A TAO's accreditation of a trusted issuer, in EBSI's shape. */
function claims() {
  return {
    jti: "urn:uuid:425e02ff-9890-4d2f-affe-1e95a75e5771",
    sub: did(2),
    iss: did(1),
    nbf: FROM,
    exp: UNTIL,
    iat: FROM,
    vc: {
      "@context": ["https://www.w3.org/2018/credentials/v1"],
      id: "urn:uuid:425e02ff-9890-4d2f-affe-1e95a75e5771",
      type: [
        "VerifiableCredential",
        "VerifiableAttestation",
        "VerifiableAccreditation",
        "VerifiableAccreditationToAttest",
      ],
      issuer: did(1),
      issuanceDate: "2026-01-15T10:00:00Z",
      issued: "2026-01-15T10:00:00Z",
      validFrom: "2026-01-15T10:00:00Z",
      expirationDate: "2031-01-15T10:00:00Z",
      credentialSubject: {
        id: did(2),
        reservedAttributeId: attribute,
        accreditedFor: [
          {
            schemaId: schema,
            types: ["VerifiableCredential", "VerifiableAttestation", "UniversityDegree"],
            limitJurisdiction: BEL,
          },
        ],
      },
      credentialSchema: { id: schema, type: "FullJsonSchemaValidator2021" },
      termsOfUse: { id: `https://ledger.example/attributes/${attribute}`, type: "IssuanceCertificate" },
      credentialStatus: { id: "https://ledger.example/x", type: "EbsiAccreditationEntry" },
    },
  };
}

const header = { alg: "ES256", kid: `${did(1)}#key`, typ: "JWT" };
const asText = (value) => (typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value));
const encoded = (value) => base64url(typeof asText(value) === "string" ? utf8(asText(value)) : value);

function jwt(claims, head = header, { privateKey } = signer) {
  const input = `${encoded(head)}.${encoded(claims)}`;
  return `${input}.${base64url(sign("sha256", utf8(input), { key: privateKey, dsaEncoding: "ieee-p1363" }))}`;
}

function having(change) {
  const made = claims();
  change(made, made.vc, made.vc.credentialSubject, made.vc.credentialSubject.accreditedFor[0]);
  return made;
}

const read = (claims) => Accreditation.parse(jwt(claims));

function refusal(text) {
  try {
    Accreditation.parse(text);
  } catch (error) {
    assert.ok(error instanceof MalformedAccreditation, error);
    return error.message;
  }
  return "none";
}

const parts = (a) => ({
  issuer: a.issuer,
  subject: a.subject,
  attribute: a.attribute,
  scopes: a.scopes,
  validFrom: a.validFrom,
  validUntil: a.validUntil,
  termsOfUse: a.termsOfUse,
});

test("a credential of EBSI's shape is read in full", async () => {
  const found = read(claims());
  assert.equal(found.kind, "VerifiableAccreditationToAttest");
  assert.deepEqual(parts(found), {
    issuer: did(1),
    subject: did(2),
    attribute,
    scopes: [
      { schema: parseSchemaId(SCHEMA_ID), types: new Set(["UniversityDegree"]), jurisdictions: new Set([BEL]) },
    ],
    validFrom: FROM,
    validUntil: UNTIL,
    termsOfUse: `https://ledger.example/attributes/${attribute}`,
  });
  assert.equal(found.kid, `${did(1)}#key`);
  assert.equal(found.jkt, undefined);
  assert.ok(!(await found.verifySignature(publicKey(keys("P-256")))));
  assert.ok(await found.verifySignature(publicKey(signer)));
  assert.ok(await found.verifySignature(publicKey(signer)), "remembered");
  assert.ok(!(await found.verifySignature(publicKey(keys("P-256")))), "another key is verified anew");
  assert.ok(!(await found.verifySignature(publicKey(keys("P-384")))), "nor with a key of another kind");
});

test("what may be written in two ways is read in both", () => {
  const plain = parts(read(claims()));
  const same = [
    having((_, vc) => (vc.issuer = { id: did(1), name: "An agency" })),
    having((_, vc) => (vc.termsOfUse = [{ id: "x", type: "Other" }, vc.termsOfUse])),
    having((c, vc, s, scope) => (scope.limitJurisdiction = [BEL])),
    having((c, vc, s) => (s.reservedAttributeId = `0x${attribute}`)),
    having((c, vc, s, scope) => (scope.schemaId = `ebsi:trusted-schemas-registry:/schemas/${SCHEMA_ID}`)),
    having((_, vc) => (vc.validFrom = "2026-01-15T11:00:00.999+01:00")),
    having((_, vc) => delete vc.validFrom),
    having((c) => delete c.sub),
    having((c) => delete c.nbf),
    // Null stands for what may be missing.
    having((c, vc) => ([c.sub, c.nbf, c.exp, vc.validFrom] = [null, null, null, null])),
    having((c, vc, s) => (s.cnf = null)),
    // A list of members stands for an object inside, as the node's reader has it.
    having((c, vc, s, scope) => (s.accreditedFor = [[scope.schemaId, scope.types, scope.limitJurisdiction]])),
    having((c, vc) => (vc.credentialSubject = Object.values(vc.credentialSubject))),
    having((c, vc) => (vc.termsOfUse = [vc.termsOfUse.id, vc.termsOfUse.type])),
  ];
  same.forEach((claims, number) => assert.deepEqual(parts(read(claims)), plain, `case ${number}`));
  assert.equal(parseSchemaId(`https://x/0x${hex(fromBase58(SCHEMA_ID.slice(1)))}`), parseSchemaId(schema));
  const onboarding = read(
    having((_, vc) => {
      vc.type = ["VerifiableCredential", "VerifiableAuthorisationToOnboard"];
      vc.credentialSubject = { id: did(2), cnf: { jkt: "thumbprint" } };
    }),
  );
  assert.deepEqual([onboarding.attribute, onboarding.jkt], [undefined, "thumbprint"]);
  for (const [type, kind] of [
    ["root-tao", "VerifiableAuthorisationForTrustChain"],
    ["tao", "VerifiableAccreditationToAccredit"],
    ["ti", "VerifiableAccreditationToAttest"],
  ]) {
    assert.equal(kindOfIssuer(type), kind);
    assert.equal(read(having((_, vc) => (vc.type = [kind]))).kind, kind);
  }
});

test("what is not read need only be JSON in its grammar", () => {
  const text = JSON.stringify(claims());
  const more = (member) => text.replace("{", `{${member},`);
  const skipped = ['"x":1e999', '"x":-0.0E-400', '"x":"\\ud800"', '"x":{"a":1,"a":[{}]}', '"x":{"\\udfff":[]}', '"x":[ ]'];
  for (const member of skipped) assert.equal(refusal(jwt(more(member))), "none", member);
  const raw = (before, bytes, after) => Uint8Array.from([...utf8(before), ...bytes, ...utf8(after)]);
  assert.equal(refusal(jwt(raw('{"x":"', [0xff, 0xc3], `",${text.slice(1)}`))), "none", "no text of ours");
  assert.equal(refusal(jwt(`\n\t\r ${text} \n`)), "none");
  const grammar = ['"x":01', '"x":1.', '"x":.5', '"x":+1', '"x":1e', '"x":-', '"x":nul', '"x":"\\x"', '"x":"\\u12"'];
  const broken = ['"x":"\n"', '"x":[1,]', '"x":{"a":1,}', '"x":{a:1}', '"x":[1 2]', '"x"', '"x":', '"\\ud800":1'];
  for (const member of [...grammar, ...broken]) {
    assert.match(refusal(jwt(more(member))), /not the expected JSON/, member);
  }
  assert.match(refusal(jwt(raw('{"', [0xff], `":1,${text.slice(1)}`))), /not the expected JSON/, "a name is text");
  assert.match(refusal(jwt(`\ufeff${text}`)), /expected a JSON object/);
  // What has several forms is read in every part to find out which.
  const issuer = (member) => JSON.stringify(having((_, vc) => (vc.issuer = { id: did(1) }))).replace('{"id"', `{${member},"id"`);
  assert.equal(refusal(jwt(issuer('"x":[1,{"x":1,"x":2}]'))), "none");
  for (const member of ['"x":1e999', '"x":"\\ud800"', '"id":"x"']) {
    assert.match(refusal(jwt(issuer(member))), /not the expected JSON/, member);
  }
});

test("the window is the narrowest that dates and claims agree on", () => {
  const window = (change) => {
    const found = read(having(change));
    return [found.validFrom, found.validUntil];
  };
  assert.deepEqual(window((c) => (c.nbf = FROM + 5)), [FROM + 5, UNTIL]);
  assert.deepEqual(window((c) => (c.nbf = 5)), [FROM, UNTIL]);
  assert.deepEqual(window((c) => (c.exp = UNTIL - 5)), [FROM, UNTIL - 5]);
  assert.deepEqual(window((c) => (c.exp = UNTIL + 5)), [FROM, UNTIL]);
  const endless = read(
    having((c, vc) => {
      delete c.exp;
      delete vc.expirationDate;
    }),
  );
  assert.equal(endless.validUntil, undefined);
  const found = read(claims());
  assert.deepEqual(
    [FROM - 1, FROM, UNTIL - 1, UNTIL].map((time) => found.isValidAt(time)),
    [false, true, true, false],
  );
  assert.ok(endless.isValidAt(Number.MAX_SAFE_INTEGER));
  // Integers of 64 bits are compared as such.
  const far = (nbf, exp) => {
    const made = having((c, vc) => {
      delete vc.expirationDate;
      [c.nbf, c.exp] = ["NBF", "EXP"];
    });
    return refusal(jwt(JSON.stringify(made).replace('"NBF"', nbf).replace('"EXP"', exp)));
  };
  assert.equal(far("1152921504606846976", "1152921504606846977"), "none");
  assert.equal(far("18446744073709551614", "18446744073709551615"), "none");
  assert.match(far("1152921504606846976", "1152921504606846976"), /ends before it begins/);
  assert.match(far("5", "18446744073709551616"), /not the expected JSON/);
  assert.match(far("5", "1e3"), /not the expected JSON/);
  assert.match(far("-0", "10"), /not the expected JSON/);
});

test("claims of another shape are refused", () => {
  const many = (count, text) => Array.from({ length: count }, (_, n) => `${text}${n}`);
  const [{ credentialSubject }] = [claims().vc];
  const [scope] = credentialSubject.accreditedFor;
  const json = "not the expected JSON";
  const cases = [
    [having((c) => (c.iss = did(3))), "differ"],
    [having((c, vc) => (vc.issuer = did(3))), "differ"],
    [having((c, vc) => (vc.issuer = { name: "x" })), json],
    [having((c, vc) => (vc.issuer = [did(1)])), json],
    [having((c, vc) => (vc.issuer = null)), json],
    [having((c) => (c.sub = did(3))), "sub and credentialSubject.id differ"],
    [having((c, vc) => (vc.type = ["VerifiableCredential"])), "exactly one"],
    [having((c, vc) => (vc.type = [])), "exactly one"],
    [
      having((c, vc) => (vc.type = ["VerifiableAccreditationToAttest", "VerifiableAccreditationToAccredit"])),
      "exactly one",
    ],
    [having((c, vc) => (vc.type = "VerifiableAccreditationToAttest")), json],
    [having((c, vc) => (vc.credentialSubject = [{ id: did(2) }])), json],
    [having((c, vc) => (vc.credentialSubject = [did(2), null, [], null, 1])), json],
    [having((c) => delete c.vc), json],
    [having((c) => (c.vc = "x")), json],
    [having((c, vc, s) => (c.sub = s.id = "nobody")), "not a DID"],
    [having((c, vc, s) => (s.reservedAttributeId = "ab")), "reservedAttributeId"],
    [having((c, vc, s) => (s.reservedAttributeId = "AB".repeat(32))), "reservedAttributeId"],
    [having((c, vc, s) => (s.reservedAttributeId = 7)), json],
    [having((c, vc, s) => (s.accreditedFor = {})), json],
    [having((c, vc, s) => (s.accreditedFor = null)), json],
    [having((c, vc, s) => (s.accreditedFor = Array(65).fill(scope))), "at most 64"],
    [having((c, vc, s) => (s.cnf = "jkt")), json],
    [having((c, vc, s, scope) => (scope.schemaId = "https://x/schemas/z0")), "schemaId"],
    [having((c, vc, s, scope) => (scope.schemaId = "")), "schemaId"],
    [having((c, vc, s, scope) => (scope.schemaId = `${"x".repeat(256)}/${SCHEMA_ID}`)), "schemaId"],
    [having((c, vc, s, scope) => (scope.schemaId = `${"é".repeat(110)}/${SCHEMA_ID}`)), "schemaId"],
    [having((c, vc, s, scope) => (scope.types = many(33, "T"))), "too many types"],
    [having((c, vc, s, scope) => (scope.types = [""])), "1 to 256"],
    [having((c, vc, s, scope) => (scope.types = ["x".repeat(257)])), "1 to 256"],
    [having((c, vc, s, scope) => (scope.types = ["é".repeat(129)])), "1 to 256"],
    [having((c, vc, s, scope) => (scope.types = "UniversityDegree")), json],
    [having((c, vc, s, scope) => (scope.limitJurisdiction = many(65, "J"))), "too many types or jurisdictions"],
    [having((c, vc, s, scope) => (scope.limitJurisdiction = "")), "1 to 256"],
    [having((c, vc, s, scope) => (scope.limitJurisdiction = { id: BEL })), json],
    [having((c, vc, s, scope) => (scope.limitJurisdiction = null)), json],
    [having((c, vc) => (vc.validFrom = "yesterday")), "a date must be"],
    [having((c, vc) => (vc.validFrom = "2026-02-30T10:00:00Z")), "a date must be"],
    [having((c, vc) => (vc.validFrom = "1969-12-31T23:59:59Z")), "a date must be"],
    [having((c, vc) => (vc.validFrom = FROM)), json],
    [having((c, vc) => (vc.expirationDate = "2026-01-15T10:00:00Z")), "ends before it begins"],
    [having((c) => (c.exp = FROM)), "ends before it begins"],
    [having((c) => (c.exp = -1)), json],
    [having((c) => (c.exp = 1.5)), json],
    [having((c) => (c.exp = "soon")), json],
    [
      having((c, vc) => {
        delete c.nbf;
        delete vc.validFrom;
        delete vc.issuanceDate;
      }),
      "is missing",
    ],
    [having((c, vc) => (vc.termsOfUse = "https://x")), json],
    [having((c, vc) => (vc.termsOfUse = null)), json],
  ];
  for (const [claims, expected] of cases) {
    const found = refusal(jwt(claims));
    assert.ok(found.includes(expected), `${found}; expected ${expected}: ${JSON.stringify(claims)}`);
  }
});

test("bytes of another shape are refused", () => {
  const good = JSON.stringify(claims());
  const signed = jwt(good);
  const headers = (change) => {
    const made = { ...header };
    change(made);
    return jwt(good, made);
  };
  const cases = [
    ["", "not a compact JWS"],
    ["a", "not a compact JWS"],
    ["a.b", "not a compact JWS"],
    ["a.b.c.d", "base64url"],
    [`${signed}=`, "base64url"],
    [` ${signed}`, "base64url"],
    [signed.replaceAll(".", ".é"), "ASCII"],
    ["x".repeat(32_769), "32,768"],
    [jwt(good, "[]"), "expected a JSON object"],
    [jwt("[]"), "expected a JSON object"],
    [jwt("null"), "expected a JSON object"],
    [jwt("{"), "not the expected JSON"],
    [jwt(`${good}${good}`), "not the expected JSON"],
    [jwt(`{"x":${"[".repeat(17)}${"]".repeat(17)}}`), "deep"],
    [jwt(`{"x":${"[".repeat(15)}${"]".repeat(15)},${good.slice(1)}`), "none"],
    [jwt(good.replace("{", `{"iss":"${did(1)}",`)), "duplicate field"],
    [jwt(good.replace('"reservedAttributeId"', '"id":"x","reservedAttributeId"')), "duplicate field"],
    [headers((h) => (h.crit = ["exp"])), "crit"],
    [headers((h) => (h.b64 = false)), "b64"],
    [headers((h) => (h.crit = null)), "none"],
    [headers((h) => (h.typ = "vc+jwt")), "typ must be JWT"],
    [headers((h) => (h.alg = "none")), "ES256"],
    [headers((h) => (h.alg = "HS256")), "ES256"],
    [headers((h) => (h.kid = "key")), "kid"],
    [headers((h) => (h.kid = did(1))), "kid"],
    [headers((h) => (h.kid = `${did(3)}#key`)), "differ"],
    [headers((h) => delete h.kid), "not the expected JSON"],
    [headers((h) => delete h.typ), "none"],
    [headers((h) => (h.cty = "x")), "none"],
  ];
  cases.forEach(([text, expected], number) => {
    const found = refusal(text);
    assert.ok(found.includes(expected), `case ${number}: ${found}; expected ${expected}`);
  });
});

test("a scope lies within one of the accreditation's own", () => {
  const [other, third] = [`https://x/0x${"cd".repeat(32)}`, `https://x/0x${"ef".repeat(32)}`];
  const scope = (schemaId, types, limitJurisdiction) => ({ schemaId, types, limitJurisdiction });
  const own = read(
    having((c, vc, s) => {
      s.accreditedFor = [
        scope(schema, ["Degree", "Diploma"], [BEL]),
        scope(schema, ["Diploma", "Transcript"], [LUX]),
        scope(other, ["License"], []),
      ];
    }),
  );
  const covers = (schema, types, places) => {
    const found = own.covers({
      schema: parseSchemaId(schema),
      types: specificTypes(types),
      jurisdictions: new Set(places),
    });
    return found && `${found.what} ${found.name}`;
  };
  const neighbour = `${BEL}X`;
  const cases = [
    [schema, ["VerifiableCredential", "Degree"], [BEL], undefined],
    [schema, ["Degree"], [`${BEL}_VLG`], undefined],
    [schema, ["Transcript"], [LUX], undefined],
    [other, ["License"], [], undefined],
    [other, ["License"], [LUX], undefined],
    [third, ["Degree"], [BEL], `schema ${"ef".repeat(32)}`],
    [schema, ["License"], [BEL], "type License"],
    [schema, ["Degree", "Passport"], [BEL], "type Passport"],
    [schema, ["Degree", "Transcript"], [BEL], "type Degree"],
    [schema, ["Degree"], [LUX], `jurisdiction ${LUX}`],
    [schema, ["Diploma"], [LUX, BEL], `jurisdiction ${BEL}`],
    [schema, ["Degree"], [], "jurisdiction everywhere"],
    [schema, ["Degree"], [neighbour], `jurisdiction ${neighbour}`],
  ];
  for (const [of, types, places, expected] of cases) assert.equal(covers(of, types, places), expected);
  assert.equal(
    outOfScopeText({ what: "type", name: "Passport" }),
    "type Passport is not accredited for this schema",
  );
  const root = (scopes) =>
    read(
      having((c, vc, s) => {
        vc.type = ["VerifiableAuthorisationForTrustChain"];
        s.accreditedFor = scopes;
      }),
    );
  assert.ok(root([]).isUnlimited);
  assert.ok(!root([scope(schema, ["Degree"], [])]).isUnlimited);
  assert.ok(!read(having((c, vc, s) => (s.accreditedFor = []))).isUnlimited, "only a Root TAO's is");
});

test("what was read is remembered by all of its text, within bounds", () => {
  const first = jwt(claims());
  const found = readAccreditation(first);
  assert.equal(readAccreditation(first), found);
  assert.notEqual(readAccreditation(jwt(claims())), found, "another signature is another credential");
  assert.throws(() => readAccreditation("a.b.c"), MalformedAccreditation);
  assert.throws(() => readAccreditation("a.b.c"), MalformedAccreditation);
  const body = first.slice(0, first.lastIndexOf("."));
  for (let n = 0; n < 1_100; n++) readAccreditation(`${body}.${base64url(utf8(`signature ${n}`))}`);
  assert.notEqual(readAccreditation(first), found, "what nobody asks for is forgotten");
});

test("schema ids are 32 bytes at the end of a path", () => {
  const id = "be77a21356835dc09d3d8149ea832ae0a4bae0ae9c869d18219ef8f4a74b4644";
  for (const text of [SCHEMA_ID, id, `0x${id}`, `a/${id}`, `z/${SCHEMA_ID}`]) assert.equal(parseSchemaId(text), id, text);
  for (const text of ["", "z", `Z${id}`, `0x0x${id}`, id.toUpperCase(), `${id}/`, `z${id}`, `${SCHEMA_ID}0`, `z1${SCHEMA_ID.slice(1)}`]) {
    assert.equal(parseSchemaId(text), undefined, text);
  }
});
