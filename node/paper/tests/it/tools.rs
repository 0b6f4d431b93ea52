//! The same PDFs through programs that others wrote: qpdf, poppler, zbar. Without them a test prints `skipped:`.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::{CREDENTIAL, compact, diploma, master, print};

/// A folder of its own, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("testamur-paper-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// The diploma of the master, written there.
    fn diploma(&self) -> PathBuf {
        let path = self.0.join("diploma.pdf");
        std::fs::write(&path, diploma(&print(&master()))).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a tool; `None` when it is not installed.
fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(tool).args(arguments).output() {
        Ok(output) => Some(output),
        Err(_) => {
            println!("skipped: {tool} is not installed");
            None
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn qpdf_finds_no_fault() {
    let folder = Folder::new("qpdf");
    let Some(output) = run("qpdf", &["--check", &folder.diploma().to_string_lossy()]) else { return };
    assert!(output.status.success(), "{}{}", said(&output), String::from_utf8_lossy(&output.stderr));
    assert!(said(&output).contains("No syntax or stream encoding errors found"));
}

#[test]
fn poppler_reads_the_text_and_the_files() {
    let folder = Folder::new("poppler");
    let pdf = folder.diploma();
    let Some(output) = run("pdftotext", &["-layout", &pdf.to_string_lossy(), "-"]) else { return };
    let text = said(&output);
    for expected in [
        "Ελευθερία Ковале́нко-Ångström",
        "Магістр європейського права",
        "Université de la Moselle",
        "Droit comparé",
        "1er juillet 2026",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let saved = folder.0.join("credential");
    let Some(_) =
        run("pdfdetach", &["-savefile", "credential.sd-jwt", "-o", &saved.to_string_lossy(), &pdf.to_string_lossy()])
    else {
        return;
    };
    assert_eq!(std::fs::read_to_string(saved).expect("saved"), CREDENTIAL);
}

/// At the 200 dots an inch of a poor scan.
#[test]
fn the_code_is_read_back_from_the_page() {
    let folder = Folder::new("code");
    let pdf = folder.diploma();
    let picture = folder.0.join("page");
    let arguments =
        ["-r", "200", "-gray", "-png", "-singlefile", "-f", "1", &pdf.to_string_lossy(), &picture.to_string_lossy()];
    let Some(output) = run("pdftoppm", &arguments) else { return };
    assert!(output.status.success());
    let Some(output) = run("zbarimg", &["-q", "--raw", &picture.with_extension("png").to_string_lossy()]) else {
        return;
    };
    assert_eq!(said(&output).trim_end(), compact());
}
