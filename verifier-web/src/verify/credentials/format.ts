/**
 * A credential of any format from its text. A format is told by its header and its claims, never by whoever hands it in.
 *
 * | | header `typ` | module |
 * | --- | --- | --- |
 * | `sd-jwt` | `dc+sd-jwt` (`vc+sd-jwt` is read, too) | `sdjwt` |
 * | `vcdm2` | `vc+jwt` (`vc+ld+jwt` is read, too) | `w3c` |
 * | `ebsi` | `JWT`, and a claim `vc` | `w3c` |
 * | `compact` | `dc+sd-jwt`, and a `vct` of its own | `compact` |
 */

import { splitOnce, utf8Length } from "../base/text.js";
import { COMPACT_VCT, readCompact } from "./compact.js";
import type { Credential } from "./credential.js";
import { jwsTyp, parseJws } from "./jws.js";
import { CREDENTIAL_BYTES_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";
import { readSdJwt } from "./sdjwt.js";
import { readEbsi, readVcdm2 } from "./w3c.js";

/** Reads a credential of any format from its text. Nothing of it is verified yet. Throws {@link Refusal} and nothing else. */
export function parseCredential(text: string): Credential {
  const bytes = utf8Length(text);
  if (bytes > CREDENTIAL_BYTES_MAX) throw Refusal.tooLarge(bytes, CREDENTIAL_BYTES_MAX);
  const [issued, disclosures] = splitOnce(text, "~") ?? [text];
  const jws = parseJws(issued);
  const typ = jwsTyp(jws);
  if (typ === "dc+sd-jwt" || typ === "vc+sd-jwt") {
    const { vct } = jws.payload;
    // The W3C's VCDM 2.0 as SD-JWT, which had the same header for a while, has none.
    if (vct === undefined) throw Refusal.unknownFormat("an SD-JWT without vct");
    if (vct === COMPACT_VCT) return readCompact(jws, disclosures);
    if (disclosures === undefined) throw Refusal.malformed("an SD-JWT ends in ~");
    return readSdJwt(jws, disclosures);
  }
  if (disclosures !== undefined) throw Refusal.unknownFormat("disclosures without an SD-JWT");
  if (typ === "vc+jwt" || typ === "vc+ld+jwt") return readVcdm2(jws);
  if ((typ === "JWT" || typ === undefined) && "vc" in jws.payload) return readEbsi(jws);
  throw Refusal.unknownFormat("the header's typ is none of a credential");
}
