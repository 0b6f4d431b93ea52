/** Bounds of the files that are opened, each with its reason. The same numbers as everywhere: another bound is another answer. */

/** Entries of a ZIP that are opened: a graduation of 1,000 with its receipts. */
export const ZIP_ENTRIES_MAX = 2_000;
/** Bytes that all entries of a ZIP may inflate to. */
export const ZIP_BYTES_MAX = 128 * 1024 * 1024;
/** How often larger than its packed form an entry may be: base64 and JSON pack 20 times at most, zeros 1,000 times. */
export const ZIP_RATIO_MAX = 100;
/** Bytes that any entry may inflate to, however small it is packed. */
export const ZIP_SMALL = 64 * 1024;
/** Characters of an entry's name that are shown. */
export const ZIP_NAME_CHARS_MAX = 200;
/** Objects of a PDF that are looked at: a scanned book of 500 pages has 5,000. */
export const PDF_OBJECTS_MAX = 200_000;
/** Values (numbers, names, lists …) in all of a PDF's objects: a tagged book of 1,000 pages has two million. */
export const PDF_VALUES_MAX = 3_000_000;
/** Bytes that all object streams and attached files of a PDF may inflate to together. */
export const PDF_INFLATED_BYTES_MAX = 64 * 1024 * 1024;
/** Nesting of a PDF's values: structure elements and outlines nest by references, which count anew. */
export const PDF_DEPTH_MAX = 32;
/** Attached files of a PDF that are looked at. */
export const PDF_FILES_MAX = 64;
