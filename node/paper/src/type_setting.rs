//! Text to glyphs to lines: shaping, widths, line breaks.
//!
//! The page is in Latin, Greek and Cyrillic, which one font covers. Each run of one script is shaped by itself, so that marks stand
//! where that script's rules put them; a paragraph is shaped once and then cut into lines at spaces, after hyphens, and only if a
//! single word is wider than the line, between letters.

use std::sync::LazyLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, ShapePlan, UnicodeBuffer, script};

use crate::PaperError;
use crate::limits::TEXT_CHARS_MAX;

/// A face of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// What is read: names, sentences.
    Serif,
    /// What is seen first: the graduate, the degree.
    SerifBold,
    /// Labels and small print.
    Sans,
}

impl Face {
    fn loaded(self) -> &'static Loaded {
        &FACES[self as usize]
    }

    /// The font, as the PDF writer takes it.
    pub(crate) fn font(self) -> Font {
        self.loaded().font.clone()
    }
}

/// Parsed once a process: parsing and planning take as long as a whole page.
static FACES: LazyLock<[Loaded; 3]> = LazyLock::new(|| {
    [
        Loaded::new(include_bytes!("../fonts/NotoSerif-Regular.ttf")),
        Loaded::new(include_bytes!("../fonts/NotoSerif-Bold.ttf")),
        Loaded::new(include_bytes!("../fonts/NotoSans-Regular.ttf")),
    ]
});

struct Loaded {
    font: Font,
    shaper: rustybuzz::Face<'static>,
    plans: [ShapePlan; 3],
}

impl Loaded {
    fn new(bytes: &'static [u8]) -> Self {
        let shaper = rustybuzz::Face::from_slice(bytes, 0).expect("a committed font is whole");
        let plan = |script| ShapePlan::new(&shaper, Direction::LeftToRight, Some(script), None, &[]);
        let plans = [plan(script::LATIN), plan(script::GREEK), plan(script::CYRILLIC)];
        Self { font: Font::new(bytes.into(), 0).expect("a committed font is whole"), shaper, plans }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
}

impl Script {
    /// Of a character; `None` for what goes with its neighbours: digits, spaces, punctuation, combining marks.
    fn of(character: char) -> Option<Self> {
        match character {
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Self::Greek),
            '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' => {
                Some(Self::Cyrillic)
            }
            _ if character.is_alphabetic() => Some(Self::Latin),
            _ => None,
        }
    }

    fn tag(self) -> rustybuzz::Script {
        match self {
            Self::Latin => script::LATIN,
            Self::Greek => script::GREEK,
            Self::Cyrillic => script::CYRILLIC,
        }
    }
}

/// A paragraph, shaped.
#[derive(Debug, Clone)]
pub(crate) struct Paragraph {
    /// Its face.
    pub(crate) face: Face,
    /// Its text.
    pub(crate) text: String,
    /// Its glyphs, measured in ems.
    glyphs: Vec<KrillaGlyph>,
}

/// A line of a paragraph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    from: usize,
    to: usize,
    /// Its width in points, without the space that it ends with.
    pub(crate) width: f32,
}

#[cfg(test)]
impl Line {
    /// Which of the paragraph's glyphs it has.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.from..self.to
    }
}

#[cfg(test)]
impl Paragraph {
    /// How many glyphs there are.
    pub(crate) fn len(&self) -> usize {
        self.glyphs.len()
    }
}

impl Paragraph {
    /// Shapes `text`; `field` is what an error names.
    pub(crate) fn new(face: Face, text: &str, field: &str) -> Result<Self, PaperError> {
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(PaperError::TooLong { field: field.to_owned(), most: TEXT_CHARS_MAX, unit: "characters" });
        }
        let loaded = face.loaded();
        let lacking = |character: char| PaperError::Glyph { field: field.to_owned(), character };
        if let Some(character) = text.chars().find(|c| unprintable(*c)) {
            return Err(lacking(character));
        }
        let mut glyphs = Vec::with_capacity(text.len());
        for (from, to, script) in runs(text) {
            let mut buffer = UnicodeBuffer::new();
            for (index, character) in text[from..to].char_indices() {
                buffer.add(character, (from + index) as u32);
            }
            buffer.set_direction(Direction::LeftToRight);
            buffer.set_script(script.tag());
            let shaped = rustybuzz::shape_with_plan(&loaded.shaper, &loaded.plans[script as usize], buffer);
            let em = loaded.shaper.units_per_em() as f32;
            let infos = shaped.glyph_infos();
            for (place, (info, position)) in infos.iter().zip(shaped.glyph_positions()).enumerate() {
                let begin = info.cluster as usize;
                let next = infos[place..].iter().map(|i| i.cluster as usize).find(|cluster| *cluster != begin);
                let end = next.unwrap_or(to);
                if info.glyph_id == 0 {
                    let lack = text[begin..end].chars().find(|c| loaded.shaper.glyph_index(*c).is_none());
                    return Err(lacking(lack.unwrap_or('\u{fffd}')));
                }
                let [advance, x, y, down] =
                    [position.x_advance, position.x_offset, position.y_offset, position.y_advance]
                        .map(|units| units as f32 / em);
                glyphs.push(KrillaGlyph::new(GlyphId::new(info.glyph_id), advance, x, y, down, begin..end, None));
            }
        }
        Ok(Self { face, text: text.to_owned(), glyphs })
    }

    /// Lines of at most `width` points at `size`.
    pub(crate) fn lines(&self, size: f32, width: f32) -> Vec<Line> {
        let room = width / size;
        let mut lines = Vec::new();
        let (mut from, mut at) = (0, 0);
        // Where the line could end: after the last space; if there is none, after the last hyphen. A hyphen is the second choice
        // because readers that join lines drop it, and names have some.
        let (mut space, mut hyphen): (Option<usize>, Option<usize>) = (None, None);
        let mut wide = 0.0;
        while at < self.glyphs.len() {
            let advance = self.glyphs[at].x_advance;
            // A space may hang over the end of a line; a mark stays with its letter.
            if wide + advance > room && at > from && !self.is_space(at) && self.begins_cluster(at) {
                let to = space.or(hyphen).unwrap_or(at);
                lines.push(self.line(from, to, size));
                (from, at, space, hyphen, wide) = (to, to, None, None, 0.0);
                continue;
            }
            wide += advance;
            at += 1;
            if at < self.glyphs.len() && !self.is_space(at) {
                match self.text_of(at - 1) {
                    " " => space = Some(at),
                    "-" | "/" | "\u{2013}" | "\u{2014}" | ":" => hyphen = Some(at),
                    _ => {}
                }
            }
        }
        lines.push(self.line(from, self.glyphs.len(), size));
        lines
    }

    /// The glyphs of a line.
    pub(crate) fn glyphs(&self, line: Line) -> &[KrillaGlyph] {
        &self.glyphs[line.from..line.to]
    }

    /// Width of the whole on one line.
    pub(crate) fn width(&self, size: f32) -> f32 {
        self.line(0, self.glyphs.len(), size).width
    }

    fn line(&self, from: usize, to: usize, size: f32) -> Line {
        let ink = (from..to).rev().find(|at| !self.is_space(*at)).map_or(from, |at| at + 1);
        let ems: f32 = self.glyphs[from..ink].iter().map(|g| g.x_advance).sum();
        Line { from, to, width: ems * size }
    }

    fn text_of(&self, at: usize) -> &str {
        &self.text[self.glyphs[at].text_range.clone()]
    }

    fn is_space(&self, at: usize) -> bool {
        self.text_of(at) == " "
    }

    fn begins_cluster(&self, at: usize) -> bool {
        at == 0 || self.glyphs[at].text_range != self.glyphs[at - 1].text_range
    }
}

/// What has no place in a text of one line: control characters, and those that would make the page look different from what it says
/// (direction marks, joiners, soft hyphens), private use, non-characters.
fn unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}')
}

/// Runs of one script, as byte ranges: what has none goes with what stands before it, and at the beginning with what follows.
fn runs(text: &str) -> Vec<(usize, usize, Script)> {
    let first = text.chars().find_map(Script::of).unwrap_or(Script::Latin);
    let mut runs: Vec<(usize, usize, Script)> = Vec::new();
    for (index, character) in text.char_indices() {
        let end = index + character.len_utf8();
        match (runs.last_mut(), Script::of(character)) {
            (None, script) => runs.push((index, end, script.unwrap_or(first))),
            (Some(run), script) if script.is_none_or(|script| script == run.2) => run.1 = end,
            (Some(_), script) => runs.push((index, end, script.unwrap_or(first))),
        }
    }
    runs
}
