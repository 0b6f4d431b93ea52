// From nothing to accredited issuer by plain HTTP and `jose`. A university runs the steps on the left, its accreditor
// those on the right; what is between them are files, sent however both trust.
//
//   node onboard.mjs request   DIR BASE < who.json   makes DID and keys in DIR, prints the request to send
//                                                    node onboard.mjs authorise ACCREDITOR.json REQUEST
//   node onboard.mjs register  DIR AUTHORISATION     the DID is on the ledger
//                                                    node onboard.mjs accredit  ACCREDITOR.json REQUEST [Accredit]
//   node onboard.mjs accept    DIR ACCREDITATION     accredited; the DID may issue
//   node onboard.mjs list      DIR NAME PURPOSE [INDEX…]   publishes a list, or its next version: these entries are set
//   node onboard.mjs issue     DIR < diploma.json    prints a diploma: {subject, types, schemaId, lists: [NAME…]}
//
// A Root TAO, to whom governance has given a place, registers without AUTHORISATION and accepts what this prints:
//   node onboard.mjs root      DIR ATTRIBUTE PROPOSAL
//
// PURPOSE is revocation (what was set stays set) or suspension (exactly these are set). A diploma names its own INDEX.
//
// who.json: {names: [{lang, name}], country, wanted: [{schemaId, types, limitJurisdiction}]}; schemaId and limitJurisdiction
// are URIs. ACCREDITOR.json: {base, did, ledgerKey, credentialKey, attribute}, as DIR/issuer.json is after `accept`; so one
// who was accredited with `Accredit` by this script accredits others by it. Keys are private JWKs in files of mode 600: a
// university will put them into a key store of its own.
import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  accreditation,
  attributeUrl,
  authorisationToOnboard,
  credential,
  rootAuthorisation,
  signCredential,
} from "./credentials.mjs";
import { newDid, newKey, publicJwk, thumbprint } from "./jws.mjs";
import { network, submit } from "./node.mjs";
import { signedVersion, statusEntry } from "./status.mjs";

const DAY = 86_400;
/** Entries of a list: a diploma in a small one would not be hidden among others. */
const LIST_ENTRIES = 131_072;

const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const now = () => Math.floor(Date.now() / 1000);
const date = (time) => new Date(time * 1000).toISOString().replace(".000Z", "Z");
/** Validators' clocks may be behind ours, and what is not valid yet is refused. */
const aMomentAgo = () => now() - 60;

const load = (dir) => json(join(dir, "issuer.json"));
const save = (dir, issuer) => writeFileSync(join(dir, "issuer.json"), JSON.stringify(issuer, null, 1), { mode: 0o600 });
const keyId = async (did, key) => `${did}#${await thumbprint(key)}`;
/** Who signs records, and who signs credentials: two keys, so that the one used every day cannot change the DID. */
const ledgerSigner = async ({ did, ledgerKey }) => ({ did, kid: await keyId(did, ledgerKey), privateJwk: ledgerKey });
const sign = async ({ did, credentialKey }, vc) => signCredential(vc, await keyId(did, credentialKey), credentialKey);

const steps = {
  async request(dir, base) {
    const { wanted, ...entity } = json(0);
    const issuer = { base, did: newDid(), ledgerKey: await newKey(), credentialKey: await newKey() };
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    save(dir, issuer);
    return { did: issuer.did, jkt: await thumbprint(issuer.ledgerKey), entity, wanted };
  },

  /** The accreditor allows one key, and no other, to register the DID. */
  async authorise(accreditorFile, requestFile) {
    const [accreditor, { did, jkt }] = [json(accreditorFile), json(requestFile)];
    const { publicBase } = await network(accreditor.base);
    const parent = attributeUrl(publicBase, accreditor.did, accreditor.attribute);
    const dates = { validFrom: date(aMomentAgo()), expirationDate: date(now() + 7 * DAY) };
    const vc = authorisationToOnboard({
      base: publicBase,
      issuer: accreditor.did,
      subject: did,
      jkt,
      parent,
      ...dates,
    });
    return sign(accreditor, vc);
  },

  async register(dir, authorisationFile) {
    const issuer = load(dir);
    const method = (key, ...uses) => ({
      key: publicJwk(key),
      grants: uses.map((relationship) => ({ relationship, not_before: aMomentAgo() })),
    });
    const methods = [
      method(issuer.ledgerKey, "authentication", "capabilityInvocation"),
      method(issuer.credentialKey, "assertionMethod"),
    ];
    const authorisation = authorisationFile && readFileSync(authorisationFile, "utf8").trim();
    const record = await submit(issuer.base, await ledgerSigner(issuer), {
      type: "insert-did",
      methods,
      authorisation,
    });
    return { did: issuer.did, record };
  },

  /** The accreditor makes a place on the ledger, and the credential that the university will put there. */
  async accredit(accreditorFile, requestFile, kind = "Attest") {
    const [accreditor, { did, entity, wanted }] = [json(accreditorFile), json(requestFile)];
    const attribute = randomBytes(32).toString("hex");
    const reserved = await submit(accreditor.base, await ledgerSigner(accreditor), {
      type: "reserve-attribute",
      attribute,
      subject: did,
      issuer_type: kind === "Attest" ? "ti" : "tao",
      parent: accreditor.attribute,
      entity,
    });
    const { publicBase } = await network(accreditor.base);
    const vc = accreditation({
      base: publicBase,
      issuer: accreditor.did,
      subject: did,
      kind,
      attribute,
      accreditedFor: wanted,
      parent: attributeUrl(publicBase, accreditor.did, accreditor.attribute),
      validFrom: date(aMomentAgo()),
      // The ledger lets no accreditation outlive the accreditor's own.
      expirationDate: accreditor.expires ?? date(now() + 5 * 365 * DAY),
    });
    return { attribute, reserved, credential: await sign(accreditor, vc), expires: vc.expirationDate };
  },

  /** A Root TAO's own accreditation allows everything, so it names no scope. */
  async root(dir, attribute, proposal) {
    const issuer = load(dir);
    const { publicBase } = await network(issuer.base);
    const vc = rootAuthorisation({ base: publicBase, issuer: issuer.did, attribute, validFrom: date(aMomentAgo()) });
    return { attribute, reserved: proposal, credential: await sign(issuer, vc) };
  },

  async accept(dir, accreditationFile) {
    const [issuer, { attribute, reserved, credential: jwt, expires }] = [load(dir), json(accreditationFile)];
    const act = { type: "fill-attribute", attribute, prev: reserved, credential: jwt };
    const record = await submit(issuer.base, await ledgerSigner(issuer), act);
    save(dir, { ...issuer, attribute, expires });
    return { did: issuer.did, attribute, record };
  },

  async list(dir, list, purpose, ...indexes) {
    const issuer = load(dir);
    const before = issuer.lists?.[list];
    const { publicBase } = await network(issuer.base);
    const set = [...new Set([...(purpose === "revocation" ? (before?.set ?? []) : []), ...indexes.map(Number)])];
    if (!set.every((index) => Number.isInteger(index) && index >= 0 && index < LIST_ENTRIES))
      throw new Error(`an index is below ${LIST_ENTRIES}`);
    const bits = Buffer.alloc(LIST_ENTRIES / 8);
    for (const index of set) bits[index >> 3] |= 0x80 >> (index & 7);
    const status = await signedVersion({
      base: publicBase,
      issuer: issuer.did,
      kid: await keyId(issuer.did, issuer.credentialKey),
      privateJwk: issuer.credentialKey,
      list,
      version: (before?.version ?? 0) + 1,
      purpose,
      bits,
      issued: aMomentAgo(),
    });
    const record = await submit(
      issuer.base,
      await ledgerSigner(issuer),
      { type: "publish-status", status, prev: before?.record },
      bits,
    );
    const published = { purpose, version: status.version, record, set, given: before?.given ?? [] };
    save(dir, { ...issuer, lists: { ...issuer.lists, [list]: published } });
    return { list, version: status.version, record };
  },

  async issue(dir) {
    const [issuer, { subject, types, schemaId, lists = [] }] = [load(dir), json(0)];
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
