//! `plugin pull`: gets a plugin from a registry, and writes it to a file.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use bytesize::ByteSize;
use retrans_deliver::registry;
use retrans_deliver::registry::Pulled;
use retrans_deliver::registry::Registry;
use serde::Serialize;

use super::super::print_result;
use crate::config::PluginPull;
use crate::config::Verbosity;
use crate::plugin::Digest;
use crate::plugin::Limits;
use crate::plugin::signature;
use crate::plugin::signature::Signed;
use crate::system::progress;
use crate::system::whole_file;
use crate::system::whole_file::Complete;

/// What was pulled.
#[derive(Serialize)]
struct Report {
    /// The file.
    file: PathBuf,
    /// The address with the digest of the manifest.
    address: String,
    /// SHA-256 of the plugin.
    sha256: String,
    /// Its size in bytes.
    size: usize,
    signature: Signature,
}

/// What is known of the signature.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Signature {
    /// There is none.
    None,
    /// It is there, and no key was given.
    NotChecked,
    /// A key has made it.
    Checked(Signed),
}

/// Pulls a plugin, and tells the digests that identify it.
pub fn pull(config: &PluginPull) -> Result<()> {
    let address = &config.address;
    let file = config.output.clone();
    let file = file.unwrap_or_else(|| address.file_name().into());
    let signature_file = signature::path(&file);
    if !config.force {
        // Asked before something is pulled, and again when it is written.
        for file in [&file, &signature_file] {
            if file.symlink_metadata().is_ok() {
                bail!("{}", exists(file));
            }
        }
    }
    let registry = Registry {
        address,
        plain_http: config.plain_http,
    };
    let limits = registry::Limits {
        wasm: Limits::default().file,
        signature: signature::MAX_SIZE,
    };
    let bar = progress::beside_a_file(config.verbosity >= Verbosity::Normal);
    let pulled = registry.pull(limits, |bytes, size| {
        if bar.length() != Some(size) {
            bar.set_length(size);
            progress::show_percentage(&bar);
        }
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    let Pulled {
        manifest,
        wasm,
        signature,
    } = pulled?;
    let checked = match (&signature, config.keys.as_slice()) {
        (None, []) => Signature::None,
        (None, _) => bail!(
            "{address} has no signature, and a key was given: nothing was written; its author can push the \
             plugin again with a FILE.minisig beside it"
        ),
        (Some(_), []) => Signature::NotChecked,
        (Some(signature), keys) => {
            let signed = signature::verify(keys, &wasm, signature);
            let signed =
                signed.with_context(|| format!("signature of {address}: nothing was written"))?;
            Signature::Checked(signed)
        }
    };
    // Both are complete before one has its name: a full disk must not leave the old plugin beside the new signature.
    let plugin = prepare(&file, &wasm)?;
    let signature = signature.as_deref();
    let signature = signature.map(|signature| prepare(&signature_file, signature));
    let signature = signature.transpose()?;
    place(plugin, config.force)?;
    match signature {
        Some(signature) => place(signature, config.force)?,
        None if config.force => remove(&signature_file)?,
        None => {}
    }
    let report = Report {
        file,
        address: address.pinned(manifest).to_string(),
        sha256: Digest::of(&wasm).to_string(),
        size: wasm.len(),
        signature: checked,
    };
    print_result(&match config.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => report.text(),
    })
}

impl Report {
    fn text(&self) -> String {
        let file = self.file.display();
        let signature = match &self.signature {
            Signature::None => "none".to_owned(),
            Signature::NotChecked => {
                format!("{file}.minisig, not checked: --verify-key KEY checks it")
            }
            Signature::Checked(signed) => format!("{file}.minisig, made with {signed}"),
        };
        // A name without a / that does not end in .wasm would be that of a bundled plugin.
        let is_path = |text: &str| text.contains('/') || text.ends_with(".wasm");
        let named = match is_path(&file.to_string()) {
            true => file.to_string(),
            false => format!("./{file}"),
        };
        format!(
            "{file}: {}\n\
             signature: {signature}\n\
             to get it again: retrans-host plugin pull {}\n\
             to run exactly this file: --plugin {named}#sha256={}\n",
            ByteSize(self.size as u64),
            self.address,
            self.sha256,
        )
    }
}

fn prepare<'a>(file: &'a Path, bytes: &[u8]) -> Result<Complete<'a>> {
    let prepared = whole_file::prepare(file, bytes);
    prepared.with_context(|| format!("cannot write {}", file.display()))
}

/// Gives a file its name, if there is none of that name or if it may be replaced.
fn place(complete: Complete<'_>, overwrites: bool) -> Result<()> {
    let file = complete.file;
    match complete.place(overwrites) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!("{}", exists(file)),
        placed => placed.with_context(|| format!("cannot write {}", file.display())),
    }
}

/// Removes the signature of another plugin that had the name.
fn remove(signature: &Path) -> Result<()> {
    match fs::remove_file(signature) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| {
            format!(
                "cannot remove {}, the signature of another plugin",
                signature.display()
            )
        }),
        _ => Ok(()),
    }
}

fn exists(file: &Path) -> String {
    let file = file.display();
    format!("{file} exists; --force overwrites it, -o FILE names another one")
}
