// A stand-in for a node that serves whatever it is told, lies included: what a dishonest or broken node could answer.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import {
  SCHEMAS,
  accreditation,
  attributeUrl,
  credential,
  rootAuthorisation,
  schemaUrl,
  signCredential,
} from "./credentials.mjs";
import { newDid, newKey, publicJwk, sha256, thumbprint } from "./jws.mjs";

const ISSUERS = "/trusted-issuers-registry/v5/issuers";
export const DATES = { validFrom: "2026-01-15T10:00:00Z", expirationDate: "2096-01-15T10:00:00Z" };
export const HOLDER =
  "did:key:z2dmzD81cgPx8Vki7JbuuMmFYrWPgYoytykUZ3eyqht1j9KbsEYvdrjxMjQ4tpnje9BDBTzuNDP3knn6qLZErzd4bJ5go2CChoPjd5GAH3zpFJP5fuwSk66U5Pq6EhF4nKnHzDnznEP8fX99nZGgwbAh1o7Gj1X52Tdhf7U4KTk66xsA5r";

export class Stub {
  answers = new Map();

  async start() {
    this.server = createServer((request, response) => {
      const answer = this.answers.get(decodeURIComponent(request.url));
      const problem = { type: "about:blank", title: "Not Found", status: 404, detail: `nothing at ${request.url}` };
      response.writeHead(answer ? 200 : 404, { "content-type": answer?.type ?? "application/problem+json" });
      response.end(answer?.body ?? JSON.stringify(problem));
    });
    await new Promise((ready) => this.server.listen(0, "127.0.0.1", ready));
    this.base = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  json(path, body, type = "application/json") {
    this.answers.set(path, { body: JSON.stringify(body), type });
  }

  /** A registered legal entity with one key for everything. */
  async entity(alg) {
    const did = newDid();
    const privateJwk = newKey(alg);
    const kid = `${did}#${await thumbprint(privateJwk)}`;
    const method = { id: kid, type: "JsonWebKey2020", controller: did, publicKeyJwk: publicJwk(privateJwk) };
    const contexts = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"];
    const uses = { authentication: [kid], assertionMethod: [kid], capabilityInvocation: [kid] };
    const document = { "@context": contexts, id: did, controller: [did], verificationMethod: [method], ...uses };
    this.json(`/did-registry/v5/identifiers/${did}`, document, "application/did+ld+json");
    this.json(`${ISSUERS}/${did}`, {
      did,
      attributes: `${this.base}${ISSUERS}/${did}/attributes`,
      hasAttributes: true,
    });
    const attribute = randomBytes(32).toString("hex");
    const sign = (vc) => signCredential(vc, kid, privateJwk);
    return { did, kid, privateJwk, attribute, url: attributeUrl(this.base, did, attribute), document, sign };
  }

  /** Takes an entity off a registry. */
  forget(entity) {
    for (const path of [...this.answers.keys()]) if (path.includes(entity.did)) this.answers.delete(path);
  }

  /** What a reader finds in the place of an accreditation. */
  fill({ did, attribute }, body, issuerType = "TI") {
    this.json(`${ISSUERS}/${did}/attributes/${attribute}`, {
      did,
      attribute: { hash: sha256(body), body, issuerType, tao: did, rootTao: did },
    });
  }

  /** One accreditation from `by` to `to`, for `types`. */
  accreditation(by, to, kind, types, more = {}) {
    const scope = {
      schemaId: schemaUrl(this.base, SCHEMAS.attestation),
      types,
      limitJurisdiction: "https://publications.europa.eu/resource/authority/atu/LUX",
    };
    return accreditation({
      base: this.base,
      issuer: by.did,
      subject: to.did,
      kind,
      attribute: to.attribute,
      accreditedFor: [scope],
      parent: by.url,
      ...DATES,
      ...more,
    });
  }

  /** Root TAO, TAO and trusted issuer, all in order; the issuer may issue a UniversityDegree. */
  async chain(alg = "ES256") {
    const [root, tao, ti] = [await this.entity(alg), await this.entity(alg), await this.entity(alg)];
    const attestation = schemaUrl(this.base, SCHEMAS.attestation);
    const rootVc = rootAuthorisation({ base: this.base, issuer: root.did, attribute: root.attribute, ...DATES });
    this.fill(root, (root.jwt = await root.sign(rootVc)), "RootTAO");
    this.fill(tao, (tao.jwt = await root.sign(this.accreditation(root, tao, "Accredit", ["UniversityDegree"]))), "TAO");
    this.fill(ti, (ti.jwt = await tao.sign(this.accreditation(tao, ti, "Attest", ["UniversityDegree"]))));
    const diploma = (more = {}) =>
      ti.sign(
        credential({
          issuer: ti.did,
          types: ["UniversityDegree"],
          subject: { id: HOLDER },
          schemas: attestation,
          termsOfUse: ti.url,
          validFrom: DATES.validFrom,
          ...more,
        }),
      );
    return { root, tao, ti, diploma };
  }

  /** Serves a list with one bit set and returns the status entry of a credential at another index. */
  async statusList({ ti }, { set, at, purpose = "revocation", signer = ti }) {
    const url = `${this.base}${ISSUERS}/${ti.did}/proxies/0x${ti.attribute}/credentials/status/${purpose}-1`;
    const bits = Buffer.alloc(16_384);
    bits[set >> 3] = 0x80 >> (set & 7);
    const subject = {
      id: `${url}#list`,
      type: "StatusList2021",
      statusPurpose: purpose,
      encodedList: gzipSync(bits).toString("base64"),
    };
    const vc = credential({
      id: url,
      issuer: signer.did,
      types: ["StatusList2021Credential"],
      subject,
      schemas: schemaUrl(this.base, SCHEMAS.statusList),
      validFrom: DATES.validFrom,
    });
    this.answers.set(url.slice(this.base.length), { body: await signer.sign(vc), type: "text/plain" });
    return {
      id: `${url}#${at}`,
      type: "StatusList2021Entry",
      statusPurpose: purpose,
      statusListIndex: String(at),
      statusListCredential: url,
    };
  }
}
