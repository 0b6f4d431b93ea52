//! Tables as registrars' offices never meant to send them: seeded mutations, the same on every machine. `FUZZ_RUNS` for more.

use std::collections::BTreeSet;

use testamur_primitives::codec::sha256;
use testamur_registrar::import::{Kind, Map, read};

const TABLE: &str = include_str!("../../../genesis/graduation/graduates.csv");
const MAP: &str = include_str!("../../../genesis/graduation/map.toml");

/// Small tables: a few rows in three encodings and two dialects, and the same as JSON.
fn corpus() -> Vec<Vec<u8>> {
    let few: Vec<_> = TABLE.lines().take(4).collect();
    let text = few.join("\r\n");
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let names: Vec<_> = few[0].split(',').collect();
    let object = |row: &str| {
        let members = names.iter().zip(row.split(',')).map(|(name, cell)| format!("{name:?}:{cell:?}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let json = format!("[{}]", few[1..].iter().map(|row| object(row)).collect::<Vec<_>>().join(","));
    let semicolons = format!("\u{feff}{}", text.replace(',', ";"));
    vec![text.into_bytes(), latin, wide, semicolons.into_bytes(), json.into_bytes(), MAP.as_bytes().to_vec()]
}

/// Numbers that follow from a seed.
struct Random([u8; 32], usize);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        if self.1 == 32 {
            *self = Self(sha256(&[&self.0]), 0);
        }
        let part = self.0[self.1..self.1 + 4].try_into().expect("4 bytes");
        self.1 += 4;
        u32::from_be_bytes(part) as usize % most.max(1)
    }
}

fn mutated(corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random(sha256(&[b"import\n", &number.to_be_bytes()]), 0);
    let mut input = corpus[random.below(corpus.len())].clone();
    let words: [&[u8]; 12] =
        [b"\"", b",", b";", b"\r\n", b"\t", b"\0", b"44562", b"31/02/2001", b"=1+1", b"\xc3\x28", b"\x81", b"1e999"];
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(24)).min(input.len());
        match random.below(5) {
            0 if at < input.len() => input[at] = random.below(256) as u8,
            1 if at < end => drop(input.drain(at..end)),
            2 if at < end => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            3 => input.truncate(at),
            _ => {
                input.splice(at..at, words[random.below(words.len())].iter().copied());
            }
        }
    }
    input
}

/// Whatever a table holds: an error, or every row either a draft or at fault, and never both.
#[test]
fn a_table_is_read_row_by_row_or_refused_whatever_it_holds() {
    let runs = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5_000);
    let (corpus, map) = (corpus(), Map::parse(MAP).expect("the sample's map"));
    let (mut read_whole, mut refused) = (0u64, 0u64);
    for number in 0..runs {
        let input = mutated(&corpus, number);
        let _ = Map::parse(&String::from_utf8_lossy(&input));
        match read(&input, Kind::of("graduates", &input), &map) {
            Err(error) => {
                assert!(error.code().starts_with("import."), "{number}: {error}");
                refused += 1;
            }
            Ok(import) => {
                let wrong: BTreeSet<_> = import.faults.iter().map(|fault| fault.row).collect();
                assert!(import.drafts.len() <= import.rows, "{number}");
                assert!(import.drafts.iter().all(|(row, _)| !wrong.contains(row)), "{number}: a row both good and bad");
                assert!(import.drafts.len() + wrong.len() >= import.rows, "{number}: a row that nobody mentions");
                read_whole += 1;
            }
        }
    }
    println!("{read_whole} tables read, {refused} refused");
    assert!(read_whole > runs / 10 && refused > runs / 10, "the inputs reach both ends");
}
