import type { Language } from './languages.js';

/**
 * Months of the languages that Chromium has no data for. There, `Intl` would write the dates of another language without
 * a word, so these three are never left to it.
 */
const OWN_PATTERNS: Partial<Record<Language, { months: readonly string[]; day: (day: number, month: string, year: string) => string }>> = {
  ga: {
    months: [
      'Eanáir', 'Feabhra', 'Márta', 'Aibreán', 'Bealtaine', 'Meitheamh',
      'Iúil', 'Lúnasa', 'Meán Fómhair', 'Deireadh Fómhair', 'Samhain', 'Nollaig',
    ],
    day: (day, month, year) => `${day} ${month} ${year}`,
  },
  lb: {
    months: [
      'Januar', 'Februar', 'Mäerz', 'Abrëll', 'Mee', 'Juni',
      'Juli', 'August', 'September', 'Oktober', 'November', 'Dezember',
    ],
    day: (day, month, year) => `${day}. ${month} ${year}`,
  },
  mt: {
    months: [
      'Jannar', 'Frar', 'Marzu', 'April', 'Mejju', 'Ġunju',
      'Lulju', 'Awwissu', 'Settembru', 'Ottubru', 'Novembru', 'Diċembru',
    ],
    day: (day, month, year) => `${day} ta’ ${month} ${year}`,
  },
};

/** A calendar day, `YYYY-MM-DD`, in words. What is no such day is given back as it is. */
export function formatDay(language: Language, day: string): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (parts === null) return day;
  const date = new Date(`${day}T00:00:00Z`);
  // `2026-02-31` is read as a day in March: it is shown as written.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(parts[3])) return day;
  return inWords(language, date, 'UTC');
}

/** The day of a moment, in seconds since 1970, where the reader is. */
export function formatDate(language: Language, seconds: number): string {
  const date = moment(seconds);
  return date === undefined ? String(seconds) : inWords(language, date, undefined);
}

/** A moment, in seconds since 1970: day and time of day where the reader is. */
export function formatTime(language: Language, seconds: number): string {
  const date = moment(seconds);
  if (date === undefined) return String(seconds);
  const pad = (part: number): string => String(part).padStart(2, '0');
  return `${inWords(language, date, undefined)}, ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** The same for machines, in UTC, as the attribute `datetime` has it. */
export function isoTime(seconds: number): string | undefined {
  return moment(seconds)?.toISOString();
}

function moment(seconds: number): Date | undefined {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function inWords(language: Language, date: Date, timeZone: 'UTC' | undefined): string {
  const own = OWN_PATTERNS[language];
  if (own !== undefined) {
    const utc = timeZone === 'UTC';
    const month = own.months[utc ? date.getUTCMonth() : date.getMonth()] ?? '';
    const year = String(utc ? date.getUTCFullYear() : date.getFullYear()).padStart(4, '0');
    return own.day(utc ? date.getUTCDate() : date.getDate(), month, year);
  }
  const key = `${language} ${timeZone ?? ''}`;
  let format = FORMATS.get(key);
  if (format === undefined) {
    // Europe's English has the day before the month.
    const locale = language === 'en' ? 'en-GB' : language;
    const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'long', year: 'numeric', calendar: 'gregory' };
    format = new Intl.DateTimeFormat(locale, timeZone === undefined ? options : { ...options, timeZone });
    FORMATS.set(key, format);
  }
  return format.format(date);
}

/** Browsers take tens of milliseconds to make one. */
const FORMATS = new Map<string, Intl.DateTimeFormat>();
