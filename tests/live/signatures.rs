//! A host in its sandbox checks the signatures of new versions, by keys that it reads again.

use std::fs;

use anyhow::Result;
use rustix::process::Signal;

use crate::common::minisign::Author;
use crate::support::captures::Directory;
use crate::support::host::Host;
use crate::support::root_test;

const PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/json_print.wasm"));

#[test]
fn root_signatures_and_keys_are_read_in_the_sandbox() -> Result<()> {
    root_test(|root| {
        let (first, second) = (Author::new(), Author::new());
        // Plugin, key and configuration are in three directories.
        let (plugins, keys, configurations) =
            (Directory::new()?, Directory::new()?, Directory::new()?);
        let (plugin, key) = (plugins.file("printer.wasm"), keys.file("author.pub"));
        fs::write(&plugin, PLUGIN)?;
        first.sign(plugin.as_ref());
        fs::copy(first.public(), &key)?;
        let file = configurations.file("config.toml");
        let text = format!("[[plugin]]\nfile = \"{plugin}\"\nkey = \"{key}\"\n");
        fs::write(&file, &text)?;
        let host = Host::start(root, &["-c", &file])?;
        host.wait_until_said(&format!("signed with key {}: timestamp:", first.id()))?;

        // A new version, then its signature. An empty custom section makes it another file.
        fs::write(&plugin, [PLUGIN, &[0, 1, 0]].concat())?;
        host.signal(Signal::HUP)?;
        host.wait_until_said(
            "is not reloaded, the running version stays: plugin printer: signature ",
        )?;
        first.sign(plugin.as_ref());
        host.signal(Signal::HUP)?;
        host.wait_until_said("plugin printer was reloaded: ")?;

        // The author has another key.
        fs::copy(second.public(), &key)?;
        host.signal(Signal::HUP)?;
        host.wait_until_said(&format!(
            "made with key {}, expected key {}",
            first.id(),
            second.id()
        ))?;
        second.sign(plugin.as_ref());
        host.signal(Signal::HUP)?;
        host.wait_until_said("config.toml: the plugins are now printer")?;
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}
