//! A sequence of JSON values, taken apart while it arrives: lines, or the elements of an array. Only one element is held, and of
//! one that is too large only the place.

/// How the elements are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One a line; empty lines are none.
    Lines,
    /// One array around all.
    Array,
}

/// An element of the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Element {
    /// Its text.
    Text(Vec<u8>),
    /// It has more bytes than are taken.
    TooLarge,
}

/// What stands between elements is not what belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotASequence(&'static str);

/// Where in the sequence the last byte was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

/// Takes a sequence apart.
#[derive(Debug)]
pub(crate) struct Splitter {
    framing: Framing,
    bytes_max: usize,
    place: Place,
    element: Vec<u8>,
    too_large: bool,
    /// Open braces and brackets within the element.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A comma stood before: an element must follow.
    after_comma: bool,
}

impl Splitter {
    pub(crate) fn new(framing: Framing, bytes_max: usize) -> Self {
        let place = if framing == Framing::Array { Place::Before } else { Place::Inside };
        Self {
            framing,
            bytes_max,
            place,
            element: Vec::new(),
            too_large: false,
            depth: 0,
            in_string: false,
            escaped: false,
            after_comma: false,
        }
    }

    /// Takes a piece, and gives the elements that end in it.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Element>, NotASequence> {
        let mut whole = Vec::new();
        for byte in piece {
            let ended = match self.framing {
                Framing::Lines => self.line(*byte),
                Framing::Array => self.array(*byte)?,
            };
            whole.extend(ended);
        }
        Ok(whole)
    }

    /// The last line, or the certainty that the array was closed.
    pub(crate) fn finish(mut self) -> Result<Option<Element>, NotASequence> {
        match (self.framing, self.place) {
            (Framing::Lines, _) => Ok(self.take()),
            (Framing::Array, Place::After) => Ok(None),
            (Framing::Array, Place::Before) => Err(NotASequence("the body is no array")),
            (Framing::Array, Place::Inside) => Err(NotASequence("the array is not closed")),
        }
    }

    fn line(&mut self, byte: u8) -> Option<Element> {
        if byte == b'\n' {
            return self.take();
        }
        self.keep(byte);
        None
    }

    fn array(&mut self, byte: u8) -> Result<Option<Element>, NotASequence> {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.place {
            Place::Before | Place::After if blank => return Ok(None),
            Place::Before if byte == b'[' => {
                self.place = Place::Inside;
                return Ok(None);
            }
            Place::Before => return Err(NotASequence("the body is no array")),
            Place::After => return Err(NotASequence("something follows the array")),
            Place::Inside => {}
        }
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            self.keep(byte);
            return Ok(None);
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' if self.depth == 0 => {
                self.place = Place::After;
                let last = self.take();
                if last.is_none() && self.after_comma {
                    return Err(NotASequence("an element is missing after a comma"));
                }
                return Ok(last);
            }
            b',' if self.depth == 0 => {
                self.after_comma = true;
                return self.take().map(Some).ok_or(NotASequence("an element is missing before a comma"));
            }
            b']' | b'}' => {
                self.depth = self.depth.checked_sub(1).ok_or(NotASequence("a brace is closed that was not opened"))?;
            }
            _ => {}
        }
        self.keep(byte);
        Ok(None)
    }

    fn keep(&mut self, byte: u8) {
        // Spaces before an element are no part of it; those after it are the JSON reader's.
        if self.element.is_empty() && byte.is_ascii_whitespace() {
            return;
        }
        if self.element.len() < self.bytes_max {
            self.element.push(byte);
        } else {
            self.too_large |= !byte.is_ascii_whitespace();
        }
    }

    fn take(&mut self) -> Option<Element> {
        let text = core::mem::take(&mut self.element);
        if core::mem::take(&mut self.too_large) {
            return Some(Element::TooLarge);
        }
        (!text.is_empty()).then_some(Element::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(framing: Framing, text: &str, piece: usize) -> Result<Vec<String>, NotASequence> {
        let mut splitter = Splitter::new(framing, 12);
        let mut elements = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            elements.extend(splitter.push(piece)?);
        }
        elements.extend(splitter.finish()?);
        let text = |element| match element {
            Element::Text(text) => String::from_utf8(text).unwrap().trim_end().to_owned(),
            Element::TooLarge => "too large".to_owned(),
        };
        Ok(elements.into_iter().map(text).collect())
    }

    #[test]
    fn the_same_elements_whatever_the_pieces() {
        let check = |framing, text: &str, expected: &[&str]| {
            for piece in [1, 2, 3, 1_000] {
                assert_eq!(split(framing, text, piece).unwrap(), expected, "{text:?} in pieces of {piece}");
            }
        };
        check(Framing::Lines, "", &[]);
        check(Framing::Lines, "\"a\"\n\n {\"b\":1}\r\n\"c\"", &["\"a\"", "{\"b\":1}", "\"c\""]);
        check(Framing::Lines, "1\n0123456789012\n2\n", &["1", "too large", "2"]);
        check(Framing::Array, " [ ] ", &[]);
        check(Framing::Array, "[\"a,]\", {\"b\":[1,2]} ,\"\\\"]\"]", &["\"a,]\"", "{\"b\":[1,2]}", "\"\\\"]\""]);
        check(Framing::Array, "[\"\\\\\",1]", &["\"\\\\\"", "1"]);
        check(Framing::Array, "[0123456789012, 2]", &["too large", "2"]);
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for text in ["", "x", "{}", "[", "[1", "[1,]", "[,1]", "[1,,2]", "[1]]", "[1] 2", "[}", "[\"a]", "[[1]"] {
            assert!(split(Framing::Array, text, 1).is_err(), "{text}");
        }
    }
}
