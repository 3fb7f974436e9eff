//! The real minisign, with a key of its own.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::components::Files;

/// An author with a key.
pub struct Author {
    files: Files,
}

impl Author {
    /// Makes a key without a password.
    pub fn new() -> Author {
        let author = Author {
            files: Files::new(),
        };
        author.run(&["-G", "-W", "-p", "minisign.pub", "-s", "minisign.key"]);
        author
    }

    /// The file of the public key.
    pub fn public(&self) -> PathBuf {
        self.files.path().join("minisign.pub")
    }

    /// The file of the secret key.
    pub fn secret(&self) -> PathBuf {
        self.files.path().join("minisign.key")
    }

    /// The public key alone.
    pub fn line(&self) -> String {
        let text = std::fs::read_to_string(self.public()).expect("it was made");
        text.lines().nth(1).expect("two lines").to_owned()
    }

    /// Its number, as minisign prints it.
    pub fn id(&self) -> String {
        let text = std::fs::read_to_string(self.public()).expect("it was made");
        let comment = text.lines().next().expect("two lines");
        comment.rsplit(' ').next().expect("a word").to_owned()
    }

    /// Signs a file, with FILE.minisig as the result.
    pub fn sign(&self, file: &Path) {
        self.sign_with(file, &[]);
    }

    /// Signs a file, with these options of minisign.
    pub fn sign_with(&self, file: &Path, options: &[&str]) {
        let file = file.to_str().expect("text");
        self.run(&[&["-S", "-s", "minisign.key", "-m", file], options].concat());
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new("minisign");
        let command = command.args(arguments).current_dir(self.files.path());
        let output = command.output().unwrap_or_else(|error| {
            panic!("cannot run minisign: {error}; scripts/setup.sh installs it (Debian's package minisign)")
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
    }
}
