// The chain of accreditations: one that holds, and everything for which one does not.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import test from "node:test";

import { base58, base64url, utf8 } from "../../src/verify/dist/base/bytes.js";
import { PublicKey } from "../../src/verify/dist/base/keys.js";
import { accredited, ChainRefusal, TrustChain, trustChain } from "../../src/verify/dist/state/chain.js";
import { didObject, thumbprint } from "../../src/verify/dist/state/identity.js";
import { attributeObject, issuerObject } from "../../src/verify/dist/state/issuers.js";
import { NotProven } from "../../src/verify/dist/state/state.js";
import { Memory } from "./support/state.mjs";

const FILLED = 1_000;
const AT = 2_000;
const SCHEMA = "09".repeat(32);
const KIND = {
  "root-tao": "VerifiableAuthorisationForTrustChain",
  tao: "VerifiableAccreditationToAccredit",
  ti: "VerifiableAccreditationToAttest",
};

const did = (n) => `did:ebsi:z${base58(Uint8Array.from([1, ...Array(16).fill(n)]))}`;
const place = (n) => n.toString(16).padStart(2, "0").repeat(32);
const pairs = new Map();

function pair(n) {
  if (!pairs.has(n)) pairs.set(n, generateKeyPairSync("ec", { namedCurve: "P-256" }));
  return pairs.get(n);
}

function jwkOf(n) {
  const { crv, kty, x, y } = pair(n).publicKey.export({ format: "jwk" });
  return { crv, kty, x, y };
}

const fragment = (n) => thumbprint(PublicKey.fromJwk(jwkOf(n)));

/** A party: its number names its DID, its key and its attribute. `by` accredits it. */
const scopes = [{ schemaId: `0x${SCHEMA}`, types: ["Degree", "Diploma"], limitJurisdiction: "https://a/LUX" }];
const ministry = { n: 1, by: 1, type: "root-tao", scopes: [] };
const agency = { n: 2, by: 1, type: "tao", scopes };
const university = { n: 3, by: 2, type: "ti", scopes: [{ ...scopes[0], types: ["Degree"] }] };

function credential(party, change = () => {}) {
  const head = { alg: "ES256", kid: `${did(party.by)}#${fragment(party.by)}`, typ: "JWT" };
  const claims = {
    iss: did(party.by),
    vc: {
      type: ["VerifiableCredential", KIND[party.type]],
      issuer: did(party.by),
      validFrom: "1970-01-01T00:10:00Z",
      expirationDate: "1970-01-01T01:00:00Z",
      credentialSubject: { id: did(party.n), reservedAttributeId: place(party.n), accreditedFor: party.scopes },
    },
  };
  change(claims.vc, claims, head);
  const input = [head, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  const { privateKey } = pair(party.signer ?? party.by);
  return `${input}.${base64url(sign("sha256", utf8(input), { key: privateKey, dsaEncoding: "ieee-p1363" }))}`;
}

/** The state values of some parties; each may change its entries before they are written. */
function world(...parties) {
  const values = {};
  const put = (object, ...entries) => {
    entries.forEach((entry, i) => {
      const whole = { v: 1, seq: i + 1, height: i + 1, ...entry };
      values[object.entry(i + 1)] = values[object.head] = whole;
    });
  };
  for (const party of parties) {
    const grants = party.grants ?? [{ relationship: "assertionMethod", not_before: 0 }];
    const method = { id: fragment(party.n), key: jwkOf(party.n), grants, ...party.method };
    const record = "01".repeat(32);
    if (!party.unregistered) {
      put(didObject(did(party.n)), {
        time: party.registered ?? 1,
        record,
        controllers: [did(party.n)],
        methods: [method],
        services: [],
        deactivated: false,
      });
    }
    const reserved = {
      record,
      subject: did(party.n),
      accreditor: did(party.by),
      root: did(1),
      parent: party.type === "root-tao" ? place(0) : place(party.parent ?? party.by),
      issuer_type: party.type,
      entity: { names: [{ lang: "en", name: `Party ${party.n}` }], country: "LU" },
    };
    const filled = { ...reserved, credential: credential(party, party.change), filled: FILLED, ...party.entry };
    put(
      attributeObject(place(party.n)),
      { time: 10, ...reserved },
      { time: FILLED, ...filled },
      ...(party.later ?? []).map((entry) => ({ ...filled, ...entry })),
    );
    put(issuerObject(did(party.n)), { time: 10, attributes: party.attributes ?? [place(party.n)] });
  }
  return new Memory(values);
}

async function judge(parties, at = AT, leaf = 3) {
  const found = await trustChain(world(...parties), place(leaf), at);
  return found instanceof ChainRefusal ? found.code : found;
}

const good = [ministry, agency, university];
/** The good world but for one party. */
const but = (party, ...more) => [...good.filter(({ n }) => n !== party.n), party, ...more];

test("a chain that holds tells its links", async () => {
  const chain = await judge(good);
  assert.ok(chain instanceof TrustChain);
  assert.deepEqual(
    chain.links.map(({ attribute, subject, issuerType, filled }) => [attribute, subject, issuerType, filled]),
    [
      [place(3), did(3), "ti", FILLED],
      [place(2), did(2), "tao", FILLED],
      [place(1), did(1), "root-tao", FILLED],
    ],
  );
  assert.equal(chain.issuer.entity.names[0].name, "Party 3");
  assert.equal(chain.root.subject, did(1));
  assert.equal(chain.at, AT);
});

test("each rule has its refusal", async () => {
  const outside = (scope) => ({ ...university, scopes: [{ ...university.scopes[0], ...scope }] });
  const cases = [
    ["chain.unknown-attribute", [ministry, agency]],
    ["chain.unknown-attribute", but({ ...university, parent: 9 })],
    ["chain.accreditor-unknown", [agency, university]],
    ["chain.not-in-place", good, 9],
    ["chain.not-in-place", good, FILLED - 1],
    ["chain.not-in-place", but({ ...university, entry: { credential: undefined } })],
    ["chain.not-in-place", but({ ...agency, entry: { filled: undefined } })],
    ["chain.dates", good, 3_600],
    ["chain.dates", but({ ...agency, change: (vc) => (vc.validFrom = "1970-01-01T00:33:21Z") })],
    ["chain.ended", but({ ...university, later: [{ time: 5_000, ended: { effective: AT, reason: "superseded" } }] })],
    ["chain.ended", but({ ...ministry, entry: { ended: { effective: 1, reason: "obtained-by-fraud" } } })],
    ["chain.credential", but({ ...university, entry: { credential: "a.b.c" } })],
    ["chain.credential", but({ ...university, change: (vc) => (vc.type = [KIND.tao]) })],
    ["chain.credential", but({ ...university, change: (vc) => (vc.credentialSubject.id = did(9)) })],
    ["chain.credential", but({ ...university, change: (vc) => (vc.credentialSubject.reservedAttributeId = place(9)) })],
    ["chain.credential", but({ ...university, change: (vc) => delete vc.credentialSubject.reservedAttributeId })],
    ["chain.credential", but({ ...university, entry: { accreditor: did(1) } })],
    ["chain.accreditor-unknown", but({ ...agency, unregistered: true })],
    ["chain.accreditor-unknown", but({ ...agency, registered: FILLED + 1 })],
    ["chain.key", but({ ...university, change: (vc, claims, head) => (head.kid = `${did(2)}#other`) })],
    ["chain.key", but({ ...agency, grants: [{ relationship: "capabilityInvocation", not_before: 0 }] })],
    ["chain.key", but({ ...agency, grants: [{ relationship: "assertionMethod", not_before: FILLED + 1 }] })],
    ["chain.key", but({ ...agency, grants: [{ relationship: "assertionMethod", not_before: 0, not_after: FILLED }] })],
    ["chain.key-compromised", but({ ...agency, method: { compromised_from: FILLED } })],
    ["chain.signature", but({ ...university, signer: 9 })],
    ["chain.scope-schema", but(outside({ schemaId: `0x${"08".repeat(32)}` }))],
    ["chain.scope-type", but(outside({ types: ["Degree", "Doctorate"] }))],
    ["chain.scope-jurisdiction", but(outside({ limitJurisdiction: "https://a/BEL" }))],
    ["chain.scope-jurisdiction", but(outside({ limitJurisdiction: [] }))],
    // Who accredits is no TAO; is its own accreditor's accreditor; is not who holds the parent.
    ["chain.no-root", but({ ...agency, type: "ti" })],
    ["chain.no-root", but({ ...agency, by: 3, change: (vc) => (vc.credentialSubject.accreditedFor = scopes) })],
    ["chain.no-root", but({ ...university, parent: 4 }, { ...agency, n: 4 })],
  ];
  for (const [code, parties, at] of cases) assert.equal(await judge(parties, at), code, JSON.stringify(parties));
});

test("what holds, holds to the second", async () => {
  const hold = [
    [good, FILLED],
    [good, 3_599],
    [but({ ...university, later: [{ time: 5_000, ended: { effective: AT + 1, reason: "superseded" } }] })],
    [but({ ...agency, method: { compromised_from: FILLED + 1 } })],
    [but({ ...agency, grants: [{ relationship: "assertionMethod", not_before: FILLED, not_after: FILLED + 1 }] })],
    [but({ ...agency, method: { revoked: FILLED + 1 } })],
    [but({ ...university, scopes: [{ ...university.scopes[0], limitJurisdiction: ["https://a/LUX_1"] }] })],
    [but({ ...university, scopes: [] })],
    [but({ ...ministry, scopes })],
  ];
  for (const [parties, at] of hold) assert.ok((await judge(parties, at)) instanceof TrustChain, JSON.stringify(parties));
  const renamed = { time: 5_000, entity: { names: [{ lang: "en", name: "New" }], country: "LU" } };
  const chain = await judge(but({ ...university, later: [renamed] }));
  assert.equal(chain.issuer.entity.names[0].name, "New", "a corrected name corrects what is shown of old diplomas");
});

test("a chain has at most five links", async () => {
  const tao = (n) => ({ ...agency, n, by: n - 1 });
  const of = (length) => [ministry, ...Array.from({ length: length - 2 }, (_, i) => tao(i + 2)), { ...university, n: length, by: length - 1 }];
  assert.equal((await judge(of(5), AT, 5)).links.length, 5);
  assert.equal(await judge(of(6), AT, 6), "chain.no-root");
});

test("of several accreditations the first that holds counts, and the last says why none does", async () => {
  const scope = (more) => ({ schema: SCHEMA, types: new Set(["Degree"]), jurisdictions: new Set(["https://a/LUX"]), ...more });
  const found = async (parties, asked, at = AT) => {
    const answer = await accredited(world(...parties), did(3), asked, at);
    return answer instanceof ChainRefusal ? answer.code : answer.issuer.attribute;
  };
  assert.equal(await found(good, undefined), place(3));
  assert.equal(await found(good, scope()), place(3));
  assert.equal(await found([ministry, agency], undefined), "chain.not-accredited");
  assert.equal(await found(good, scope({ schema: "08".repeat(32) })), "chain.schema-not-permitted");
  assert.equal(await found(good, scope({ types: new Set(["Diploma"]) })), "chain.type-not-permitted");
  assert.equal(await found(good, scope({ jurisdictions: new Set() })), "chain.jurisdiction-not-permitted");
  const two = { ...university, attributes: [place(3), place(4)] };
  const second = { ...university, n: 4, entry: { subject: did(3) } };
  const more = (vc) => {
    vc.credentialSubject.id = did(3);
    vc.credentialSubject.accreditedFor = scopes;
  };
  const parties = [ministry, agency, two, { ...second, change: more }];
  assert.equal(await found(parties, scope()), place(3));
  assert.equal(await found(parties, scope({ types: new Set(["Diploma"]) })), place(4));
  assert.equal(await found(parties, scope(), 3_600), "chain.dates");
  assert.equal(await found([ministry, agency, { ...two, attributes: [place(3), place(5)] }], undefined, 3_600), "chain.unknown-attribute");
  const refusal = await accredited(world(...good), did(3), scope({ types: new Set(["Diploma"]) }), AT);
  assert.equal(refusal.message, "the issuer is accredited, but not for this: type Diploma is not accredited for this schema");
});

test("a read over part of the state says which key it lacks, never that something is absent", async () => {
  const whole = world(...good);
  const known = new Set();
  for (let rounds = 0; ; rounds++) {
    assert.ok(rounds < 20);
    try {
      assert.ok((await accredited(new Memory(whole.values, known), did(3), undefined, AT)) instanceof TrustChain);
      break;
    } catch (error) {
      assert.ok(error instanceof NotProven && !known.has(error.key), error);
      known.add(error.key);
    }
  }
  const expected = [
    issuerObject(did(3)).head,
    ...[1, 2, 3].map((n) => attributeObject(place(n)).head),
    ...[1, 2].map((n) => didObject(did(n)).head),
  ];
  assert.deepEqual([...known].sort(), expected.sort());
});
