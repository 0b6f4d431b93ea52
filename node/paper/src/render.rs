//! The print: a job drawn as tagged PDF/A-3.

use std::num::NonZeroU16;

use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder, PdfVersion};
use krilla::destination::XyzDestination;
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::metadata::{DateTime, Metadata, TextDirection};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, Placement, SpanTag, TableHeaderScope, Tag, TagGroup,
    TagKind, TagTree,
};
use krilla::{Document, SerializeSettings};

use crate::PaperError;
use crate::code::Code;
use crate::flow::{
    BAND_TOP, Band, CODE_LEFT, CODE_SIDE, Colour, MM, PAGE_HEIGHT, PAGE_WIDTH, Pages, Piece, Role, Rule, flow,
};
use crate::job::PrintJob;
use crate::logo;
use crate::sheet::Sheet;
use crate::type_setting::{Face, Paragraph};

/// Draws the job: the print, without any attachment. The same job always gives the same bytes.
pub fn render(job: &PrintJob<'_>) -> Result<Vec<u8>, PaperError> {
    let sheet = Sheet::new(job)?;
    let words = sheet.words;
    let code = Code::of(job.compact)?;
    let logo = job.issuer.logo.as_deref().map(logo::image).transpose()?;
    let band = Band {
        check: Paragraph::new(Face::SerifBold, words.check, "fixed text")?,
        how: Paragraph::new(Face::Sans, words.how_to_check, "fixed text")?,
        issuer: Paragraph::new(Face::Sans, &format!("{}: {}", words.issuer, job.issuer.did), "the issuer's DID")?,
        transcript: Paragraph::new(Face::SerifBold, words.transcript, "fixed text")?,
    };
    let pages = flow(&sheet, &band, logo.is_some())?;

    let configuration = ConfigurationBuilder::new()
        .with_version(PdfVersion::Pdf17)
        .with_archival_validator(Archival::A3_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .expect("PDF/A-3a and PDF/UA-1 both allow PDF 1.7");
    let mut document = Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let mut tags = Tags::default();
    for number in 0..pages.count {
        let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("A4 has a size");
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        frame(&mut surface);
        for rule in pages.rules.iter().filter(|rule| rule.page == number) {
            draw_rule(&mut surface, *rule);
        }
        if number == 0
            && let Some(image) = &logo
        {
            let alt = format!("{} {}", words.logo, job.issuer.names[0].text);
            let id = draw_logo(&mut surface, image, pages.logo_top);
            tags.figure(id, alt, logo::placed(image, pages.logo_top));
        }
        for piece in pages.pieces.iter().filter(|piece| piece.page == number) {
            if piece.role == Role::Heading(2) && number == 0 {
                let id = draw_code(&mut surface, &code);
                tags.figure(id, words.code.to_owned(), (CODE_LEFT, BAND_TOP, CODE_SIDE, CODE_SIDE));
            }
            let ids = draw_piece(&mut surface, piece);
            tags.piece(piece, ids);
        }
        if pages.count > 1 {
            let [page, of] = words.page;
            draw_footer(&mut surface, &format!("{page} {} {of} {}", number + 1, pages.count))?;
        }
        surface.finish();
        page.finish();
    }
    document.set_outline(outline(&pages));
    document.set_tag_tree(tags.finish());
    document.set_metadata(metadata(job, &sheet));
    document.finish().map_err(refused)
}

fn metadata(job: &PrintJob<'_>, sheet: &Sheet) -> Metadata {
    let (year, month, day) = sheet.date.to_calendar_date();
    let date = DateTime::new(u16::try_from(year).unwrap_or(0)).month(month.into()).day(day).utc_offset_hour(0);
    Metadata::new()
        .title(sheet.title.clone())
        .language(sheet.words.language.to_owned())
        .authors(vec![job.issuer.names[0].text.clone()])
        .creator("Testamur".to_owned())
        .producer("Testamur".to_owned())
        // The award's date, not the clock's: the same job must give the same bytes.
        .creation_date(date)
        .document_id(format!("{}\n{}", job.issuer.did, job.compact))
        .text_direction(TextDirection::LeftToRight)
}

fn outline(pages: &Pages<'_>) -> Outline {
    let mut outline = Outline::new();
    for piece in pages.pieces.iter().filter(|piece| matches!(piece.role, Role::Heading(_))) {
        let top = piece.lines.first().map_or(0.0, |(_, _, y)| (y - 2.0 * piece.size).max(0.0));
        outline.push_child(OutlineNode::new(
            piece.paragraph.text.clone(),
            XyzDestination::new(piece.page, Point::from_xy(0.0, top)),
        ));
    }
    outline
}

fn refused(error: KrillaError) -> PaperError {
    match error {
        KrillaError::Validation(errors) => {
            PaperError::Writer(format!("{:?}", errors.into_iter().map(|(e, _)| e).collect::<Vec<_>>()))
        }
        KrillaError::Image(_, _, why) => PaperError::Logo(why),
        other => PaperError::Writer(other.to_string()),
    }
}

/// The structure tree, in reading order.
#[derive(Default)]
struct Tags {
    done: Vec<TagGroup>,
    list: Option<TagGroup>,
    item: Option<(TagGroup, Option<TagGroup>)>,
    table: Option<TagGroup>,
    row: Option<TagGroup>,
}

impl Tags {
    fn figure(&mut self, id: Identifier, alt: String, (left, top, width, height): (f32, f32, f32, f32)) {
        self.close();
        let bounds = Rect::from_xywh(left, top, width, height);
        let tag = Tag::Figure(Some(alt))
            .with_placement(Some(Placement::Block))
            .with_width(Some(width))
            .with_height(Some(height));
        let tag = tag.with_bbox(bounds.map(|rect| krilla::tagging::BBox::new(0, rect)));
        self.done.push(group(tag, vec![id]));
    }

    fn piece(&mut self, piece: &Piece<'_>, ids: Vec<Identifier>) {
        let language = piece.language.map(str::to_owned);
        match piece.role {
            Role::Artifact => {}
            Role::Heading(level) => {
                self.close();
                let level = NonZeroU16::new(level).expect("headings are counted from 1");
                self.done.push(group(Tag::Hn(level, Some(piece.paragraph.text.clone())), ids));
            }
            Role::Paragraph => {
                self.close();
                self.done.push(group(Tag::P.with_lang(language), ids));
            }
            Role::Label => {
                self.close_item();
                let mut item = TagGroup::new(Tag::LI);
                item.push(group(Tag::Lbl, ids));
                self.item = Some((item, None));
            }
            Role::Value => {
                if let Some((_, body)) = &mut self.item {
                    body.get_or_insert_with(|| TagGroup::new(Tag::LBody)).push(group(Tag::P.with_lang(language), ids));
                }
            }
            Role::Header(column) | Role::Cell(column) => {
                self.close_list();
                if column == 0 {
                    self.close_row();
                    self.row = Some(TagGroup::new(Tag::TR));
                }
                let header = matches!(piece.role, Role::Header(_));
                let cell: TagKind =
                    if header { Tag::TH(TableHeaderScope::Column).into() } else { Tag::TD.with_lang(language).into() };
                if let Some(row) = &mut self.row {
                    row.push(group(cell, ids));
                }
            }
        }
    }

    fn close_item(&mut self) {
        if let Some((mut item, body)) = self.item.take() {
            if let Some(body) = body {
                item.push(body);
            }
            self.list.get_or_insert_with(|| TagGroup::new(Tag::L(ListNumbering::None))).push(item);
        }
    }

    fn close_list(&mut self) {
        self.close_item();
        self.done.extend(self.list.take());
    }

    fn close_row(&mut self) {
        if let Some(row) = self.row.take() {
            self.table.get_or_insert_with(|| TagGroup::new(Tag::Table)).push(row);
        }
    }

    fn close(&mut self) {
        self.close_list();
        self.close_row();
        self.done.extend(self.table.take());
    }

    fn finish(mut self) -> TagTree {
        self.close();
        let mut part = TagGroup::new(Tag::Part);
        for group in self.done {
            part.push(group);
        }
        let mut tree = TagTree::new();
        tree.push(part);
        tree
    }
}

fn group(tag: impl Into<TagKind>, ids: Vec<Identifier>) -> TagGroup {
    let mut group = TagGroup::new(tag);
    for id in ids {
        group.push(id);
    }
    group
}

fn fill(colour: Colour) -> Fill {
    let colour = match colour {
        Colour::Text => rgb::Color::new(0x1c, 0x1c, 0x1e),
        Colour::Accent => rgb::Color::new(0x16, 0x2d, 0x50),
        Colour::Quiet => rgb::Color::new(0x50, 0x55, 0x5c),
    };
    Fill { paint: colour.into(), opacity: NormalizedF32::ONE, rule: Default::default() }
}

fn stroke(colour: rgb::Color, width: f32) -> Stroke {
    Stroke { paint: colour.into(), width, ..Stroke::default() }
}

fn gold() -> rgb::Color {
    rgb::Color::new(0xa8, 0x8a, 0x4a)
}

fn artifact(surface: &mut Surface<'_>, kind: ArtifactType, draw: impl FnOnce(&mut Surface<'_>)) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(kind)));
    draw(surface);
    surface.end_tagged();
}

/// Two lines around the page.
fn frame(surface: &mut Surface<'_>) {
    artifact(surface, ArtifactType::Layout, |surface| {
        let lines = [(9.0 * MM, 1.4, rgb::Color::new(0x16, 0x2d, 0x50)), (10.6 * MM, 0.5, gold())];
        for (inset, width, colour) in lines {
            let mut path = PathBuilder::new();
            let rect = Rect::from_xywh(inset, inset, PAGE_WIDTH - 2.0 * inset, PAGE_HEIGHT - 2.0 * inset);
            path.push_rect(rect.expect("the page is larger than its margins"));
            surface.set_fill(None);
            surface.set_stroke(Some(stroke(colour, width)));
            surface.draw_path(&path.finish().expect("four lines"));
        }
        surface.set_stroke(None);
    });
}

fn draw_rule(surface: &mut Surface<'_>, rule: Rule) {
    artifact(surface, ArtifactType::Layout, |surface| {
        let mut path = PathBuilder::new();
        path.move_to(rule.left, rule.y);
        path.line_to(rule.right, rule.y);
        let colour = if rule.ornament { gold() } else { rgb::Color::new(0xd8, 0xd4, 0xca) };
        surface.set_fill(None);
        surface.set_stroke(Some(stroke(colour, if rule.ornament { 0.9 } else { 0.5 })));
        surface.draw_path(&path.finish().expect("a line"));
        surface.set_stroke(None);
        if rule.ornament {
            // A small lozenge in its middle.
            let (x, r) = ((rule.left + rule.right) / 2.0, 3.2);
            let mut path = PathBuilder::new();
            path.move_to(x - r, rule.y);
            path.line_to(x, rule.y - r);
            path.line_to(x + r, rule.y);
            path.line_to(x, rule.y + r);
            path.close();
            surface.set_fill(Some(Fill {
                paint: gold().into(),
                opacity: NormalizedF32::ONE,
                rule: Default::default(),
            }));
            surface.draw_path(&path.finish().expect("a lozenge"));
        }
    });
}

fn draw_logo(surface: &mut Surface<'_>, image: &Image, top: f32) -> Identifier {
    let (left, top, width, height) = logo::placed(image, top);
    let id = surface.start_tagged(ContentTag::Other);
    surface.push_transform(&Transform::from_translate(left, top));
    surface.draw_image(image.clone(), Size::from_wh(width, height).expect("a logo has a size"));
    surface.pop();
    surface.end_tagged();
    id
}

fn draw_code(surface: &mut Surface<'_>, code: &Code) -> Identifier {
    let id = surface.start_tagged(ContentTag::Other);
    surface.set_fill(Some(Fill {
        paint: rgb::Color::black().into(),
        opacity: NormalizedF32::ONE,
        rule: Default::default(),
    }));
    surface.push_transform(&code.place(CODE_LEFT, BAND_TOP, CODE_SIDE));
    surface.draw_path(&code.path());
    surface.pop();
    surface.end_tagged();
    id
}

fn draw_piece(surface: &mut Surface<'_>, piece: &Piece<'_>) -> Vec<Identifier> {
    let tag = if piece.role == Role::Artifact {
        ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout))
    } else {
        ContentTag::Span(SpanTag::empty().with_lang(piece.language))
    };
    surface.set_fill(Some(fill(piece.colour)));
    let mut ids = Vec::with_capacity(piece.lines.len());
    for (line, x, y) in &piece.lines {
        ids.push(surface.start_tagged(tag));
        let glyphs = piece.paragraph.glyphs(*line);
        surface.draw_glyphs(
            Point::from_xy(*x, *y),
            glyphs,
            piece.paragraph.face.font(),
            &piece.paragraph.text,
            piece.size,
            false,
        );
        surface.end_tagged();
    }
    ids
}

fn draw_footer(surface: &mut Surface<'_>, text: &str) -> Result<(), PaperError> {
    let paragraph = Paragraph::new(Face::Sans, text, "fixed text")?;
    let (size, width) = (7.5, paragraph.width(7.5));
    artifact(surface, ArtifactType::Footer, |surface| {
        surface.set_fill(Some(fill(Colour::Quiet)));
        for line in paragraph.lines(size, PAGE_WIDTH) {
            let start = Point::from_xy((PAGE_WIDTH - width) / 2.0, PAGE_HEIGHT - 14.0 * MM);
            surface.draw_glyphs(start, paragraph.glyphs(line), paragraph.face.font(), &paragraph.text, size, false);
        }
    });
    Ok(())
}
