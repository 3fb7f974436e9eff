//! Versions of one plugin in one file, each of which takes the place of the one before it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::components::Files;
use super::fixtures::WITNESS;
use super::fixtures::fixture;

/// What the witness says of its version, up to the letter that stands for it.
const VERSION: &[u8] = b"witness version";

/// A file with a version of the witness.
pub struct Versions {
    files: Files,
    witness: Vec<u8>,
    /// Where the letter is.
    letter: usize,
}

impl Versions {
    /// Version 1.
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

    /// Its directory, in which other files may be put.
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// What is in the file of a version.
    pub fn bytes(&self, version: char) -> Vec<u8> {
        let mut bytes = self.witness.clone();
        bytes[self.letter] = version as u8;
        bytes
    }

    /// Puts a version in the place of the one that is there, at one stroke.
    pub fn put(&self, version: char) {
        let beside = self.files.write("new", self.bytes(version));
        fs::rename(beside, self.path()).expect("in the same directory");
    }
}
