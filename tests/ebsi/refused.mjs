// Tries on a ledger what EBSI's library would accept (library.test.mjs), and more, and expects each to be refused by name.
// Prints one JSON line for each; exit code 0 if all were. Leaves one trusted issuer behind.
//
//   node refused.mjs BASE ACCREDITOR       a TAO, as for onboard.mjs
import { randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import { accreditation, attributeUrl, authorisationToOnboard, signCredential } from "./credentials.mjs";
import { credentialSigner, ledgerSigner, load } from "./issuer.mjs";
import { newDid, newKey, publicJwk, thumbprint } from "./jws.mjs";
import { get, network, submit } from "./node.mjs";

const [base, path] = process.argv.slice(2);
if (!path) {
  console.error("use: refused.mjs BASE ACCREDITOR");
  process.exit(2);
}
const { publicBase } = await network(base);
const now = Math.floor(Date.now() / 1000) - 60;
const date = (time) => new Date(time * 1000).toISOString().replace(".000Z", "Z");

/** Somebody with one key for everything. */
async function somebody() {
  const [did, privateJwk] = [newDid(), newKey()];
  return { did, privateJwk, kid: `${did}#${await thumbprint(privateJwk)}` };
}
const accreditor = await load(path);
const { did, attribute: parent } = accreditor;
const [tao, taoCredentials] = [await ledgerSigner(accreditor), await credentialSigner(accreditor)];
const own = decodeJwt((await get(base, new URL(attributeUrl(base, did, parent)).pathname)).attribute.body).vc;
const [scope] = own.credentialSubject.accreditedFor;

/** Registers by an authorisation of the TAO; `jkt` is the key that it names. */
async function register(subject, jkt) {
  const terms = {
    parent: attributeUrl(publicBase, did, parent),
    validFrom: date(now),
    expirationDate: date(now + 3_600),
  };
  const vc = authorisationToOnboard({ base: publicBase, issuer: did, subject: subject.did, jkt, ...terms });
  const authorisation = await signCredential(vc, taoCredentials.kid, taoCredentials.privateJwk);
  const uses = ["assertionMethod", "capabilityInvocation"].map((relationship) => ({ relationship, not_before: now }));
  return submit(base, subject, {
    type: "insert-did",
    methods: [{ key: publicJwk(subject.privateJwk), grants: uses }],
    authorisation,
  });
}
const entity = { names: [{ lang: "en", name: "University of Lies" }], country: "LU" };
const reserve = (author, subject, attribute, more) =>
  submit(base, author, { type: "reserve-attribute", attribute, subject, issuer_type: "ti", parent, entity, ...more });

const university = await somebody();
await register(university, await thumbprint(university.privateJwk));
const place = randomBytes(32).toString("hex");
const prev = await reserve(tao, university.did, place);

/** An accreditation of the university that would be in order, but for what is changed. */
function credential(changes = {}) {
  return accreditation({
    base: publicBase,
    issuer: did,
    subject: university.did,
    kind: "Attest",
    attribute: place,
    accreditedFor: [scope],
    parent: attributeUrl(publicBase, did, parent),
    validFrom: date(now),
    expirationDate: own.expirationDate ?? date(now + 86_400),
    ...changes,
  });
}
async function fill(changes, { kid, privateJwk } = taoCredentials) {
  const jwt = await signCredential(credential(changes), kid, privateJwk);
  return submit(base, university, { type: "fill-attribute", attribute: place, prev, credential: jwt });
}
const beyond = (changes) => fill({ accreditedFor: [{ ...scope, ...changes }] });
const elsewhere = "https://publications.europa.eu/resource/authority/atu/ATA";

const cases = [
  ["a forged signature", "issuer.signature", () => fill({}, { ...taoCredentials, privateJwk: university.privateJwk })],
  [
    "an accreditation that the subject wrote itself",
    "issuer.credential",
    () => fill({ issuer: university.did }, university),
  ],
  ["an accreditation made out to another", "issuer.credential", () => fill({ subject: did })],
  [
    "an accreditation that names another parent",
    "issuer.credential",
    () => fill({ parent: attributeUrl(publicBase, did, place) }),
  ],
  ["a type that the accreditor may not pass on", "issuer.scope-type", () => beyond({ types: ["LicenceToLie"] })],
  ["another schema", "issuer.scope-schema", () => beyond({ schemaId: `0x${"00".repeat(32)}` })],
  ["another country", "issuer.scope-jurisdiction", () => beyond({ limitJurisdiction: elsewhere })],
  [
    "dates that have passed",
    "issuer.dates",
    () => fill({ validFrom: date(now - 7_200), expirationDate: date(now - 3_600) }),
  ],
  [
    "an accreditation that outlives the accreditor's",
    "issuer.dates",
    () => fill({ expirationDate: "2999-01-01T00:00:00Z" }),
  ],
  [
    "a place made by somebody else's accreditation",
    "issuer.not-the-accreditor",
    () => reserve(university, newDid(), randomBytes(32).toString("hex")),
  ],
  [
    "a place under an accreditation that never was",
    "issuer.parent",
    () => reserve(tao, university.did, randomBytes(32).toString("hex"), { parent: "ff".repeat(32) }),
  ],
  ["an accreditation of itself", "issuer.self-accreditation", () => reserve(tao, did, randomBytes(32).toString("hex"))],
  [
    "a DID registered with another key than the authorisation's",
    "did.other-key",
    async () => register(await somebody(), await thumbprint(university.privateJwk)),
  ],
  [
    "an issuer that accredits others",
    "issuer.type",
    async () => {
      await fill();
      return reserve(university, (await somebody()).did, randomBytes(32).toString("hex"), { parent: place });
    },
  ],
];
for (const [name, expected, attempt] of cases) {
  const { code, message } = await attempt().then(
    () => ({ code: null, message: "accepted" }),
    (error) => error,
  );
  if (code !== expected) process.exitCode = 1;
  console.log(JSON.stringify({ case: name, ok: code === expected, code, message }));
}
