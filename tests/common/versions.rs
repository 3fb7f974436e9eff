//! Versions of one plugin that replace each other in one file.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::components::Files;
use super::fixtures::WITNESS;
use super::fixtures::fixture;

/// The bytes before the letter of the version in the witness.
const VERSION: &[u8] = b"witness version";

/// A file that has a version of the witness.
pub struct Versions {
    files: Files,
    witness: Vec<u8>,
    /// Offset of the version's letter.
    letter: usize,
}

impl Versions {
    /// Starts with version 1.
    #[track_caller]
    pub fn begin() -> Versions {
        let witness = fs::read(fixture(WITNESS)).expect("it was built");
        let places: Vec<usize> = (0..witness.len() - VERSION.len())
            .filter(|at| witness[*at..].starts_with(VERSION))
            .collect();
        let [place] = places.as_slice() else {
            panic!("the version is in there once, not {} times", places.len());
        };
        let versions = Versions {
            files: Files::new(),
            letter: place + VERSION.len(),
            witness,
        };
        fs::write(versions.path(), versions.bytes('1')).expect("a temporary file");
        versions
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.files.path().join("witness.wasm")
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// The component of a version.
    pub fn bytes(&self, version: char) -> Vec<u8> {
        let mut bytes = self.witness.clone();
        bytes[self.letter] = version as u8;
        bytes
    }

    /// Replaces the file with a version, in one rename.
    pub fn put(&self, version: char) {
        let beside = self.files.write("new", self.bytes(version));
        fs::rename(beside, self.path()).expect("in the same directory");
    }
}
