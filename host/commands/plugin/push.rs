//! `plugin push`: puts a plugin and its signature into a registry.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use retrans_deliver::registry::Plugin;
use retrans_deliver::registry::Registry;
use serde_json::json;

use super::super::print_result;
use super::describe;
use crate::config::PluginPush;
use crate::plugin::Digest;
use crate::plugin::Origin;
use crate::plugin::signature;

/// Pushes a plugin, and prints by which digest it is got.
pub fn push(config: &PluginPush) -> Result<()> {
    let (file, address) = (&config.file, &config.address);
    // A plugin that no host can use is a mistake. With keys, this checks the signature as well.
    let description = describe::of(&Origin::File(file.clone()), &config.keys)?;
    let wasm = read(file)?;
    if Digest::of(&wasm).to_string() != description.sha256 {
        bail!("{} has changed meanwhile; try again", file.display());
    }
    let signature_file = signature::path(file);
    let signature = match fs::metadata(&signature_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        _ => Some(read(&signature_file)?),
    };
    let name = file.file_name().unwrap_or(file.as_os_str());
    let plugin = Plugin {
        file_name: name.to_string_lossy().into_owned(),
        created: created(file)?,
        version: description.version,
        summary: description.summary,
        exports: description.interfaces,
        imports: description.imports,
        wasm,
        signature,
    };
    let registry = Registry {
        address,
        plain_http: config.plain_http,
    };
    let pinned = address.pinned(registry.push(&plugin)?);
    print_result(&match config.json {
        true => {
            let report = json!({
                "address": pinned.to_string(),
                "sha256": description.sha256,
                "signature": plugin.signature.is_some(),
            });
            format!("{report:#}\n")
        }
        false => {
            let signature = match plugin.signature {
                Some(_) => format!("with the signature {}", signature_file.display()),
                None => format!(
                    "without a signature: there is no {}",
                    signature_file.display()
                ),
            };
            format!("{address}: {signature}\nto get it: retrans-host plugin pull {pinned}\n")
        }
    })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// When the file was last changed: the same file makes the same artifact.
fn created(file: &Path) -> Result<String> {
    let modified = fs::metadata(file).and_then(|status| status.modified());
    let modified: SystemTime =
        modified.with_context(|| format!("cannot read {}", file.display()))?;
    let modified = jiff::Timestamp::try_from(modified);
    let modified = modified.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Ok(format!("{modified:.0}"))
}
