//! Opens damaged copies of a PDF or ZIP, as many as are asked for: `cargo run --release -p testamur-paper --example mutate -- FILE
//! COUNT [SEED]`. Ends with how many were answered; a panic is a finding, and the seed finds it again.

use testamur_paper::open;

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = std::fs::read(arguments.next().expect("a file")).expect("it can be read");
    let count: u64 = arguments.next().expect("a count").parse().expect("a number");
    let mut state = arguments.next().map_or(1, |seed| seed.parse().expect("a number"));
    let words: [&[u8]; 12] = [
        b"obj",
        b"1 0 obj",
        b"<<",
        b">>",
        b"/EF",
        b"/Type/ObjStm",
        b"stream\n",
        b"endstream",
        b"/Length 9",
        b"0 R",
        b"PK\x01\x02",
        b"\xff\xff",
    ];
    let (mut opened, mut refused) = (0u64, 0u64);
    for _ in 0..count {
        let mut bytes = file.clone();
        for _ in 0..=next(&mut state) % 6 {
            let at = (next(&mut state) % bytes.len() as u64) as usize;
            match next(&mut state) % 5 {
                0 => bytes[at] = next(&mut state) as u8,
                1 => bytes.truncate(at.max(16)),
                2 => drop(bytes.splice(at..at, words[(next(&mut state) % 12) as usize].iter().copied())),
                3 => {
                    let end = (at + (next(&mut state) % 64) as usize).min(bytes.len());
                    bytes.drain(at..end);
                    bytes.resize(bytes.len().max(16), b' ');
                }
                _ => {
                    let end = (at + (next(&mut state) % 256) as usize).min(bytes.len());
                    bytes.extend_from_within(at..end);
                }
            }
        }
        match open(&bytes) {
            Ok(_) => opened += 1,
            Err(_) => refused += 1,
        }
    }
    println!("{opened} opened, {refused} refused, none panicked");
}
