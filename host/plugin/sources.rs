//! The sources of the SDK and of the bundled plugins, embedded as crates that need no workspace. `build/sources.rs` makes
//! them.

/// The files: paths such as `retrans-event/src/lib.rs`, and their text. The first part of a path is the name of a crate, or
/// `languages` for the SDKs of other languages; `Cargo.toml` and `Cargo.lock` are those of a workspace of all crates.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// The crates that a plugin is built with.
pub const SDK: &[&str] = &["retrans-event", "retrans-plugin-sdk"];

/// The files below a directory, such as that of a crate: their paths below it, and their text.
pub fn below(directory: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| {
        let path = path.strip_prefix(directory)?.strip_prefix('/')?;
        Some((path, *text))
    })
}

/// The lock file: the versions of all dependencies with which the SDK was tested.
pub fn lock_file() -> &'static str {
    let file = FILES.iter().find(|(path, _)| *path == "Cargo.lock");
    file.map_or("", |(_, text)| text)
}
