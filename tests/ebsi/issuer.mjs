// An issuer's own file or home: its DID, keys and accreditation.
import { createECDH } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attributeUrl, signCredential } from "./credentials.mjs";
import { thumbprint } from "./jws.mjs";
import { get } from "./node.mjs";

const CURVES = { secp256k1: ["secp256k1", "secp256k1"], p256: ["P-256", "prime256v1"] };
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** A development key of the command line, as a JWK. Encrypted keys stay where they are. */
function developmentKey(path) {
  const { alg, secret } = json(path);
  if (!secret.insecure_dev) throw new Error(`${path} is encrypted: only development keys can be read here`);
  const [crv, openssl] = CURVES[alg];
  const pair = createECDH(openssl);
  pair.setPrivateKey(secret.insecure_dev, "base64url");
  const point = pair.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString("base64url"));
  return { kty: "EC", crv, x, y, d: secret.insecure_dev };
}

/**
 * {base, did, ledgerKey, credentialKey, attribute, …} from a directory with issuer.json, from such a file, or from a home
 * that `testamur` made on a development network.
 */
export async function load(path) {
  const home = join(path, "entity.json");
  if (!existsSync(home)) return json(path.endsWith(".json") ? path : join(path, "issuer.json"));
  const { nodes, did, capability, assertion } = json(home);
  const [base, key] = [nodes[0], (name) => developmentKey(join(path, "keys", `${name}.key`))];
  const { items } = await get(base, new URL(attributeUrl(base, did, "")).pathname.replace(/\/$/, ""));
  return { base, did, ledgerKey: key(capability), credentialKey: key(assertion), attribute: items[0]?.id };
}

export function save(dir, issuer) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, "issuer.json"), JSON.stringify(issuer, null, 1), { mode: 0o600 });
}

const keyId = async (did, key) => `${did}#${await thumbprint(key)}`;

/** Who signs records. */
export const ledgerSigner = async ({ did, ledgerKey }) => ({
  did,
  kid: await keyId(did, ledgerKey),
  privateJwk: ledgerKey,
});

/** Who signs credentials: another key, so that the one used every day cannot change the DID. */
export const credentialSigner = async ({ did, credentialKey }) => ({
  did,
  kid: await keyId(did, credentialKey),
  privateJwk: credentialKey,
});

/** Signs a credential as the issuer. */
export async function sign(issuer, vc) {
  const { kid, privateJwk } = await credentialSigner(issuer);
  return signCredential(vc, kid, privateJwk);
}
