//! The origin of a plugin's component: the host itself, or a file.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use crate::plugin::bundled;

/// The origin of a plugin's component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The bundled plugin of this name, embedded in the host.
    Bundled(&'static str),
    /// The file at this path.
    File(PathBuf),
}

/// Writes the origin as it is named on the command line.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Bundled(name) => write!(f, "{name} (bundled)"),
            Origin::File(path) => path.display().fmt(f),
        }
    }
}

impl Origin {
    /// Parses an origin as an operator writes it. Text with a `/`, or that ends in `.wasm`, is a path. Any other text
    /// is the name of a bundled plugin; the error lists the names that exist.
    pub fn named(text: &str) -> Result<Origin, String> {
        let is_path =
            text.contains('/') || Path::new(text).extension().is_some_and(|ext| ext == "wasm");
        if is_path {
            return Ok(Origin::File(PathBuf::from(text)));
        }
        let mut names = bundled::NAMES.iter();
        let bundled = names.find(|name| **name == text);
        bundled.map(|name| Origin::Bundled(name)).ok_or_else(|| {
            format!(
                "no bundled plugin {text:?}: there are {}; a file needs a / or .wasm in its name, as in \
                 ./{text}",
                bundled::NAMES.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_or_wasm_makes_it_a_path() {
        let path = |text: &str| Ok(Origin::File(PathBuf::from(text)));
        assert_eq!(Origin::named("a.wasm"), path("a.wasm"));
        assert_eq!(Origin::named("./json-print"), path("./json-print"));
        assert_eq!(
            Origin::named("json-print"),
            Ok(Origin::Bundled("json-print"))
        );
        assert!(Origin::named("jsonprint").is_err_and(|error| error.contains("threshold-alert")));
    }
}
