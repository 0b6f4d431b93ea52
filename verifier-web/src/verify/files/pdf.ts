/**
 * Attached files of PDFs by any program.
 *
 * The reader ignores cross-reference tables and streams: it walks through the file and takes every object that it meets, in plain
 * sight or in an object stream, the last of a number counting, as programs do that repair damaged files. That is all that finding
 * attached files takes, it reads files whose tables are broken (mail gateways do that), and it is so little that it is exactly
 * the same in Rust. Objects within streams of other kinds are never looked at.
 *
 * A file specification is any dictionary with an `/EF`; its name is `/UF`, else `/F`; its file the stream that `/EF` names, stored
 * plain or deflated. Encrypted PDFs are refused.
 */

import { ATTACHMENT_BYTES_MAX } from "../credentials/limits.js";
import { ascii, endsWith, find, isDigit, latin1, standsAt, startsWith, trimStart } from "./bytes.js";
import { OpenError } from "./error.js";
import { PDF_DEPTH_MAX, PDF_FILES_MAX, PDF_INFLATED_BYTES_MAX, PDF_OBJECTS_MAX } from "./limits.js";
import { Budget, Parser, PdfName, PdfReference, PdfStream, PdfText, isSpace } from "./pdf-values.js";
import type { PdfDictionary, PdfValue } from "./pdf-values.js";

/** A file that a PDF has attached. */
export interface PdfFile {
  /** Its name, for people. */
  readonly name: string;
  /** The file. */
  readonly bytes: Uint8Array;
  /** Whether the PDF names it as what the page was made from. */
  readonly source: boolean;
}

const HEADER = ascii("%PDF-");
const OBJECT = ascii("obj");
const TRAILER = ascii("trailer");
const STREAM = ascii("stream");
const END_OF_STREAM = ascii("endstream");

/** Whether it is a PDF: the header stands within the first kilobyte. */
export function isPdf(bytes: Uint8Array): boolean {
  return find(bytes.subarray(0, 1024), HEADER) >= 0 && trimStart(bytes)[0] !== 0x7b;
}

/**
 * The files that a PDF has attached.
 *
 * @throws OpenError when it is damaged, encrypted or out of bounds
 */
export function attachedFiles(bytes: Uint8Array): PdfFile[] {
  const objects = new Objects(bytes);
  objects.walk(bytes);
  return objects.attached();
}

class Objects {
  private readonly budget: Budget;
  private readonly found = new Map<number, PdfValue>();

  constructor(bytes: Uint8Array) {
    this.budget = new Budget(bytes);
  }

  /** Takes every object, front to back. */
  walk(bytes: Uint8Array): void {
    for (let at = find(bytes, OBJECT); at >= 0; at = find(bytes, OBJECT, at)) {
      const number = numberBefore(bytes, at);
      at += OBJECT.length;
      if (number === undefined) continue;
      const parser = new Parser(bytes, at, this.budget);
      let value = parser.value(PDF_DEPTH_MAX);
      if (value === undefined) continue;
      at = parser.at;
      if (value instanceof Map) {
        const stream = streamAfter(bytes, at, value, this.budget);
        if (stream !== undefined) {
          value = new PdfStream(value, stream.content);
          at = stream.end;
        }
      }
      this.take(number, value);
    }
    for (let at = find(bytes, TRAILER); at >= 0; at = find(bytes, TRAILER, at)) {
      at += TRAILER.length;
      const trailer = new Parser(bytes, at, this.budget).value(PDF_DEPTH_MAX);
      if (trailer instanceof Map) refuseEncrypted(trailer);
    }
  }

  private take(number: number, value: PdfValue): void {
    if (value instanceof PdfStream) {
      const kind = value.dictionary.get("Type");
      if (kind instanceof PdfName && kind.name === "XRef") refuseEncrypted(value.dictionary);
      if (kind instanceof PdfName && kind.name === "ObjStm") {
        for (const [inner, member] of members(value, this.budget)) this.keep(inner, member);
      }
    }
    this.keep(number, value);
  }

  private keep(number: number, value: PdfValue): void {
    this.found.set(number, value);
    if (this.found.size > PDF_OBJECTS_MAX) throw OpenError.container("it has too many objects");
  }

  /** The files that specifications name, each stream once. */
  attached(): PdfFile[] {
    const streams = new Map<number, { name: string; source: boolean }>();
    const visit = (dictionary: PdfDictionary): void => {
      const embedded = this.resolved(dictionary.get("EF"));
      if (!(embedded instanceof Map)) return;
      const stream = [embedded.get("UF"), embedded.get("F")].find((value) => value instanceof PdfReference);
      if (!(stream instanceof PdfReference) || streams.has(stream.number) || streams.size >= PDF_FILES_MAX) return;
      const names = ["UF", "F"].map((key) => this.resolved(dictionary.get(key)));
      const name = names.find((value) => value instanceof PdfText);
      const relationship = dictionary.get("AFRelationship");
      streams.set(stream.number, {
        name: name instanceof PdfText ? readable(name.bytes) : "",
        source: relationship instanceof PdfName && relationship.name === "Source",
      });
    };
    const numbers = Array.from(this.found.keys()).sort((a, b) => a - b);
    for (const number of numbers) specifications(this.found.get(number), PDF_DEPTH_MAX, visit);
    const files: PdfFile[] = [];
    for (const [number, { name, source }] of streams) {
      const stream = this.found.get(number);
      const bytes = stream instanceof PdfStream ? plain(stream, ATTACHMENT_BYTES_MAX, this.budget) : undefined;
      if (bytes !== undefined) files.push({ name, bytes, source });
    }
    return files;
  }

  /** A value, through one reference. */
  private resolved(value: PdfValue | undefined): PdfValue | undefined {
    return value instanceof PdfReference ? this.found.get(value.number) : value;
  }
}

/** Dictionaries with an `/EF`, in a value and its members, these in the order of their names. */
function specifications(value: PdfValue | undefined, depth: number, visit: (found: PdfDictionary) => void): void {
  if (Array.isArray(value)) {
    if (depth > 0) for (const member of value) specifications(member, depth - 1, visit);
    return;
  }
  const dictionary = value instanceof PdfStream ? value.dictionary : value;
  if (!(dictionary instanceof Map)) return;
  if (dictionary.has("EF")) visit(dictionary);
  if (depth === 0) return;
  // Only nested values can hold one: most members need no order.
  const nested = Array.from(dictionary).filter(([, member]) => member instanceof Map || Array.isArray(member));
  if (nested.length > 1) nested.sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [, member] of nested) specifications(member, depth - 1, visit);
}

function refuseEncrypted(trailer: PdfDictionary): void {
  if (trailer.has("Encrypt")) throw OpenError.container("it is encrypted: save it without a password");
}

/** The number of `N G obj`, looking back from the keyword: ten digits, five digits, and white space around them. */
function numberBefore(bytes: Uint8Array, keyword: number): number | undefined {
  const first = Math.max(0, keyword - 32);
  const back = (from: number, is: (byte: number | undefined) => boolean): number => {
    let at = from;
    while (at > first && is(bytes[at - 1])) at--;
    return at;
  };
  const generationEnd = back(keyword, isSpace);
  const generation = back(generationEnd, isDigit);
  const numberEnd = back(generation, isSpace);
  const number = back(numberEnd, isDigit);
  const spaces = generationEnd < keyword && numberEnd < generation;
  const digits = numberEnd - number;
  if (!spaces || generation === generationEnd || digits === 0 || digits > 10) return undefined;
  const value = Number(latin1(bytes.subarray(number, numberEnd)));
  return value <= 0xffffffff ? value : undefined;
}

/**
 * The bytes of the stream that begins here, and where it ends. The length that the dictionary gives is believed only if
 * `endstream` follows; otherwise the first `endstream` ends it.
 */
function streamAfter(
  bytes: Uint8Array,
  at: number,
  dictionary: PdfDictionary,
  budget: Budget,
): { content: Uint8Array; end: number } | undefined {
  let begin = at;
  while (isSpace(bytes[begin])) begin++;
  if (!standsAt(bytes, STREAM, begin)) return undefined;
  begin += STREAM.length;
  if (bytes[begin] === 13) begin += bytes[begin + 1] === 10 ? 2 : 1;
  else if (bytes[begin] === 10) begin += 1;
  const length = dictionary.get("Length");
  if (typeof length === "number" && length >= 0 && begin + length <= bytes.length) {
    const end = begin + length;
    if (startsWith(trimStart(bytes.subarray(end)), END_OF_STREAM)) return { content: bytes.subarray(begin, end), end };
  }
  const end = find(bytes, END_OF_STREAM, begin);
  budget.step((end < 0 ? bytes.length : end) - begin);
  if (end < 0) return undefined;
  const content = bytes.subarray(begin, end);
  const line = endsWith(content, ascii("\r\n")) ? 2 : endsWith(content, ascii("\n")) ? 1 : 0;
  return { content: content.subarray(0, content.length - line), end };
}

/** The content of a stream that is stored plain or deflated; none for other filters. */
function plain(stream: PdfStream, most: number, budget: Budget): Uint8Array | undefined {
  const { dictionary, content } = stream;
  const filters = dictionary.get("Filter");
  const list = Array.isArray(filters) ? filters : filters === undefined || filters === null ? [] : [filters];
  if (list.length === 0) return content.length <= most ? content : undefined;
  const [filter] = list as readonly PdfValue[];
  const deflated = filter instanceof PdfName && (filter.name === "FlateDecode" || filter.name === "Fl");
  if (list.length > 1 || !deflated) return undefined;
  // Predictors are for pictures and tables.
  const parameters = dictionary.get("DecodeParms");
  if (parameters instanceof Map && parameters.has("Predictor")) return undefined;
  return budget.inflate(content, most);
}

/** The objects of an object stream. */
function members(stream: PdfStream, budget: Budget): [number, PdfValue][] {
  const content = plain(stream, PDF_INFLATED_BYTES_MAX, budget);
  const count = stream.dictionary.get("N");
  const first = stream.dictionary.get("First");
  if (content === undefined || typeof count !== "number" || typeof first !== "number" || count < 0 || first < 0) return [];
  const head = new Parser(content, 0, budget);
  const places: [number, number][] = [];
  // Each pair takes three bytes at least: a count beyond that is a lie.
  for (let index = 0; index < Math.min(count, Math.floor(content.length / 3)); index++) {
    const [number, offset] = [head.value(0), head.value(0)];
    if (typeof number !== "number" || typeof offset !== "number") break;
    if (number >= 0 && number <= 0xffffffff && offset >= 0) places.push([number, offset]);
  }
  const objects: [number, PdfValue][] = [];
  for (const [number, offset] of places) {
    if (first + offset >= content.length) continue;
    const value = new Parser(content, first + offset, budget).value(PDF_DEPTH_MAX);
    if (value !== undefined) objects.push([number, value]);
  }
  return objects;
}

/** A file name for people: UTF-16 or UTF-8 with their marks, else one byte a letter; a path's last part, no control characters. */
function readable(text: Uint8Array): string {
  const last = decoded(text).split(/[/\\]/).pop() ?? "";
  return Array.from(last.replace(/\p{Cc}/gu, ""))
    .slice(0, 200)
    .join("");
}

function decoded(text: Uint8Array): string {
  if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(text.subarray(3));
  }
  if (text[0] !== 0xfe || text[1] !== 0xff) return latin1(text);
  let units = "";
  for (let at = 2; at + 1 < text.length; at += 2) {
    units += String.fromCharCode(((text[at] ?? 0) << 8) | (text[at + 1] ?? 0));
  }
  // Halves of pairs that stand alone.
  return units.replace(/\p{Cs}/gu, "\ufffd");
}
