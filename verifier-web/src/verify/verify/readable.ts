/**
 * Step 1: readable and complete, by the rules of its format and by the schema on the ledger.
 *
 * Of an SD-JWT with undisclosed fields, and of a compact credential, only what is there can be judged, so nothing counts as
 * missing (`lenient`).
 */

import type { JsonObject } from "../base/json.js";
import { jsonObject } from "../base/json.js";
import type { Credential } from "../credentials/credential.js";
import { found, noProof } from "./report.js";
import type { Found } from "./report.js";
import type { ReasonCode } from "./reason.js";
import type { Schema } from "./schema.js";
import type { View } from "./view.js";

/** What the step found. */
export interface Readable {
  /** Reason and evidence. */
  readonly found: Found;
  /** What the credential attests; empty after a failure. */
  readonly subject: JsonObject;
}

/** A schema made ready; none when it is not one that can be used here. */
export type Compile = (body: string, lenient: boolean) => Schema | undefined;

/** Holds the content against the schemas that the credential names. */
export function checkReadable(credential: Credential, view: View | undefined, compile: Compile): Readable {
  const { subject } = credential;
  if (credential.schemas.length === 0) return { found: found("readable.incomplete", { missing: "schema" }), subject };
  if (credential.types.length === 0) return { found: found("readable.incomplete", { missing: "type" }), subject };
  // Without any proof the next steps have no answer either, and say so.
  if (view === undefined) return { found: found("readable.ok", { schema: "not checked" }), subject };
  if (!view.schemas.ok) {
    return { found: { reason: "readable.schema-unknown", evidence: noProof(view.schemas.detail) }, subject };
  }
  const whole = jsonObject({ ...subject, ...(credential.subjectId !== undefined && { id: credential.subjectId }) });
  const instance = jsonObject({ credentialSubject: whole });
  const lenient = credential.undisclosed > 0 || credential.format === "compact";
  let reason: ReasonCode = "readable.ok";
  const used: JsonObject[] = [];
  for (const id of credential.schemas) {
    const entry = view.schemas.value.get(id);
    const schema = entry && compile(entry.body, lenient);
    used.push(jsonObject({ id, revision: entry?.seq }));
    if (schema === undefined) {
      reason = "readable.schema-unknown";
      continue;
    }
    const fault = schema.validate(instance);
    // The place, and never the value: evidence of an unverified credential shows nothing of it.
    if (fault) return { found: found("readable.schema", { schema: id, ...fault }), subject: jsonObject({}) };
  }
  const evidence = { format: credential.format, schemas: used, undisclosed: credential.undisclosed };
  return { found: found(reason, evidence), subject };
}
