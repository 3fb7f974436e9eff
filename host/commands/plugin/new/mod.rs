//! `plugin new`: a project for a plugin, which builds and tests without the repository of the host.

mod language;
mod rust;

use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use tempfile::Builder;

use super::super::generate;
use super::super::print_result;
use crate::config::Language;
use crate::config::PluginNew;
use crate::config::Verbosity;

/// The sample: events, connections, and seed.
const SAMPLE: (u64, u64, u64) = (300, 12, 7);

/// Makes a project in a new directory with the plugin's name, or nothing.
pub fn new(config: &PluginNew) -> Result<()> {
    let PluginNew {
        name,
        template,
        language,
        sdk,
    } = config;
    let directory = Path::new(name);
    let failed = || format!("cannot make {name}");
    if fs::symlink_metadata(directory).is_ok() {
        bail!("{}: it exists", failed());
    }
    let sdk = sdk.as_deref().map(rust::outside_sdk).transpose()?;
    let mut unfinished = Builder::new();
    // The directory of a project is not private, as a temporary one is; the umask applies.
    unfinished.permissions(Permissions::from_mode(0o777));
    let unfinished = unfinished.prefix(".retrans-new-").tempdir_in(".");
    let unfinished = unfinished.with_context(failed)?;
    let written = match language {
        Language::Rust => rust::write_project(unfinished.path(), name, *template, sdk.as_deref()),
        _ => language::write_project(unfinished.path(), name, *template, *language),
    };
    written.with_context(failed)?;
    write_sample(unfinished.path()).with_context(failed)?;
    fs::rename(unfinished.path(), directory).with_context(failed)?;
    // It is no longer there to be removed.
    let _ = unfinished.keep();
    let missing = match language {
        Language::Rust => rust::missing_toolchain(),
        _ => language::missing_toolchain(*language),
    };
    if let Some(missing) = missing {
        tracing::warn!("{missing}");
    }
    print_result(&match language {
        Language::Rust => rust::next_steps(name),
        _ => language::next_steps(name, *language),
    })
}

/// Writes recorded events for the project.
fn write_sample(to: &Path) -> Result<()> {
    let (events, connections, seed) = SAMPLE;
    let sample = crate::config::Generate {
        events,
        connections,
        seed,
        census: None,
        gaps: false,
        file: PathBuf::from("sample.rtc"),
        force: false,
        verbosity: Verbosity::Quiet,
    };
    let file = File::create(to.join("sample.rtc")).context("sample.rtc")?;
    generate::write(&sample, &mut BufWriter::new(file), || false).context("sample.rtc")?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = parent.and_then(|()| fs::write(path, text));
    written.with_context(|| path.display().to_string())
}
