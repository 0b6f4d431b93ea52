//! Bounds of what is printed and of what is opened, each with its reason.

/// Bytes of a logo: what keeps a PDF of 200 kB possible.
pub const LOGO_BYTES_MAX: usize = 100 * 1024;
/// Width and height of a logo in pixels: 600 dpi at the 40 mm it is printed at, and a bound on what inflating it takes.
pub const LOGO_PIXELS_MAX: u32 = 1_024;
/// Characters of one text on the page: a thesis's title of three lines is 300.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Characters of a date, credits or grade in the transcript, whose columns are narrow; the schema allows a grade 64.
pub const CELL_CHARS_MAX: usize = 100;
/// Languages of one text: as many as the schema allows.
pub const LANGUAGES_MAX: usize = 32;
/// Entries of a short list: languages of instruction, classes of dangerous goods.
pub const LIST_ENTRIES_MAX: usize = 32;
/// Rows of a transcript: as many as the schema allows.
pub const ACTIVITIES_MAX: usize = 500;
/// Pages of a print: what 500 courses with the longest titles take.
pub const PAGES_MAX: usize = 100;

/// Entries of a ZIP that are opened: a graduation of 1,000 with its receipts.
pub const ZIP_ENTRIES_MAX: usize = 2_000;
/// Bytes that all entries of a ZIP may inflate to.
pub const ZIP_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// How often larger than its packed form an entry may be: base64 and JSON pack 20 times at most, zeros 1,000 times.
pub const ZIP_RATIO_MAX: u64 = 100;
/// Characters of an entry's name that are shown.
pub const ZIP_NAME_CHARS_MAX: usize = 200;
/// Objects of a PDF that are looked at: a scanned book of 500 pages has 5,000.
pub const PDF_OBJECTS_MAX: usize = 200_000;
/// Values (numbers, names, lists …) in all of a PDF's objects: a tagged book of 1,000 pages has two million; each takes 100 bytes.
pub const PDF_VALUES_MAX: usize = 3_000_000;
/// Bytes that all object streams and attached files of a PDF may inflate to together.
pub const PDF_INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Nesting of a PDF's values: structure elements and outlines nest by references, which count anew.
pub const PDF_DEPTH_MAX: usize = 32;
/// Attached files of a PDF that are looked at.
pub const PDF_FILES_MAX: usize = 64;
