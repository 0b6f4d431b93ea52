/**
 * What binds a printed diploma to its credential.
 *
 * The PDF that a university hands out is a *print* (the pages with their QR code, complete in themselves) and, after it, one
 * incremental update that attaches the files. The credential's content holds the SHA-256 and the length of the print, so a page
 * that somebody else laid around a genuine attachment is told. What follows the print must be exactly the update that the
 * issuer's files make, so that nothing can be drawn over the page by a later update.
 *
 * - INV-PRINT-1: a PDF counts as the issuer's only when it is, byte for byte, the print that the credential names and the one
 *   update that its attachments make.
 *
 * The update is a function of the print and of the files: FORMATS.md, "Print", has its bytes. {@link split} reads it back by
 * making it again.
 */

import { concat, equalBytes, fromUtf8, hex } from "../base/bytes.js";
import { sha256, sha256hex } from "../base/hash.js";
import { ATTACHMENTS_MAX, ATTACHMENT_BYTES_MAX, FILE_BYTES_MAX } from "../credentials/limits.js";
import { after, ascii, before, find, findLast, isDigit, latin1, splitAt, trimEnd } from "./bytes.js";

/** The print that a credential names. */
export interface PrintDigest {
  /** How many bytes the print has. */
  readonly bytes: number;
  /** Their SHA-256, 64 hexadecimal digits. */
  readonly sha256: string;
}

/** The digest of a print. */
export function printDigest(print: Uint8Array): PrintDigest {
  return { bytes: print.length, sha256: sha256hex(print) };
}

/** What was found out about the PDF that a credential came in; none when it came in no PDF. */
export type Print =
  | {
      /** Of what stands before the update; of the whole file when there is no such update. */
      readonly digest: PrintDigest;
      /** Whether all that follows is that update. */
      readonly whole: boolean;
    }
  | undefined;

/** How an attached file stands to the page (ISO 32000-2, table 43): what it was made from, what belongs to it, another form. */
export type Relationship = "Source" | "Data" | "Alternative";

const RELATIONSHIPS: readonly Relationship[] = ["Source", "Data", "Alternative"];

/** An attached file. Its texts are held so plain that the PDF needs no escapes. */
export interface Attachment {
  /** File name: 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string;
  /** Media type without parameters, in lower case. */
  readonly mediaType: string;
  /** What it is, for people: 1 to 100 of letters, digits, space and `. , : -`. */
  readonly description: string;
  /** How it stands to the page. */
  readonly relationship: Relationship;
  /** When it was made, in seconds since 1970. */
  readonly modified: number;
  /** The file. */
  readonly bytes: Uint8Array;
}

/** The update that attaches files to a print; none when they cannot be attached, or it is no print. */
export function update(print: Uint8Array, files: readonly Attachment[]): Uint8Array | undefined {
  const tail = tailOf(print);
  if (tail === undefined || !attachable(files)) return undefined;
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (part: string | Uint8Array): void => {
    const bytes = typeof part === "string" ? ascii(part) : part;
    parts.push(bytes);
    length += bytes.length;
  };
  const offsets: number[] = [];
  const names: string[] = [];
  const associated: string[] = [];
  put("\n");
  files.forEach((file, index) => {
    const stream = tail.size + 2 * index;
    const spec = stream + 1;
    const size = file.bytes.length;
    offsets.push(print.length + length);
    put(`${stream} 0 obj\n<</Type/EmbeddedFile/Subtype/${file.mediaType.replace("/", "#2F")}/Length ${size}`);
    put(`/Params<</Size ${size}/ModDate(${pdfDate(file.modified)})>>>>\nstream\n`);
    put(file.bytes);
    put("\nendstream\nendobj\n");
    offsets.push(print.length + length);
    put(`${spec} 0 obj\n<</Type/Filespec/F(${file.name})/UF(${file.name})/EF<</F ${stream} 0 R/UF ${stream} 0 R>>`);
    put(`/AFRelationship/${file.relationship}/Desc(${file.description})>>\nendobj\n`);
    names.push(`(${file.name}) ${spec} 0 R`);
    associated.push(`${spec} 0 R`);
  });
  offsets.unshift(print.length + length);
  put(`${tail.catalog} 0 obj\n<<`);
  put(tail.catalogMembers);
  put(`/Names<</EmbeddedFiles<</Names[${names.join(" ")}]>>>>/AF[${associated.join(" ")}]>>\nendobj\n`);
  const table = print.length + length;
  put(`xref\n${tail.catalog} ${offsets.length}\n`);
  for (const offset of offsets) put(`${String(offset).padStart(10, "0")} 00000 n\r\n`);
  // A reader that keeps documents by their id must see that this is another version of the print.
  const id = hex(sha256(print, ...parts).subarray(0, 16));
  put(`trailer\n<</Size ${tail.size + offsets.length - 1}`);
  put(tail.trailerMembers);
  put("/ID[");
  put(tail.firstId);
  put(` <${id}>]/Prev ${tail.table}>>\nstartxref\n${table}\n%%EOF`);
  return print.length + length > FILE_BYTES_MAX ? undefined : concat(...parts);
}

/**
 * The print's length and the attached files, if a PDF is exactly a print and its one update (INV-PRINT-1). Whether the print is
 * the issuer's is for the credential to say.
 */
export function split(pdf: Uint8Array): { end: number; files: Attachment[] } | undefined {
  if (pdf.length > FILE_BYTES_MAX) return undefined;
  // From the end: the update's trailer names the print's table, whose end is the print's end.
  const trailer = findLast(pdf, TRAILER);
  if (trailer < 0) return undefined;
  const named = between(pdf.subarray(trailer + TRAILER.length), ascii("/Prev "), ascii(">>\nstartxref\n"));
  const previous = named && number(named);
  if (previous === undefined || previous > pdf.length) return undefined;
  const mark = find(pdf, ascii("\n%%EOF\n"), previous);
  if (mark < 0) return undefined;
  const end = mark + END.length;
  const print = pdf.subarray(0, end);
  const tail = tailOf(print);
  const files = tail && attached(pdf.subarray(end), tail.size);
  // INV-PRINT-1: not "does it look like our update" but "is it what we would have written".
  const made = files && update(print, files);
  return files && made && equalBytes(made, pdf.subarray(end)) ? { end, files } : undefined;
}

const TRAILER = ascii("\ntrailer\n<<");
const END = ascii("\n%%EOF");

/** The files of an update, without a look at anything else of it. */
function attached(bytes: Uint8Array, size: number): Attachment[] | undefined {
  let rest = after(bytes, ascii("\n"));
  const files: Attachment[] = [];
  for (let stream = size; rest !== undefined; stream += 2) {
    const head = after(rest, ascii(`${stream} 0 obj\n<</Type/EmbeddedFile/Subtype/`));
    if (head === undefined) return files;
    if (files.length === ATTACHMENTS_MAX) return undefined;
    const found = attachment(head);
    if (found === undefined) return undefined;
    files.push(found[0]);
    rest = found[1];
  }
  return undefined;
}

/** A file, from its media type on, and what follows it. */
function attachment(bytes: Uint8Array): [Attachment, Uint8Array] | undefined {
  const [dictionary, content] = splitAt(bytes, ascii(">>>>\nstream\n")) ?? [];
  const [mediaType, afterType] = (dictionary && splitAt(dictionary, ascii("/Length "))) ?? [];
  const [length, parameters] = (afterType && splitAt(afterType, ascii("/Params<<"))) ?? [];
  const date = parameters && between(parameters, ascii("/ModDate("), ascii(")"));
  const modified = date && unixTime(date);
  const size = length && number(length);
  if (!content || !mediaType || modified === undefined || size === undefined || size > content.length) return undefined;
  const [, specification] = splitAt(content.subarray(size), ascii("/F(")) ?? [];
  const [name, afterName] = (specification && splitAt(specification, ascii(")"))) ?? [];
  const [, relation] = (afterName && splitAt(afterName, ascii("/AFRelationship/"))) ?? [];
  const [kind, afterKind] = (relation && splitAt(relation, ascii("/Desc("))) ?? [];
  const [description, rest] = (afterKind && splitAt(afterKind, ascii(")>>\nendobj\n"))) ?? [];
  if (!name || !kind || !description || !rest) return undefined;
  const relationship = RELATIONSHIPS.find((known) => known === latin1(kind));
  if (relationship === undefined) return undefined;
  // What is not ASCII stays what it is here and is refused by `attachable`.
  const file = {
    name: latin1(name),
    mediaType: latin1(mediaType).split("#2F").join("/"),
    description: latin1(description),
    relationship,
    modified,
    bytes: content.subarray(0, size),
  };
  return [file, rest];
}

/** What the update needs of a print: its last lines. */
interface Tail {
  /** Number of its objects, the free one included: the first free number. */
  readonly size: number;
  /** The catalog's number, its last object. */
  readonly catalog: number;
  /** The catalog's members. */
  readonly catalogMembers: Uint8Array;
  /** Where its cross-reference table stands. */
  readonly table: number;
  /** The trailer's members between `/Size` and `/ID`. */
  readonly trailerMembers: Uint8Array;
  /** The first of the two document ids, as it stands there. */
  readonly firstId: Uint8Array;
}

function tailOf(print: Uint8Array): Tail | undefined {
  const body = before(print, END);
  const start = body ? findLast(body, ascii("\nstartxref\n")) : -1;
  if (body === undefined || start < 0) return undefined;
  const head = body.subarray(0, start);
  const table = number(body.subarray(start + "\nstartxref\n".length));
  const counted = table === undefined || table > head.length ? undefined : after(head.subarray(table), ascii("xref\n0 "));
  const [count, section] = (counted && splitAt(counted, ascii("\n"))) ?? [];
  const size = count && number(count);
  if (table === undefined || section === undefined || size === undefined || size > U32_MAX || size < 1) return undefined;
  const entries = size * 20;
  if (entries > section.length) return undefined;
  const inTrailer = after(section.subarray(entries), ascii("trailer\n<</Size "));
  const trailer = inTrailer && before(inTrailer, ascii(">>"));
  const members = trailer && after(trailer, ascii(String(size)));
  const [trailerMembers, ids] = (members && splitAt(members, ascii("/ID["))) ?? [];
  if (members === undefined || trailerMembers === undefined || ids === undefined) return undefined;
  const idEnd = ids.findIndex((byte) => byte === 0x29 || byte === 0x3e);
  const firstId = ids.subarray(0, idEnd + 1);
  if (idEnd < 0 || fromUtf8(firstId) === undefined) return undefined;
  const catalog = size - 1;
  const at = padded(section.subarray(entries - 20, entries - 10));
  if (at === undefined || at > table) return undefined;
  const object = after(print.subarray(at, table), ascii(`${catalog} 0 obj\n<<`));
  const catalogMembers = object && before(trimEnd(object), ascii(">>\nendobj"));
  if (catalogMembers === undefined) return undefined;
  const has = (bytes: Uint8Array, what: string): boolean => find(bytes, ascii(what)) >= 0;
  const plain = !has(members, "/Prev") && has(members, `/Root ${catalog} 0 R`);
  const bare = !has(catalogMembers, "/Names") && !has(catalogMembers, "/AF");
  const isCatalog = has(catalogMembers, "/Type/Catalog") && !has(catalogMembers, "endobj");
  return plain && bare && isCatalog ? { size, catalog, catalogMembers, table, trailerMembers, firstId } : undefined;
}

const U32_MAX = 0xffffffff;

/** Bounds and plainness of files. */
function attachable(files: readonly Attachment[]): boolean {
  if (files.length === 0 || files.length > ATTACHMENTS_MAX) return false;
  return files.every((file, index) => {
    const previous = files[index - 1];
    const ordered = previous === undefined || previous.name < file.name;
    const mediaType = /^[a-z0-9]{1,32}\/[a-z0-9.+-]{1,64}$/.test(file.mediaType);
    const texts = /^[A-Za-z0-9._-]{1,64}$/.test(file.name) && /^[A-Za-z0-9 .,:-]{1,100}$/.test(file.description);
    const bounded = file.bytes.length <= ATTACHMENT_BYTES_MAX && pdfDate(file.modified) !== undefined;
    return bounded && ordered && mediaType && texts && !looksLikeObject(file.bytes);
  });
}

/**
 * Whether a reader that scans damaged files for objects could find one in these bytes: `<number> obj`, `endstream`. Without this,
 * an attachment could carry another page for such readers.
 */
function looksLikeObject(bytes: Uint8Array): boolean {
  for (let at = find(bytes, OBJECT); at >= 0; at = find(bytes, OBJECT, at + 3)) {
    let last = at - 1;
    while (last >= 0 && SPACES.includes(bytes[last] ?? -1)) last--;
    if (last >= 0 && last < at - 1 && isDigit(bytes[last])) return true;
  }
  return find(bytes, ascii("endstream")) >= 0;
}

const OBJECT = ascii("obj");
/** White space of PDFs (ISO 32000-2, table 1). */
const SPACES = [0, 9, 10, 12, 13, 32];

function between(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array | undefined {
  const rest = splitAt(bytes, from)?.[1];
  return rest && splitAt(rest, to)?.[0];
}

/** A decimal number without sign or leading zeros; none above 2^53, which is no place or length in any file. */
function number(bytes: Uint8Array): number | undefined {
  const digits = latin1(bytes.subarray(0, 17));
  const value = /^(0|[1-9][0-9]{0,15})$/.test(digits) ? Number(digits) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function padded(bytes: Uint8Array): number | undefined {
  return bytes.every(isDigit) ? Number(latin1(bytes)) : undefined;
}

/** `D:YYYYMMDDhhmmssZ`; none after the year 9999. */
function pdfDate(at: number): string | undefined {
  if (at > 253402300799) return undefined;
  return `D:${new Date(at * 1000).toISOString().replace(/\.000Z$/, "Z").replace(/[^0-9Z]/g, "")}`;
}

function unixTime(date: Uint8Array): number | undefined {
  const found = /^D:([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z$/.exec(latin1(date.subarray(0, 18)));
  if (found === null || date.length !== 17) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  const millis = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // 30 February and 24:00 are dates for some engines: a date is one only if it is written back the same.
  if (Number.isNaN(millis) || millis < 0 || pdfDate(millis / 1000) !== latin1(date)) return undefined;
  return millis / 1000;
}

