// What EBSI's library checks and what it leaves open, against a stand-in that can lie. Where the library accepts what it
// should not, the ledger and our own verifier refuse: the reason for both to exist. Each case has DIDs of its own, because
// the library keeps answers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { authorisationToOnboard, schemaUrl } from "./credentials.mjs";
import { verifyWithEbsi } from "./library.mjs";
import { statusEntry, tokens } from "./status.mjs";
import { HOLDER, Stub } from "./stub.mjs";

let stub;
before(async () => (stub = await new Stub().start()));
after(() => stub.stop());

const verify = (jwt, options) => verifyWithEbsi(stub.base, jwt, options);
async function accepts(jwt, options) {
  const answer = await verify(jwt, options);
  assert.ok(answer.ok, answer.error);
}
async function refuses(jwt, reason, options) {
  const answer = await verify(jwt, options);
  assert.equal(answer.ok, false, "the library accepted it");
  assert.match(answer.error, reason);
}
/** A JWS with one byte of its signature changed. */
function forge(jwt) {
  const [header, payload, signature] = jwt.split(".");
  const bytes = Buffer.from(signature, "base64url");
  bytes[7] ^= 1;
  return `${header}.${payload}.${bytes.toString("base64url")}`;
}

for (const alg of ["ES256", "ES256K", "EdDSA"]) {
  test(`${alg}: a chain, a diploma, a status list`, async () => {
    const chain = await stub.chain(alg);
    for (const jwt of [chain.root.jwt, chain.tao.jwt, chain.ti.jwt, await chain.diploma()]) await accepts(jwt);
    const onboard = authorisationToOnboard({
      base: stub.base,
      issuer: chain.tao.did,
      subject: chain.ti.did,
      jkt: "x",
      parent: chain.tao.url,
    });
    await accepts(await chain.tao.sign(onboard));
    const clear = await stub.statusList(chain, { set: 9, at: 8 });
    await accepts(await chain.diploma({ credentialStatus: clear }));
    await refuses(
      await chain.diploma({ credentialStatus: await stub.statusList(chain, { set: 9, at: 9 }) }),
      /^The credential is revoked$/,
    );
    const suspended = await stub.statusList(chain, { set: 9, at: 9, purpose: "suspension" });
    await refuses(await chain.diploma({ credentialStatus: [clear, suspended] }), /is suspended$/);
    await refuses(forge(await chain.diploma()), /Invalid signature/);
  });
}

test("a list as every node derives it from the bits", async () => {
  const chain = await stub.chain();
  const bits = Buffer.alloc(262_144);
  bits[1] = 0x40;
  const { did: issuer, kid, privateJwk } = chain.ti;
  for (const purpose of ["revocation", "suspension"]) {
    const list = `${purpose}-2026`;
    const served = await tokens({
      base: stub.base,
      issuer,
      kid,
      privateJwk,
      list,
      purpose,
      bits,
      issued: 1_769_000_000,
    });
    const entry = (index) => statusEntry(stub.base, issuer, list, purpose, index);
    stub.answers.set(new URL(entry(0).statusListCredential).pathname, {
      body: served.status_list_2021,
      type: "text/plain",
    });
    await accepts(await chain.diploma({ credentialStatus: entry(8) }));
    await refuses(await chain.diploma({ credentialStatus: entry(9) }), /^The credential is (revoked|suspended)$/);
    await accepts(await chain.diploma({ credentialStatus: entry(2_097_151) }));
  }
});

describe("the library refuses", () => {
  const cases = {
    "an expired diploma": async ({ diploma }) => {
      await refuses(await diploma({ expirationDate: "2026-02-01T00:00:00Z" }), /not valid after/);
      await accepts(await diploma({ expirationDate: "2026-02-01T00:00:00Z" }), { validAt: 1_769_000_000 });
    },
    "an issuer that the registry does not know": async ({ ti, diploma }) => {
      stub.answers.delete(`/trusted-issuers-registry/v5/issuers/${ti.did}`);
      await refuses(await diploma(), /is not a trusted issuer/);
    },
    "a DID that is not registered": async ({ ti, diploma }) => {
      stub.forget(ti);
      await refuses(await diploma(), /notFound/);
    },
    "an ended accreditation": async ({ ti, diploma }) => {
      stub.fill(ti, ti.jwt, "Revoked");
      await refuses(await diploma(), /^Invalid credential .*: Revoked$/);
      await refuses(ti.jwt, /^The credential is revoked$/);
    },
    "an accreditation that is only reserved": async ({ ti, diploma }) => {
      stub.fill(ti, "");
      await refuses(await diploma(), /No attribute in the response/);
    },
    "a type outside the accreditation": async ({ diploma }) =>
      refuses(
        await diploma({ types: ["DrivingLicence"] }),
        /not accredited to issue credentials with type \["DrivingLicence"\]/,
      ),
    "a schema that is not met, and one that is not there": async ({ diploma }) => {
      const schema = {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: { credentialSubject: { type: "object", required: ["title"] } },
      };
      stub.json("/trusted-schemas-registry/v3/schemas/zTitle", schema);
      const schemas = schemaUrl(stub.base, "zTitle");
      await accepts(await diploma({ schemas, subject: { id: HOLDER, title: "Master of Laws" } }));
      await refuses(await diploma({ schemas }), /missing the required field 'title'/);
      await refuses(await diploma({ schemas: schemaUrl(stub.base, "zNowhere") }), /not found/);
    },
    "a key that may not sign credentials": async ({ ti, diploma }) => {
      stub.json(
        `/did-registry/v5/identifiers/${ti.did}`,
        { ...ti.document, assertionMethod: [] },
        "application/did+ld+json",
      );
      await refuses(await diploma(), /"assertionMethod" relationship/);
    },
  };
  for (const [name, check] of Object.entries(cases)) test(name, async () => check(await stub.chain()));
});

describe("the library accepts, and we do not", () => {
  const cases = {
    "an accreditation with a forged signature": async ({ ti, diploma }) => {
      stub.fill(ti, forge(ti.jwt));
      await accepts(await diploma());
    },
    "an accreditation that the issuer wrote itself": async ({ tao, ti, diploma }) => {
      stub.fill(ti, await ti.sign({ ...stub.accreditation(tao, ti, "Attest", ["UniversityDegree"]), issuer: ti.did }));
      await accepts(await diploma());
    },
    "an accreditation made out to another": async ({ tao, root, ti, diploma }) => {
      stub.fill(ti, await tao.sign(stub.accreditation(tao, root, "Attest", ["UniversityDegree"])));
      await accepts(await diploma());
    },
    "a chain of one hop, the rest of which has ended": async ({ tao, diploma }) => {
      stub.fill(tao, tao.jwt, "Revoked");
      await accepts(await diploma());
    },
    "a chain of one hop, the rest of which never was": async ({ root, tao, diploma }) => {
      stub.forget(root);
      stub.forget(tao);
      await accepts(await diploma());
    },
    "a type that the accreditor may not pass on": async ({ tao, ti, diploma }) => {
      stub.fill(ti, await tao.sign(stub.accreditation(tao, ti, "Attest", ["LawDegree"])));
      await accepts(await diploma({ types: ["LawDegree"] }));
    },
    "a type accredited for another schema and another country": async ({ tao, ti, diploma }) => {
      const vc = stub.accreditation(tao, ti, "Attest", ["UniversityDegree"]);
      const limitJurisdiction = "https://publications.europa.eu/resource/authority/atu/DEU";
      vc.credentialSubject.accreditedFor = [
        { schemaId: schemaUrl(stub.base, "zOther"), types: ["UniversityDegree"], limitJurisdiction },
      ];
      stub.fill(ti, await tao.sign(vc));
      await accepts(await diploma());
    },
    "an issuer that accredits others": async ({ ti }) => {
      const other = await stub.entity("ES256");
      stub.fill(other, "");
      await accepts(await ti.sign(stub.accreditation(ti, other, "Attest", ["UniversityDegree"])));
    },
    "any type, when no accreditation is named": async ({ diploma }) =>
      accepts(await diploma({ types: ["DrivingLicence"], termsOfUse: undefined })),
    "an accreditation on the issuer's own web server": async ({ ti, diploma }) => {
      const path = `/anywhere/${ti.did}/attributes/1`;
      stub.answers.set(path, { ...stub.answers.get(ti.url.slice(stub.base.length)) });
      stub.forget({ did: `${ti.did}/attributes/${ti.attribute}` });
      await accepts(await diploma({ termsOfUse: stub.base + path }));
    },
    "a status list by another issuer": async (chain) => {
      const other = await stub.entity("ES256");
      await accepts(
        await chain.diploma({ credentialStatus: await stub.statusList(chain, { set: 9, at: 8, signer: other }) }),
      );
    },
    "a diploma dated before its issuer's accreditation": async ({ diploma }) =>
      accepts(await diploma({ validFrom: "2001-01-01T00:00:00Z" })),
  };
  for (const [name, check] of Object.entries(cases)) test(name, async () => check(await stub.chain()));
});
