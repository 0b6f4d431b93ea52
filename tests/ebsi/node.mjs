// A node's write and read interface, as far as a university needs it.
import { randomUUID } from "node:crypto";
import { canonical, sha256, signCompact } from "./jws.mjs";

/** An answer that is an error: `application/problem+json` with a stable `code` and a sentence. */
async function read(response) {
  if (response.ok) return response.json();
  const { code, title, detail } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(`${response.status} ${code ?? title ?? ""}: ${detail ?? response.url}`), { code });
}

export const get = async (base, path) => read(await fetch(base + path));

/** The network's hash, which records name, and the address that credentials' URLs begin with. */
export async function network(base) {
  const [{ genesis: net }, genesis] = await Promise.all([get(base, "/v1/network"), get(base, "/v1/genesis")]);
  return { net, publicBase: genesis.public_base ?? `https://${genesis.domain}` };
}

/**
 * Signs an act and waits until the ledger has it. Returns the record's id, which is what the next change of the same
 * object names as `prev`. `attachment`: bytes that travel beside the record.
 */
export async function submit(base, { did, kid, privateJwk }, act, attachment) {
  const { net } = await network(base);
  const iat = Math.floor(Date.now() / 1000);
  const payload = { v: 1, net, iss: did, jti: randomUUID(), iat, exp: iat + 3_600, act };
  const record = await signCompact({ kid, typ: "testamur-record-v1+jws" }, canonical(payload), privateJwk);
  const [type, body] = attachment
    ? ["application/json", JSON.stringify({ record, attachment: attachment.toString("base64url") })]
    : ["application/jose", record];
  const response = await fetch(`${base}/v1/records?wait=final`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  const { id, state } = await read(response);
  if (id !== sha256(record.slice(0, record.lastIndexOf(".")))) throw new Error("the node names another record");
  if (state !== "final") throw new Error(`${id} is queued and not final yet: look at ${base}/v1/records/${id}`);
  return id;
}
