// Issues a credential with `jose`, as a university would with its own tools. Prints the JWT.
//
//   node issue.mjs < request.json
//
// The request: {issuerDid, kid, privateJwk, subject: {id, …}, types, schemaId (a URL or several), termsOfUse (URL of the
// issuer's accreditation), credentialStatus, validFrom, expirationDate, id}; what follows schemaId may be left out.
import { readFileSync } from "node:fs";
import { credential, signCredential } from "./credentials.mjs";

const { issuerDid, schemaId, kid, privateJwk, ...rest } = JSON.parse(readFileSync(0, "utf8"));
console.log(await signCredential(credential({ issuer: issuerDid, schemas: schemaId, ...rest }), kid, privateJwk));
