// A version of a status list, as its issuer publishes it: the bits, and signatures over the three tokens that every node
// derives from them (FORMATS.md, "Status lists"), in another language than the nodes do.
import { deflateSync, gzipSync } from "node:zlib";
import { SCHEMAS, schemaUrl } from "./credentials.mjs";
import { algorithmOf, canonical, sha256, signCompact } from "./jws.mjs";

const BLOCK_BYTES = 65_535;

/** The bytes as stored DEFLATE blocks: the one compression in which everybody gets the same result. */
function storedBlocks(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    const head = Buffer.alloc(5);
    head[0] = at + BLOCK_BYTES >= bytes.length ? 1 : 0;
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(block.length ^ 0xffff, 3);
    parts.push(head, block);
  }
  return Buffer.concat(parts);
}

// Checksum and length are the same however the bytes are compressed, so Node's own trailers serve.
const gzip = (bytes) =>
  Buffer.concat([Buffer.from("1f8b08000000000000ff", "hex"), storedBlocks(bytes), gzipSync(bytes).subarray(-8)]);
const zlib = (bytes) =>
  Buffer.concat([Buffer.from("7801", "hex"), storedBlocks(bytes), deflateSync(bytes).subarray(-4)]);

/** The IETF's list: an entry is a number, the first in the least significant bits; 1 means revoked, 2 suspended. */
function ietfList(bits, purpose) {
  const [width, number] = purpose === "suspension" ? [2, 2] : [1, 1];
  const bytes = Buffer.alloc(bits.length * width);
  for (let entry = 0; entry < bits.length * 8; entry++) {
    if (bits[entry >> 3] & (0x80 >> (entry & 7))) bytes[(entry * width) >> 3] |= number << ((entry * width) & 7);
  }
  return { bits: width, lst: zlib(bytes).toString("base64url") };
}

/** Where credentials find a list of an issuer. */
export function listUrls(base, issuer, list) {
  const proxy = `0x${sha256(`testamur/proxy/v1\n${issuer}`)}`;
  const own = `${base}/v1/status-lists/${issuer}/${list}`;
  return {
    statusList2021: `${base}/trusted-issuers-registry/v5/issuers/${issuer}/proxies/${proxy}/credentials/status/${list}`,
    bitstring: `${own}/bitstring`,
    token: `${own}/token`,
  };
}

/** What a diploma says of its place in a list. */
export function statusEntry(base, issuer, list, purpose, index) {
  const url = listUrls(base, issuer, list).statusList2021;
  return {
    id: `${url}#${index}`,
    type: "StatusList2021Entry",
    statusPurpose: purpose,
    statusListIndex: String(index),
    statusListCredential: url,
  };
}

/** The three tokens of a list. `bits`: entry 0 is the most significant bit of byte 0. */
export async function tokens({ base, issuer, kid, privateJwk, list, purpose, bits, issued }) {
  const urls = listUrls(base, issuer, list);
  const date = new Date(issued * 1000).toISOString().replace(".000Z", "Z");
  const subject = (id, type, encodedList) => ({ id: `${id}#list`, type, statusPurpose: purpose, encodedList });
  const statusList2021 = {
    jti: urls.statusList2021,
    sub: `${urls.statusList2021}#list`,
    iss: issuer,
    nbf: issued,
    iat: issued,
    vc: {
      "@context": ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"],
      id: urls.statusList2021,
      type: ["VerifiableCredential", "VerifiableAttestation", "StatusList2021Credential"],
      issuer,
      issuanceDate: date,
      issued: date,
      validFrom: date,
      credentialSubject: subject(urls.statusList2021, "StatusList2021", gzip(bits).toString("base64")),
      credentialSchema: { id: schemaUrl(base, SCHEMAS.statusList), type: "FullJsonSchemaValidator2021" },
    },
  };
  const bitstring = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    id: urls.bitstring,
    type: ["VerifiableCredential", "BitstringStatusListCredential"],
    issuer,
    validFrom: date,
    credentialSubject: subject(urls.bitstring, "BitstringStatusList", `u${gzip(bits).toString("base64url")}`),
  };
  const token = { sub: urls.token, iat: issued, status_list: ietfList(bits, purpose) };
  // A signature covers the header as it stands, so its members are in canonical order: alg, kid, typ.
  const sign = (typ, payload) =>
    signCompact({ alg: algorithmOf(privateJwk), kid, typ }, canonical(payload), privateJwk);
  return {
    status_list_2021: await sign("JWT", statusList2021),
    bitstring: await sign("vc+jwt", bitstring),
    token: await sign("statuslist+jwt", token),
  };
}

/** The `status` of a publish-status record: the nodes have the bits, so it carries the tokens' signatures alone. */
export async function signedVersion({ version, ...source }) {
  const { list, purpose, bits, issued, kid } = source;
  const named = Object.entries(await tokens(source)).map(([name, jws]) => [name, jws.slice(jws.lastIndexOf(".") + 1)]);
  return {
    list,
    version,
    purpose,
    size: bits.length * 8,
    sha256: sha256(bits),
    issued,
    kid,
    signatures: Object.fromEntries(named),
  };
}
