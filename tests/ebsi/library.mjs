// EBSI's own libraries, pointed at one node.
//
// They keep what they have read for five minutes, failures included: a process that is to see a change must be a new one.
import { getResolver } from "@cef-ebsi/ebsi-did-resolver";
import { verifyCredentialJwt } from "@cef-ebsi/verifiable-credential";
import { Resolver } from "did-resolver";

const registries = (base) => ({
  didRegistry: `${base}/did-registry/v5/identifiers`,
  trustedIssuersRegistry: `${base}/trusted-issuers-registry/v5/issuers`,
  trustedPoliciesRegistry: `${base}/trusted-policies-registry/v3/users`,
});

/**
 * Verifies a credential against the node at `base` (http://host:port).
 * `status: false` leaves the status out, `validAt` (Unix seconds) judges the dates then, `accreditation: true` wants an
 * accreditation even when the credential names none.
 */
export async function verifyWithEbsi(base, jwt, { status = true, validAt, accreditation = false } = {}) {
  const { host, hostname } = new URL(base);
  try {
    const credential = await verifyCredentialJwt(jwt, {
      ebsiAuthority: host,
      // Without these two the library would speak to EBSI's own hosts, and over https only.
      trustedHostnames: [hostname],
      ebsiEnvConfig: registries(base),
      skipStatusValidation: !status,
      validateAccreditationWithoutTermsOfUse: accreditation,
      ...(validAt !== undefined && { validAt }),
    });
    return { ok: true, types: credential.type, issuer: credential.issuer };
  } catch (error) {
    return { ok: false, error: error.message };
  }
}

/** Resolves a DID. */
export async function resolve(base, did) {
  const resolver = new Resolver(getResolver({ registry: registries(base).didRegistry }));
  const { didDocument: document, didResolutionMetadata: metadata } = await resolver.resolve(did);
  return document ? { ok: true, document } : { ok: false, error: metadata.error, message: metadata.message };
}
