//! Reads the public keys of `--verify-key`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::usage_error::UsageError;
use crate::plugin::VerifyKey;
use crate::system::sandbox;

/// Maximum size of a file with a key in bytes.
const MAX_SIZE: u64 = 16 << 10;

/// Returns the key that a text is, or the one in the file that it names.
pub fn read(text: &str) -> Result<VerifyKey, UsageError> {
    if let Some(key) = VerifyKey::of_line(text) {
        return Ok(key);
    }
    let failed = |cause: String| UsageError::VerifyKey(text.to_owned(), cause);
    let file = Path::new(text);
    let contents = contents(file).map_err(failed)?;
    VerifyKey::of_file(file, &contents).map_err(|error| failed(error.to_string()))
}

/// Returns the keys of a command about one plugin, or about each of several.
pub fn all(texts: &[String]) -> Result<Vec<VerifyKey>, UsageError> {
    texts.iter().map(|text| read(text)).collect()
}

fn contents(file: &Path) -> Result<String, String> {
    let cannot = |error| format!("cannot read it: {}", sandbox::explained(file, error));
    let opened = File::open(file).map_err(cannot)?;
    let mut bytes = Vec::new();
    let read = opened.take(MAX_SIZE).read_to_end(&mut bytes);
    read.map_err(cannot)?;
    // A file that is too long, or is no text, is no key either.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
