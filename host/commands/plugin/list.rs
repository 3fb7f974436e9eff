//! `plugin list`: the plugins that are bundled, and those in a directory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use serde::Serialize;

use super::super::print_result;
use super::describe;
use crate::plugin::Origin;
use crate::plugin::VerifyKey;
use crate::plugin::bundled;
use crate::plugin::description::Description;

/// A plugin of the list.
#[derive(Debug, Serialize)]
struct Listed {
    /// What `--plugin` takes: a name or a path.
    plugin: String,
    /// Whether it is bundled with the host.
    bundled: bool,
    #[serde(flatten)]
    found: Found,
}

/// What is known of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    /// It can be used.
    Description(Box<Description>),
    /// It cannot, for this reason.
    Error(String),
}

/// Lists the bundled plugins and those in `directory`, for people or as JSON. A file that is no usable plugin is listed
/// with the reason.
pub fn list(directory: Option<&Path>, keys: &[VerifyKey], json: bool) -> Result<()> {
    let mut origins: Vec<Origin> = bundled::NAMES
        .iter()
        .copied()
        .map(Origin::Bundled)
        .collect();
    if let Some(directory) = directory {
        origins.extend(files(directory)?.into_iter().map(Origin::File));
    }
    let listed: Vec<Listed> = origins
        .iter()
        .map(|origin| Listed::of(origin, keys))
        .collect();
    let text = match json {
        true => serde_json::to_string_pretty(&listed)? + "\n",
        false => listed.iter().map(Listed::line).collect(),
    };
    print_result(&text)
}

/// The files of a directory whose names end in `.wasm`, in order.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("cannot list plugins in {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Listed {
    fn of(origin: &Origin, keys: &[VerifyKey]) -> Listed {
        let (plugin, bundled) = match origin {
            Origin::Bundled(name) => ((*name).to_owned(), true),
            Origin::File(path) => (path.display().to_string(), false),
        };
        let found = match describe::of(origin, keys) {
            Ok(description) => Found::Description(Box::new(description)),
            Err(error) => Found::Error(format!("{error:#}")),
        };
        Listed {
            plugin,
            bundled,
            found,
        }
    }

    fn line(&self) -> String {
        let text = match &self.found {
            Found::Description(description) => {
                let Description {
                    name,
                    version,
                    summary,
                    ..
                } = &**description;
                match (self.bundled, summary.is_empty()) {
                    (true, _) => summary.clone(),
                    (false, true) => format!("{name} {version}"),
                    (false, false) => format!("{name} {version}: {summary}"),
                }
            }
            Found::Error(error) => format!("cannot be used: {error}"),
        };
        format!("{:<18} {text}\n", self.plugin)
    }
}
