//! What stands where: blocks flow down the pages, and the first page is made to fit.
//!
//! The first page is set at full size; if that is too much for it, everything on it becomes smaller in steps down to 70 %, and what
//! does not fit even then goes on to the next page. Nothing is ever cut. If there is room left, the gaps share it.

use crate::PaperError;
use crate::limits::PAGES_MAX;
use crate::sheet::{Sheet, Tongue};
use crate::type_setting::{Face, Line, Paragraph};

/// Points of a millimetre.
pub(crate) const MM: f32 = 72.0 / 25.4;
/// A4.
pub(crate) const PAGE_WIDTH: f32 = 210.0 * MM;
/// A4.
pub(crate) const PAGE_HEIGHT: f32 = 297.0 * MM;
/// Where text begins.
pub(crate) const LEFT: f32 = 28.0 * MM;
/// How wide text is.
pub(crate) const WIDTH: f32 = PAGE_WIDTH - 2.0 * LEFT;
/// Side of the QR code with its quiet zone.
pub(crate) const CODE_SIDE: f32 = 52.0 * MM;
/// Its left: the dark modules, not the quiet zone, stand where text begins.
pub(crate) const CODE_LEFT: f32 = LEFT - 1.7 * MM;
/// Top of the band with the QR code at the foot of the first page.
pub(crate) const BAND_TOP: f32 = PAGE_HEIGHT - 20.0 * MM - CODE_SIDE;
/// Box of the logo.
pub(crate) const LOGO: (f32, f32) = (50.0 * MM, 22.0 * MM);

const TOP: f32 = 22.0 * MM;
const BOTTOM: f32 = PAGE_HEIGHT - 24.0 * MM;
const LABEL_WIDTH: f32 = 48.0 * MM;
const COLUMNS: [(f32, f32, Align); 4] = [
    (LEFT, 94.0 * MM, Align::Left),
    (LEFT + 97.0 * MM, 21.0 * MM, Align::Left),
    (LEFT + 119.0 * MM, 13.0 * MM, Align::Right),
    (LEFT + 133.0 * MM, 21.0 * MM, Align::Right),
];

/// A colour of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Text,
    Accent,
    Quiet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Centre,
    Right,
}

/// What a piece is to a reader that cannot see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Heading(u16),
    Paragraph,
    Label,
    Value,
    /// A cell of the transcript's table, with its column; a row begins at column 0.
    Header(usize),
    Cell(usize),
    /// Repeated or decorative: a table's head on its second page.
    Artifact,
}

/// Lines of one paragraph, placed.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) page: usize,
    pub(crate) role: Role,
    pub(crate) paragraph: &'a Paragraph,
    pub(crate) language: Option<&'a str>,
    pub(crate) size: f32,
    pub(crate) colour: Colour,
    /// Each line with its place on the base line.
    pub(crate) lines: Vec<(Line, f32, f32)>,
}

/// A line drawn across.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) page: usize,
    pub(crate) y: f32,
    pub(crate) left: f32,
    pub(crate) right: f32,
    /// The short one under the issuer's name.
    pub(crate) ornament: bool,
}

/// All pages.
#[derive(Debug, Default)]
pub(crate) struct Pages<'a> {
    pub(crate) pieces: Vec<Piece<'a>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) count: usize,
    /// Top of the logo's box, on the first page.
    pub(crate) logo_top: f32,
}

/// Texts of the band and of the footer, shaped by the renderer.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) check: Paragraph,
    pub(crate) how: Paragraph,
    pub(crate) issuer: Paragraph,
    pub(crate) transcript: Paragraph,
}

enum Block<'a> {
    Text {
        paragraph: &'a Paragraph,
        language: Option<&'a str>,
        size: f32,
        colour: Colour,
        role: Role,
        gap: f32,
    },
    /// One value of a detail: with the label if it is the first.
    Detail {
        label: Option<&'a Paragraph>,
        value: &'a Tongue,
        last: bool,
        gap: f32,
    },
    Ornament {
        gap: f32,
    },
    Logo,
}

impl Block<'_> {
    fn gap(&self) -> f32 {
        match self {
            Self::Text { gap, .. } | Self::Detail { gap, .. } | Self::Ornament { gap } => *gap,
            Self::Logo => 0.0,
        }
    }
}

/// Places everything.
pub(crate) fn flow<'a>(sheet: &'a Sheet, band: &'a Band, logo: bool) -> Result<Pages<'a>, PaperError> {
    let blocks = first_page(sheet, logo);
    let room = BAND_TOP - 6.0 * MM - TOP;
    let measure = |scale: f32| blocks.iter().map(|block| height(block, scale)).sum::<f32>();
    let gaps: f32 = blocks.iter().map(Block::gap).sum();
    let fits = |scale: &f32| measure(*scale) + gaps * *scale <= room;
    let scale = [1.0, 0.94, 0.88, 0.82, 0.76, 0.7].into_iter().find(fits).unwrap_or(0.7);
    let slack = room - measure(scale) - gaps * scale;
    // More than half again between the lines looks torn apart: the rest goes above and below.
    let stretch = if slack > 0.0 { (slack / (gaps * scale)).min(0.6) } else { 0.0 };
    let over = (slack - gaps * scale * stretch).max(0.0);
    let mut pages = Pages { count: 1, ..Pages::default() };
    let mut y = TOP + over * 0.4;
    let mut bottom = BAND_TOP - 6.0 * MM;
    for block in &blocks {
        let gap = block.gap() * scale * (1.0 + stretch);
        let tall = height(block, scale);
        if y + gap + tall > bottom + 0.5 {
            pages.turn()?;
            (y, bottom) = (TOP, BOTTOM);
        } else {
            y += gap;
        }
        pages.place(block, scale, y);
        y += tall;
    }
    pages.band(band);
    if !sheet.activities.is_empty() {
        pages.transcript(sheet, band)?;
    }
    Ok(pages)
}

fn first_page(sheet: &Sheet, logo: bool) -> Vec<Block<'_>> {
    use Colour::{Accent, Quiet, Text};
    let text = |paragraph, size, colour, gap| Block::Text {
        paragraph,
        language: None,
        size,
        colour,
        role: Role::Paragraph,
        gap,
    };
    let mut blocks = Vec::new();
    if logo {
        blocks.push(Block::Logo);
    }
    for (index, issuer) in sheet.issuers.iter().enumerate() {
        let (size, gap) = if index == 0 { (20.0, if logo { 12.0 } else { 0.0 }) } else { (11.5, 3.0) };
        blocks.push(spoken(issuer, size, if index == 0 { Text } else { Quiet }, gap));
    }
    blocks.push(Block::Ornament { gap: 11.0 });
    blocks.push(Block::Text {
        paragraph: &sheet.heading,
        language: None,
        size: 30.0,
        colour: Accent,
        role: Role::Heading(1),
        gap: 14.0,
    });
    blocks.push(text(&sheet.certifies, 11.5, Quiet, 15.0));
    blocks.push(text(&sheet.name, 25.0, Text, 7.0));
    if let Some(born) = &sheet.born {
        blocks.push(text(born, 11.5, Quiet, 5.0));
    }
    blocks.push(text(&sheet.awarded, 11.5, Quiet, 14.0));
    for (index, degree) in sheet.degrees.iter().enumerate() {
        let (size, colour, gap) = if index == 0 { (18.0, Accent, 7.0) } else { (12.0, Quiet, 3.0) };
        blocks.push(spoken(degree, size, colour, gap));
    }
    for (index, detail) in sheet.details.iter().enumerate() {
        for (place, value) in detail.values.iter().enumerate() {
            let label = (place == 0).then_some(&detail.label);
            let gap = if index == 0 && place == 0 { 18.0 } else { 0.0 };
            blocks.push(Block::Detail { label, value, last: place + 1 == detail.values.len(), gap });
        }
    }
    blocks.push(text(&sheet.given, 11.5, Text, 16.0));
    blocks
}

fn spoken(tongue: &Tongue, size: f32, colour: Colour, gap: f32) -> Block<'_> {
    let Tongue { paragraph, language } = tongue;
    Block::Text { paragraph, language: language.as_deref(), size, colour, role: Role::Paragraph, gap }
}

/// The size at which a paragraph takes at most three lines, but not less than half.
fn fitted(paragraph: &Paragraph, size: f32) -> (f32, Vec<Line>) {
    let mut size = size;
    let least = size / 2.0;
    loop {
        let lines = paragraph.lines(size, WIDTH);
        if lines.len() <= 3 || size * 0.9 < least {
            return (size, lines);
        }
        size *= 0.9;
    }
}

fn leading(size: f32) -> f32 {
    size * 1.32
}

/// The base line of a line whose box begins at `top`.
fn base(top: f32, size: f32) -> f32 {
    top + leading(size) * 0.5 + size * 0.36
}

const VALUE: f32 = 10.0;
const LABEL: f32 = 8.5;
const SMALL: f32 = 8.5;
const ROW_PADDING: f32 = 3.0;

fn height(block: &Block<'_>, scale: f32) -> f32 {
    match block {
        Block::Logo => LOGO.1,
        Block::Ornament { .. } => 3.0,
        Block::Text { paragraph, size, .. } => {
            let (size, lines) = fitted(paragraph, size * scale);
            leading(size) * lines.len() as f32
        }
        Block::Detail { label, value, last, .. } => {
            let size = value_size(value) * scale;
            let value = leading(size) * value.paragraph.lines(size, WIDTH - LABEL_WIDTH).len() as f32;
            let lines = label.map_or(0, |label| label.lines(LABEL * scale, LABEL_WIDTH - 8.0).len());
            let padding = if label.is_some() { ROW_PADDING } else { 0.0 } + if *last { ROW_PADDING } else { 0.0 };
            value.max(leading(LABEL * scale) * lines as f32) + padding * scale
        }
    }
}

/// Explanations (a grade's scale) stand smaller than values.
fn value_size(tongue: &Tongue) -> f32 {
    if tongue.paragraph.face == Face::Sans { SMALL } else { VALUE }
}

impl<'a> Pages<'a> {
    fn turn(&mut self) -> Result<(), PaperError> {
        if self.count == PAGES_MAX {
            return Err(PaperError::TooLong { field: "the content".to_owned(), most: PAGES_MAX, unit: "pages" });
        }
        self.count += 1;
        Ok(())
    }

    fn place(&mut self, block: &Block<'a>, scale: f32, y: f32) {
        let page = self.count - 1;
        match *block {
            Block::Logo => self.logo_top = y,
            Block::Ornament { .. } => {
                let half = 22.0 * MM;
                let middle = PAGE_WIDTH / 2.0;
                self.rules.push(Rule { page, y: y + 1.5, left: middle - half, right: middle + half, ornament: true });
            }
            Block::Text { paragraph, language, size, colour, role, .. } => {
                let (size, lines) = fitted(paragraph, size * scale);
                self.lines(role, paragraph, language, size, colour, lines, (LEFT, WIDTH, Align::Centre), y);
            }
            Block::Detail { label, value, last, .. } => {
                let tall = height(block, scale);
                let mut top = y;
                let size = value_size(value) * scale;
                if let Some(label) = label {
                    self.rules.push(Rule { page, y, left: LEFT, right: LEFT + WIDTH, ornament: false });
                    top += ROW_PADDING * scale;
                    // On one base line with the value.
                    let lift = base(top, size) - base(top, LABEL * scale);
                    let lines = label.lines(LABEL * scale, LABEL_WIDTH - 8.0);
                    let column = (LEFT, LABEL_WIDTH, Align::Left);
                    self.lines(Role::Label, label, None, LABEL * scale, Colour::Quiet, lines, column, top + lift);
                }
                let lines = value.paragraph.lines(size, WIDTH - LABEL_WIDTH);
                let column = (LEFT + LABEL_WIDTH, WIDTH - LABEL_WIDTH, Align::Left);
                let colour = if value.paragraph.face == Face::Sans { Colour::Quiet } else { Colour::Text };
                self.lines(Role::Value, &value.paragraph, value.language.as_deref(), size, colour, lines, column, top);
                if last {
                    self.rules.push(Rule { page, y: y + tall, left: LEFT, right: LEFT + WIDTH, ornament: false });
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the attributes of one piece of text")]
    fn lines(
        &mut self,
        role: Role,
        paragraph: &'a Paragraph,
        language: Option<&'a str>,
        size: f32,
        colour: Colour,
        lines: Vec<Line>,
        column: (f32, f32, Align),
        top: f32,
    ) {
        let (left, width, align) = column;
        let place = |(index, line): (usize, Line)| {
            let x = match align {
                Align::Left => left,
                Align::Centre => left + (width - line.width) / 2.0,
                Align::Right => left + width - line.width,
            };
            (line, x, base(top + index as f32 * leading(size), size))
        };
        let lines = lines.into_iter().enumerate().map(place).collect();
        self.pieces.push(Piece { page: self.count - 1, role, paragraph, language, size, colour, lines });
    }

    /// The band at the foot of the first page, beside the code.
    fn band(&mut self, band: &'a Band) {
        let turned = std::mem::replace(&mut self.count, 1);
        let left = CODE_LEFT + CODE_SIDE + 5.0 * MM;
        let column = (left, PAGE_WIDTH - LEFT - left, Align::Left);
        let parts = [
            (&band.check, 11.0, Colour::Accent, Role::Heading(2), 0.0),
            (&band.how, 9.0, Colour::Text, Role::Paragraph, 4.0),
            (&band.issuer, 7.0, Colour::Quiet, Role::Paragraph, 6.0),
        ];
        let tall: f32 =
            parts.iter().map(|(p, size, _, _, gap)| gap + leading(*size) * p.lines(*size, column.1).len() as f32).sum();
        let mut top = BAND_TOP + (CODE_SIDE - tall) / 2.0;
        for (paragraph, size, colour, role, gap) in parts {
            top += gap;
            let lines = paragraph.lines(size, column.1);
            let tall = leading(size) * lines.len() as f32;
            self.lines(role, paragraph, None, size, colour, lines, column, top);
            top += tall;
        }
        self.count = turned;
    }

    fn transcript(&mut self, sheet: &'a Sheet, band: &'a Band) -> Result<(), PaperError> {
        self.turn()?;
        let mut y = TOP;
        let head = [
            (&band.transcript, 18.0, Colour::Accent, Role::Heading(2)),
            (&sheet.name, 12.0, Colour::Text, Role::Paragraph),
        ];
        for (paragraph, size, colour, role) in head {
            let (size, lines) = fitted(paragraph, size);
            let tall = leading(size) * lines.len() as f32;
            self.lines(role, paragraph, None, size, colour, lines, (LEFT, WIDTH, Align::Left), y);
            y += tall + 2.0;
        }
        y += 10.0;
        for (index, row) in sheet.activities.iter().enumerate() {
            let tall = row_height(row);
            if y + tall > BOTTOM {
                self.turn()?;
                y = TOP;
                let names = &sheet.activities[0];
                self.row(names, |_| Role::Artifact, y);
                y += row_height(names);
            }
            self.row(row, if index == 0 { Role::Header } else { Role::Cell }, y);
            y += tall;
        }
        Ok(())
    }

    fn row(&mut self, row: &'a [Tongue; 4], role: impl Fn(usize) -> Role, y: f32) {
        for (index, (cell, column)) in row.iter().zip(COLUMNS).enumerate() {
            let size = value_size(cell).min(9.0);
            let lines = cell.paragraph.lines(size, column.1);
            let first = base(y, value_size(&row[0]).min(9.0)) - base(y, size);
            let (language, top) = (cell.language.as_deref(), y + ROW_PADDING + first);
            self.lines(role(index), &cell.paragraph, language, size, Colour::Text, lines, column, top);
        }
        let page = self.count - 1;
        self.rules.push(Rule { page, y: y + row_height(row), left: LEFT, right: LEFT + WIDTH, ornament: false });
    }
}

fn row_height(row: &[Tongue; 4]) -> f32 {
    let cell = |(cell, column): (&Tongue, (f32, f32, Align))| {
        let size = value_size(cell).min(9.0);
        leading(size) * cell.paragraph.lines(size, column.1).len() as f32
    };
    row.iter().zip(COLUMNS).map(cell).fold(0.0, f32::max) + 2.0 * ROW_PADDING
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use testamur_credentials::content::Text;

    use super::*;
    use crate::job::{Issuer, PrintJob};

    /// Lays out what a job says, and holds that nothing leaves its page, nothing stands upon another, and no letter is left out.
    fn check(content: &Value, names: &[String], language: &str) {
        let names = names.iter().map(|name| Text::new("en", name)).collect();
        let issuer = Issuer { names, did: "did:ebsi:zsSgDXeYPhZ3AuKhTFneDf1".to_owned(), logo: None };
        let content = content.as_object().expect("an object");
        let sheet = Sheet::new(&PrintJob { content, issuer: &issuer, language, heading: None, compact: "x" })
            .expect("it can be printed");
        let text = |text: &str| Paragraph::new(Face::Sans, text, "text").expect("Latin");
        let words = sheet.words;
        let band = Band {
            check: text(words.check),
            how: text(words.how_to_check),
            issuer: text(&issuer.did),
            transcript: text(words.transcript),
        };
        for logo in [false, true] {
            let pages = flow(&sheet, &band, logo).expect("it fits some pages");
            let mut below: Vec<f32> = vec![0.0; pages.count];
            for piece in &pages.pieces {
                let mut next = 0;
                for (line, x, y) in &piece.lines {
                    assert!(
                        *x >= LEFT - 0.1 && x + line.width <= PAGE_WIDTH - LEFT + 0.6,
                        "{} leaves its column",
                        piece.paragraph.text
                    );
                    assert!(
                        *y - piece.size > 10.0 && *y < PAGE_HEIGHT - 16.0 * MM,
                        "{} leaves its page",
                        piece.paragraph.text
                    );
                    assert_eq!(line.range().start, next, "a line is left out");
                    next = line.range().end;
                }
                assert_eq!(next, piece.paragraph.len(), "the end is left out");
                // Paragraphs go down the page (labels and cells stand beside each other).
                if matches!(piece.role, Role::Paragraph | Role::Heading(_) | Role::Value) {
                    let top = piece.lines[0].2 - piece.size;
                    assert!(top + 0.5 >= below[piece.page], "{} stands upon another", piece.paragraph.text);
                    below[piece.page] = piece.lines[piece.lines.len() - 1].2;
                }
            }
        }
    }

    fn texts(text: &str, languages: usize) -> Value {
        (0..languages).map(|n| json!({ "language": if n == 0 { "en" } else { "el" }, "text": text })).collect()
    }

    #[test]
    fn the_longest_content_is_printed_whole() {
        let long = "Wagenburg ".repeat(100);
        let word = "W".repeat(1_000);
        for text in [long.trim_end(), &word, "a"] {
            for languages in [1, 32] {
                let content = json!({
                    "givenName": &text[..text.len().min(400)], "familyName": &text[..text.len().min(400)], "dateOfBirth": "2000-01-01", "awardingDate": "2026-01-01",
                    "title": texts(text, languages), "thesis": { "title": texts(text, languages) }, "eqfLevel": 8, "place": &text[..text.len().min(900)],
                    "grade": { "value": text, "scale": texts(text, languages) }, "activities": vec![json!({ "title": texts(text, 1), "ects": "1", "grade": &text[..text.len().min(100)] }); 30],
                });
                check(&content, &vec![text.to_owned(); languages], "en");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_text_is_printed_whole(text in "[A-Za-zα-ωа-я\u{300}\u{301}\u{308} ./-]{1,300}[a-z]", languages in 1usize..6, rows in 0usize..60) {
            let content = json!({
                "familyName": text, "dateOfBirth": "2000-01-01", "awardingDate": "2026-01-01", "title": texts(&text, languages),
                "thesis": { "title": texts(&text, languages) }, "activities": vec![json!({ "title": texts(&text, 1), "date": "2025-01-01" }); rows],
            });
            check(&content, &[text], "de");
        }
    }
}
