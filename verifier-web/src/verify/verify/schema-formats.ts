/**
 * The formats of JSON Schema 2020-12 (§7.3), as the ledger's software checks them: by the rules of the crate `jsonschema` 0.60
 * without its `idna` feature. What that crate does not know is no constraint there and is none here.
 */

import { utf8Length } from "../base/text.js";
import { isHostname } from "./schema-hostnames.js";

/** Whether a text is of a format. */
export type FormatCheck = (text: string) => boolean;

/**
 * The check of a format. None for what is no constraint; `"unsure"` for `regex`, whose texts would be judged by a grammar of
 * ECMAScript that browsers of different years do not share.
 */
export function formatCheck(name: string): FormatCheck | "unsure" | undefined {
  if (name === "regex") return "unsure";
  const known = made.get(name) ?? MAKERS.get(name)?.();
  if (known !== undefined) made.set(name, known);
  return known;
}

function matches(pattern: RegExp): FormatCheck {
  return (text) => pattern.test(text);
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDate(text: string): boolean {
  const parts = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text);
  if (parts === null) return false;
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day >= 1 && day <= (DAYS[month - 1] ?? 0) + (month === 2 && isLeap ? 1 : 0);
}

function isTime(text: string): boolean {
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))$/.exec(text);
  if (parts === null) return false;
  const [hour, minute, second, offsetHour, offsetMinute] = [1, 2, 3, 5, 6].map((at) => Number(parts[at] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return false;
  // A leap second is the last of a day in UTC.
  const offset = (parts[4] === "-" ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  return second < 60 || (hour * 60 + minute - offset + 1) % (24 * 60) === 0;
}

function isDateTime(text: string): boolean {
  const at = text.search(/[Tt]/);
  return at >= 0 && isDate(text.slice(0, at)) && isTime(text.slice(at + 1));
}

/** RFC 3339 appendix A. */
function durationPattern(): RegExp {
  const day = "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)";
  const time = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";
  return new RegExp(`^P(?:[0-9]+W|${day}(?:${time})?|${time})$`);
}

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** RFC 4291 §2.2, with the last 32 bits perhaps as IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [number, half] of halves.entries()) {
    const parts = half === "" ? [] : half.split(":");
    const isLastHalf = number === halves.length - 1;
    for (const [at, part] of parts.entries()) {
      const isEmbedded = isLastHalf && at === parts.length - 1 && isIpv4(part);
      if (!isEmbedded && !/^[0-9a-fA-F]{1,4}$/.test(part)) return false;
      groups += isEmbedded ? 2 : 1;
    }
  }
  return halves.length === 1 ? groups === 8 : groups <= 7;
}

const PERCENT = "%[0-9A-Fa-f]{2}";
const UNRESERVED_AND_DELIMITERS = "A-Za-z0-9\\-._~!$&'()*+,;=";
/** Characters that RFC 3987 adds. */
const UCS = "\\u{a0}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{ffef}";
const PRIVATE = "\\u{e000}-\\u{f8ff}";

/** The characters of a plane but its last two. */
function plane(number: number, from = 0): string {
  const of = (low: number): string => `\\u{${(number * 0x1_0000 + low).toString(16)}}`;
  return `${of(from)}-${of(0xfffd)}`;
}

/** RFC 3986 §3, or RFC 3987 §2.2, with an address in brackets as the first or second group. */
function uriPattern(international: boolean, withScheme: boolean): RegExp {
  const ucs = international ? UCS + Array.from({ length: 13 }, (_, n) => plane(n + 1)).join("") + plane(14, 0x1000) : "";
  const own = international ? PRIVATE + plane(15) + plane(16) : "";
  const run = (more: string): string => `(?:[${UNRESERVED_AND_DELIMITERS}${more}${ucs}]|${PERCENT})*`;
  const authority = `//(?:${run(":")}@)?(?:\\[([^\\]]*)\\]|${run("")})(?::[0-9]*)?(?:/${run(":@/")})?`;
  const path = `(?!//)${run(":@/")}`;
  const absolute = `[A-Za-z][A-Za-z0-9+\\-.]*:(?:${authority}|${path})`;
  const relative = `${authority}|(?![^/?#]*:)${path}`;
  const rest = `(?:\\?${run(`:@/?${own}`)})?(?:#${run(":@/?")})?`;
  return new RegExp(`^(?:${withScheme ? absolute : `${absolute}|${relative}`})${rest}$`, "u");
}

const FUTURE_ADDRESS = new RegExp(`^[vV][0-9A-Fa-f]+\\.[${UNRESERVED_AND_DELIMITERS}:]+$`);

function isUri(pattern: RegExp): FormatCheck {
  return (text) => {
    const parts = pattern.exec(text);
    if (parts === null) return false;
    const address = parts[1] ?? parts[2];
    return address === undefined || isIpv6(address) || FUTURE_ADDRESS.test(address);
  };
}

/** RFC 6570, with what later versions may give a meaning to. */
function uriTemplatePattern(): RegExp {
  const literal = `[^\\u0000-\\u0020"<>%\\\\^\`{|}\\u007f]|${PERCENT}`;
  const name = `(?:[A-Za-z0-9_]|${PERCENT})+`;
  const variable = `${name}(?:\\.${name})*(?::[1-9][0-9]{0,3}|\\*)?`;
  return new RegExp(`^(?:${literal}|\\{[+#./;?&=,!@|]?${variable}(?:,${variable})*\\})*$`, "u");
}

/** White space around the parts of a display form. */
const SPACE = new Set(
  "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);
const ATOM = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+$/;
const QUOTED = /^(?:[ \t!#-[\]-~]|\\[!-~])+$/;
const LOCAL_BYTES_MAX = 64;
const DOMAIN_BYTES_MAX = 254;

/** RFC 5321's mailbox, also in its display form `Name <mailbox>`, in ASCII. */
function isEmail(text: string): boolean {
  // An empty quoted local part is one.
  const mailbox = withoutDisplayName(text.startsWith('""@') ? `"a"${text.slice(2)}` : text);
  const at = mailbox?.lastIndexOf("@") ?? -1;
  if (mailbox === undefined || at < 0) return false;
  const [local, domain] = [mailbox.slice(0, at), mailbox.slice(at + 1)];
  return isLocalPart(local) && utf8Length(domain) <= DOMAIN_BYTES_MAX && isMailDomain(domain);
}

function withoutDisplayName(text: string): string | undefined {
  const at = text.lastIndexOf(" <");
  if (at < 0) return text.startsWith("<") ? undefined : text;
  const mailbox = trimmed(text.slice(at + 2));
  if (!mailbox.endsWith(">")) return undefined;
  const isNameless = trimmed(text.slice(0, at)) === "";
  return isNameless && mailbox.startsWith("<") ? undefined : mailbox.slice(0, -1);
}

function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.has(text.charAt(start))) start++;
  while (start < end && SPACE.has(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

function isLocalPart(local: string): boolean {
  if (local.length > LOCAL_BYTES_MAX) return false;
  const isQuoted = local.startsWith('"') && local.endsWith('"');
  if (isQuoted) return local.length > 2 && QUOTED.test(local.slice(1, -1));
  return local.split(".").every((atom) => ATOM.test(atom));
}

function isMailDomain(domain: string): boolean {
  const literal = /^\[(.*)\]$/s.exec(domain)?.[1];
  if (literal === undefined) return isHostname(domain);
  const address = /^ipv6:(.*)$/is.exec(literal)?.[1];
  return address === undefined ? isIpv4(literal) : isIpv6(address);
}

/** How checks are made, each on its first use: whoever looks at one diploma needs few of them. */
const MAKERS: ReadonlyMap<string, () => FormatCheck> = new Map([
  ["date", () => isDate],
  ["date-time", () => isDateTime],
  ["time", () => isTime],
  ["duration", () => matches(durationPattern())],
  ["email", () => isEmail],
  ["hostname", () => isHostname],
  ["ipv4", () => isIpv4],
  ["ipv6", () => isIpv6],
  ["iri", () => isUri(uriPattern(true, true))],
  ["iri-reference", () => isUri(uriPattern(true, false))],
  ["json-pointer", () => matches(/^(?:\/(?:[^~/]|~[01])*)*$/u)],
  ["relative-json-pointer", () => matches(/^(?:0|[1-9][0-9]*)(?:#|(?:\/(?:[^~/]|~[01])*)*)$/u)],
  ["uri", () => isUri(uriPattern(false, true))],
  ["uri-reference", () => isUri(uriPattern(false, false))],
  ["uri-template", () => matches(uriTemplatePattern())],
  ["uuid", () => matches(/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/)],
]);
const made = new Map<string, FormatCheck>();
