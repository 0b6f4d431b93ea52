//! Writes the golden vectors (`--write`), or says which files differ from what the code makes.

use std::process::ExitCode;

use testamur_tests::vectors;

fn main() -> ExitCode {
    let write = std::env::args().nth(1).as_deref() == Some("--write");
    let folder = vectors::folder();
    let files = vectors::all();
    if write {
        // Renamed cases leave no file behind. The registry's vectors are its own tests' business.
        for stale in ["receipts", "evidence", "diplomas", "credentials"]
            .map(|name| folder.join(name))
            .iter()
            .filter(|path| path.exists())
        {
            std::fs::remove_dir_all(stale).expect("the folder can be removed");
        }
    }
    let mut differ = 0;
    for (name, bytes) in &files {
        let path = folder.join(name);
        if write {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
            std::fs::write(&path, bytes).expect("the file can be written");
        } else if std::fs::read(&path).ok().as_ref() != Some(bytes) {
            println!("{name} differs");
            differ += 1;
        }
    }
    println!("{} files, {differ} differ", files.len());
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
