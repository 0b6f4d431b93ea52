/** Step 7: the credential's own dates. They say when it may be relied upon, and prove nothing of when it was issued. */

import { parseDay } from "../base/time.js";
import type { Credential } from "../credentials/credential.js";
import { asText } from "../credentials/json.js";
import { CLOCK_SKEW_S } from "../credentials/limits.js";
import { found } from "./report.js";
import type { Found } from "./report.js";

/** Judges the dates at a time. */
export function checkDates(credential: Credential, about: number): Found {
  const from = credential.validFrom;
  const expiry = dayAfter(asText(credential.subject["expiryDate"]) ?? "");
  // Whichever end comes first: the document's, or the day that its content names.
  const ends = [credential.validUntil, expiry].filter((end): end is number => end !== undefined);
  const end = ends.length > 0 ? Math.min(...ends) : undefined;
  const evidence = { from: from ?? null, until: end ?? null };
  if (from !== undefined && end !== undefined && end <= from) return found("dates.inverted", evidence);
  if (end !== undefined && end <= about) return found("dates.expired", evidence);
  if (from !== undefined && from > about + CLOCK_SKEW_S) return found("dates.not-yet-valid", evidence);
  return found("dates.ok", evidence);
}

/** The first second after a day, `YYYY-MM-DD`, anywhere on Earth: the day ends last at UTC−12. */
export function dayAfter(day: string): number | undefined {
  const begin = parseDay(day);
  const end = begin === undefined ? undefined : begin + 36 * 3_600;
  return end !== undefined && end >= 0 ? end : undefined;
}
