/**
 * Dates of RFC 3339 and days of the calendar, read by the one rule that the ledger's software reads them by: more than
 * `Date.parse` guarantees and less than it takes.
 */

const SECONDS_A_DAY = 86_400;
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[\u0000-\u007f](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const DAY = /^(?:\+(\d{4,6})|(\d{4}))-(\d{2})-(\d{2})$/;

/** Seconds since 1970 of an RFC 3339 time; what is below a second is cut off, what lies before 1970 is none. */
export function parseRfc3339(text: string): number | undefined {
  const parts = RFC_3339.exec(text);
  if (parts === null) {
    return undefined;
  }
  const [year, month, day, hour, minute, written] = parts.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const [offsetHour, offsetMinute] = [Number(parts[8] ?? 0), Number(parts[9] ?? 0)];
  const days = daysSince1970(year, month, day);
  if (days === undefined || hour > 23 || minute > 59 || written > 60 || offsetHour > 23 || offsetMinute > 59) {
    return undefined;
  }
  // A leap second is taken as the second before it, and is one only at the end of a month in UTC.
  const second = Math.min(written, 59);
  const offset = (offsetHour * 3_600 + offsetMinute * 60) * (parts[7] === "-" ? -1 : 1);
  const time = days * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second - offset;
  if (written === 60 && !isEndOfMonth(time)) {
    return undefined;
  }
  return time < 0 ? undefined : time;
}

/** Seconds since 1970 at which a day of the calendar (`YYYY-MM-DD`) begins in UTC; none for what is no day. May be negative. */
export function parseDay(text: string): number | undefined {
  const parts = DAY.exec(text);
  if (parts === null) {
    return undefined;
  }
  const days = daysSince1970(Number(parts[1] ?? parts[2]), Number(parts[3]), Number(parts[4]));
  return days === undefined ? undefined : days * SECONDS_A_DAY;
}

/** A time as all formats write it: whole seconds in UTC, `2026-01-31T12:00:00Z`; none after the year 9999. */
export function formatRfc3339(seconds: number): string | undefined {
  if (!Number.isSafeInteger(seconds) || seconds < 0 || seconds > 253_402_300_799) {
    return undefined;
  }
  return new Date(seconds * 1_000).toISOString().replace(".000Z", "Z");
}

function daysSince1970(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  // Not `Date.UTC`, which takes the years 0 to 99 for those of the twentieth century.
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isDay && year <= 9_999 ? date.getTime() / (SECONDS_A_DAY * 1_000) : undefined;
}

/** Whether a second is the last of a month. */
function isEndOfMonth(seconds: number): boolean {
  return (seconds + 1) % SECONDS_A_DAY === 0 && new Date((seconds + 1) * 1_000).getUTCDate() === 1;
}
