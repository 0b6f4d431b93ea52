//! Embeds the built page, `verifier-web/dist`, as it is at this moment: copied once, so that another build of the page running
//! meanwhile changes nothing. Where it was not built, the bundle is empty, and commands say so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../../verifier-web/dist");
    // Cargo looks at everything below it. A folder that is not there is looked for at each build.
    println!("cargo:rerun-if-changed={}", root.display());
    let mut paths = Vec::new();
    if root.join("index.html").is_file() {
        walk(&root, &mut paths)?;
    }
    paths.sort();
    let (mut bytes, mut table) = (Vec::new(), String::from("&[\n"));
    for path in paths {
        let name = path.strip_prefix(&root).expect("below the root").to_str().expect("names are UTF-8").to_owned();
        let begin = bytes.len();
        bytes.extend(fs::read(&path)?);
        writeln!(table, "    ({name:?}, {begin}..{}),", bytes.len()).expect("writing to a string");
    }
    table.push(']');
    let out = PathBuf::from(variable("OUT_DIR"));
    fs::write(out.join("bundle.bin"), bytes)?;
    fs::write(out.join("bundle.rs"), table)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, paths)? } else { paths.push(path) }
    }
    Ok(())
}
