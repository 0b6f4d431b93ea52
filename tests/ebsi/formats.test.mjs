// The golden credentials of EBSI's format, in everything but their addresses, keys and dates of signing: what the ledger's own
// code writes, EBSI's library reads, with our schemas and both status lists.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { schemaUrl, signCredential } from "./credentials.mjs";
import { verifyWithEbsi } from "./library.mjs";
import { Stub } from "./stub.mjs";

const folder = new URL("../../", import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, folder), "utf8"));
const golden = read("tests/vectors/credentials/ebsi.json");
const REGISTRY = "/trusted-schemas-registry/v3/schemas/";

let stub;
before(async () => (stub = await new Stub().start()));
after(() => stub.stop());

/** The credential of a golden case as this stand-in's trusted issuer issues it, and a chain that allows it. */
async function issued({ text, draft }, alg, set) {
  const chain = await stub.chain(alg);
  const { tao, ti } = chain;
  stub.fill(ti, await tao.sign(stub.accreditation(tao, ti, "Attest", draft.types)));
  const schema = draft.types.includes("DangerousGoodsDriverCertificate") ? "dangerous-goods" : "diploma";
  stub.json(REGISTRY + draft.schema, read(`genesis/schemas/${schema}.json`));
  const payload = JSON.parse(Buffer.from(text.split(".")[1], "base64url"));
  const { vc } = payload;
  assert.equal(vc.credentialSchema.id, `${golden.public_base}${REGISTRY}${draft.schema}`);
  vc.credentialSchema.id = schemaUrl(stub.base, draft.schema);
  assert.match(vc.termsOfUse.id, new RegExp(`/issuers/${vc.issuer}/attributes/${draft.accreditation}$`));
  vc.termsOfUse.id = ti.url;
  const lists = vc.credentialStatus.map(({ statusPurpose, statusListIndex }) =>
    stub.statusList(chain, { set: set[statusPurpose] ?? 1, at: Number(statusListIndex), purpose: statusPurpose }),
  );
  const served = await Promise.all(lists);
  vc.credentialStatus.forEach((entry, at) => {
    assert.deepEqual(Object.keys(entry).sort(), Object.keys(served[at]).sort());
    Object.assign(entry, served[at]);
  });
  vc.issuer = ti.did;
  return signCredential(vc, ti.kid, ti.privateJwk);
}

for (const [number, one] of golden.cases.entries()) {
  const alg = ["ES256", "ES256K", "EdDSA"][number % 3];
  test(`${one.name}, signed ${alg}: read, and withdrawn by either list`, async () => {
    const answer = async (set) => verifyWithEbsi(stub.base, await issued(one, alg, set));
    const good = await answer({});
    assert.ok(good.ok, good.error);
    const { index } = one.draft.status;
    assert.match((await answer({ revocation: index })).error, /is revoked$/);
    assert.match((await answer({ suspension: index })).error, /is suspended$/);
  });
}

test("a content that the schema does not allow", async () => {
  const [header, payload] = golden.cases[0].text.split(".");
  const changed = JSON.parse(Buffer.from(payload, "base64url"));
  changed.vc.credentialSubject.issuerName = "University of Nowhere";
  const text = `${header}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}.`;
  const answer = await verifyWithEbsi(stub.base, await issued({ ...golden.cases[0], text }, "ES256", {}));
  // Which error is the library's own trouble: it has no words for additionalProperties.
  assert.equal(answer.ok, false, "the library accepted it");
});
