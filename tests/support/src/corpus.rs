//! Real racks, which are not part of the project.

use std::path::{Path, PathBuf};

/// The folder of real racks: `RACK_CORPUS`, or else `../shared/racks` beside the project's root. Says on standard error how many
/// racks and presets it holds, or that it is absent.
///
/// # Panics
/// It is absent and `CI` is set: there the tests on real files must run.
pub fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = match std::env::var_os("RACK_CORPUS") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => root.join("../shared/racks"),
    };
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none_or(|value| value.is_empty()),
            "corpus absent, and in CI the tests on real files must run: set `RACK_CORPUS` to a folder of racks"
        );
        eprintln!("corpus absent: set `RACK_CORPUS` to a folder of racks");
        return None;
    }
    eprintln!("corpus: {} racks and presets", count(&folder));
    Some(folder)
}

/// Files named `.adg` or `.adv` in a folder and all below it.
fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => count(&path),
                Ok(kind) if kind.is_file() => usize::from(
                    path.extension()
                        .is_some_and(|extension| extension.eq_ignore_ascii_case("adg") || extension.eq_ignore_ascii_case("adv")),
                ),
                _ => 0,
            }
        })
        .sum()
}
