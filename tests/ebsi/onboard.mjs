// From nothing to accredited issuer by plain HTTP and `jose`. A university runs the steps on the left, its accreditor
// those on the right; what passes between them are files, sent however both trust.
//
//   node onboard.mjs request   DIR BASE [ALG] < who.json   makes DID and keys in DIR, prints the request to send
//                                                    node onboard.mjs authorise ACCREDITOR REQUEST
//   node onboard.mjs register  DIR AUTHORISATION     the DID is on the ledger
//                                                    node onboard.mjs accredit  ACCREDITOR REQUEST [Accredit]
//   node onboard.mjs accept    DIR ACCREDITATION     accredited: the DID may issue
//   node onboard.mjs list      DIR NAME PURPOSE [INDEX…]   publishes a list, or its next version: these entries are set
//   node onboard.mjs issue     DIR < diploma.json    prints a diploma: {subject, types, schemaId, lists: [NAME…]}
//                                                    node onboard.mjs end       ACCREDITOR ATTRIBUTE PREV REASON
//
// A Root TAO, to whom governance has given a place, registers without AUTHORISATION and accepts what this prints:
//   node onboard.mjs root      DIR ATTRIBUTE PROPOSAL
//
// who.json    {names: [{lang, name}], country, wanted: [{schemaId, types, limitJurisdiction}]}; the ids in wanted are URIs
// ALG         of the key for credentials: ES256 (as it is without), ES256K, EdDSA
// ACCREDITOR  DIR of one who was accredited with `Accredit`; or the home of a TAO of a development network
// PURPOSE     revocation (what was set stays set) or suspension (exactly these are set); a diploma names its own INDEX
// PREV        the record that changed the accreditation last, as `accept` printed it
//
// Keys are private JWKs in files of mode 600: a university will put them into a key store of its own.
import { randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { decodeJwt } from "jose";
import { accreditation, attributeUrl, authorisationToOnboard, credential, rootAuthorisation } from "./credentials.mjs";
import { credentialSigner, ledgerSigner, load, save, sign } from "./issuer.mjs";
import { newDid, newKey, publicJwk, thumbprint } from "./jws.mjs";
import { get, network, submit } from "./node.mjs";
import { signedVersion, statusEntry } from "./status.mjs";

const DAY = 86_400;
/** Entries of a list: a diploma in a small one would not be hidden among others. */
const LIST_ENTRIES = 131_072;

const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const now = () => Math.floor(Date.now() / 1000);
const date = (time) => new Date(time * 1000).toISOString().replace(".000Z", "Z");
/** Validators' clocks may be behind ours, and what is not valid yet is refused. */
const aMomentAgo = () => now() - 60;
const act = async (issuer, content, attachment) => submit(issuer.base, await ledgerSigner(issuer), content, attachment);

const steps = {
  async request(dir, base, alg) {
    const { wanted, ...entity } = json(0);
    const issuer = { base, did: newDid(), ledgerKey: newKey(), credentialKey: newKey(alg) };
    save(dir, issuer);
    return { did: issuer.did, jkt: await thumbprint(issuer.ledgerKey), entity, wanted };
  },

  /** The accreditor allows one key, and no other, to register the DID. */
  async authorise(home, requestFile) {
    const [accreditor, { did, jkt }] = [await load(home), json(requestFile)];
    const { publicBase } = await network(accreditor.base);
    const vc = authorisationToOnboard({
      base: publicBase,
      issuer: accreditor.did,
      subject: did,
      jkt,
      parent: attributeUrl(publicBase, accreditor.did, accreditor.attribute),
      validFrom: date(aMomentAgo()),
      expirationDate: date(now() + 7 * DAY),
    });
    return sign(accreditor, vc);
  },

  async register(dir, authorisationFile) {
    const issuer = await load(dir);
    const method = (key, ...uses) => ({
      key: publicJwk(key),
      grants: uses.map((relationship) => ({ relationship, not_before: aMomentAgo() })),
    });
    const methods = [
      method(issuer.ledgerKey, "authentication", "capabilityInvocation"),
      method(issuer.credentialKey, "assertionMethod"),
    ];
    const authorisation = authorisationFile && readFileSync(authorisationFile, "utf8").trim();
    return { did: issuer.did, record: await act(issuer, { type: "insert-did", methods, authorisation }) };
  },

  /** The accreditor makes a place on the ledger, and the credential that the university will put there. */
  async accredit(home, requestFile, kind = "Attest") {
    const [accreditor, { did, entity, wanted }] = [await load(home), json(requestFile)];
    const { publicBase } = await network(accreditor.base);
    const parent = attributeUrl(publicBase, accreditor.did, accreditor.attribute);
    const attribute = randomBytes(32).toString("hex");
    const place = { attribute, subject: did, issuer_type: kind === "Attest" ? "ti" : "tao" };
    const reserved = await act(accreditor, {
      type: "reserve-attribute",
      ...place,
      parent: accreditor.attribute,
      entity,
    });
    // The ledger lets no accreditation outlive the accreditor's own.
    const own = decodeJwt((await get(accreditor.base, new URL(parent).pathname)).attribute.body).vc;
    const vc = accreditation({
      base: publicBase,
      issuer: accreditor.did,
      subject: did,
      kind,
      attribute,
      accreditedFor: wanted,
      parent,
      validFrom: date(aMomentAgo()),
      expirationDate: own.expirationDate ?? date(now() + 5 * 365 * DAY),
    });
    return { attribute, reserved, credential: await sign(accreditor, vc) };
  },

  /** A Root TAO's own accreditation allows everything, so it names no scope. */
  async root(dir, attribute, proposal) {
    const issuer = await load(dir);
    const { publicBase } = await network(issuer.base);
    const vc = rootAuthorisation({ base: publicBase, issuer: issuer.did, attribute, validFrom: date(aMomentAgo()) });
    return { attribute, reserved: proposal, credential: await sign(issuer, vc) };
  },

  async accept(dir, accreditationFile) {
    const [issuer, { attribute, reserved, credential: jwt }] = [await load(dir), json(accreditationFile)];
    const record = await act(issuer, { type: "fill-attribute", attribute, prev: reserved, credential: jwt });
    save(dir, { ...issuer, attribute });
    return { did: issuer.did, attribute, record };
  },

  async list(dir, list, purpose, ...indexes) {
    const issuer = await load(dir);
    const before = issuer.lists?.[list];
    const { publicBase } = await network(issuer.base);
    const kept = purpose === "revocation" ? (before?.set ?? []) : [];
    const set = [...new Set([...kept, ...indexes.map(Number)])];
    const isIndex = (index) => Number.isInteger(index) && index >= 0 && index < LIST_ENTRIES;
    if (!set.every(isIndex)) throw new Error(`an index is a number below ${LIST_ENTRIES}`);
    const bits = Buffer.alloc(LIST_ENTRIES / 8);
    for (const index of set) bits[index >> 3] |= 0x80 >> (index & 7);
    const { kid, privateJwk } = await credentialSigner(issuer);
    const version = (before?.version ?? 0) + 1;
    const source = { base: publicBase, issuer: issuer.did, kid, privateJwk, list, purpose, bits, issued: aMomentAgo() };
    const status = await signedVersion({ version, ...source });
    const record = await act(issuer, { type: "publish-status", status, prev: before?.record }, bits);
    const published = { purpose, version, record, set, given: before?.given ?? [] };
    save(dir, { ...issuer, lists: { ...issuer.lists, [list]: published } });
    return { list, version, record };
  },

  async issue(dir) {
    const [issuer, { subject, types, schemaId, lists = [] }] = [await load(dir), json(0)];
    const { publicBase } = await network(issuer.base);
    const entries = lists.map((name) => {
      const { purpose, given } = issuer.lists[name];
      // At random: the order of diplomas is nobody's business.
      let index;
      do index = randomInt(LIST_ENTRIES);
      while (given.includes(index));
      given.push(index);
      return statusEntry(publicBase, issuer.did, name, purpose, index);
    });
    save(dir, issuer);
    const vc = credential({
      issuer: issuer.did,
      subject,
      types,
      schemas: schemaId,
      termsOfUse: attributeUrl(publicBase, issuer.did, issuer.attribute),
      credentialStatus: entries.length > 1 ? entries : entries[0],
    });
    return sign(issuer, vc);
  },

  async end(home, attribute, prev, reason) {
    // Not before the time of the block that takes it.
    const content = { type: "end-accreditation", attribute, prev, effective: now() + 3, reason };
    return { attribute, record: await act(await load(home), content) };
  },
};

const [step, ...parameters] = process.argv.slice(2);
if (!Object.hasOwn(steps, step ?? "")) {
  console.error(`use: onboard.mjs ${Object.keys(steps).join("|")} …; the head of this file says with what`);
  process.exit(2);
}
try {
  const result = await steps[step](...parameters);
  console.log(typeof result === "string" ? result : JSON.stringify(result));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
