//! - A file that is put in the place of another is noticed, though it is as long and as old.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Files;

/// A file of this content, as old as any other.
fn write(path: &PathBuf, content: &str) {
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_in_the_place_of_another_is_noticed() {
    let name = |what: &str| {
        let name = format!("throng-{}-{what}.pem", std::process::id());
        std::env::temp_dir().join(name)
    };
    let (path, new) = (name("old"), name("new"));
    write(&path, "one");
    let files = Files::new(path.clone(), path.clone());
    let before = files.print();
    assert_eq!(before, files.print());
    write(&new, "two");
    fs::rename(new, &path).unwrap();
    let after = files.print();
    fs::remove_file(path).unwrap();
    assert_ne!(before, after);
    assert_eq!(files.print(), [None, None]);
}
