//! One of [`testamur_parsers::targets`] under libFuzzer: the one that `FUZZ_TARGET` names. With `FUZZ_CORPUS` it writes
//! the inputs that the target begins from into that folder.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use testamur_parsers::{Target, targets};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    if name == "list" {
        targets().iter().for_each(|target| println!("target {}", target.name));
        std::process::exit(0);
    }
    let Some(target) = targets().into_iter().find(|target| target.name == name) else {
        let names: Vec<_> = targets().iter().map(|target| target.name).collect();
        panic!("FUZZ_TARGET is one of: {}", names.join(" "));
    };
    target
}

fuzz_target!(
    init: {
        let target = *TARGET.get_or_init(chosen);
        if let Some(folder) = std::env::var_os("FUZZ_CORPUS").map(PathBuf::from) {
            for (number, input) in target.inputs().all().iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{number}")), input).expect("the corpus can be written");
            }
        }
    },
    |data: &[u8]| (TARGET.get_or_init(chosen).run)(data)
);
