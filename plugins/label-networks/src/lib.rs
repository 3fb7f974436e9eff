//! Labels events with the names of the networks that their addresses are in.
//!
//! The networks are in a file, one a line: `10.0.0.0/8 internal`. Of several networks that contain an address, the smallest
//! one gives its name. An address in none of them gets no label.

mod file;

use std::rc::Rc;

use retrans_plugin_sdk::prelude::*;

/// Settings of the plugin.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "retrans_plugin_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "retrans_plugin_sdk::schemars")]
pub struct Settings {
    /// Path of the file, with a network and its name in each line, such as `10.0.0.0/8 internal`. A name may have spaces, and
    /// has at most 128 bytes. Text after `#` is a comment. --allow read=DIR must grant the directory. The file may have
    /// 1,000,000 networks and 64 MiB; it is read when the plugin starts.
    #[schemars(extend("examples" = ["/etc/retrans-host/networks"]))]
    pub file: String,
    /// Key of the label for the network of the peer, of at most 64 bytes.
    #[schemars(length(min = 1, max = 64))]
    #[serde(default = "peer_label")]
    pub peer_label: String,
    /// Labels the network of the local address as well.
    #[serde(default)]
    pub local: bool,
    /// Key of the label for the network of the local address, of at most 64 bytes.
    #[schemars(length(min = 1, max = 64))]
    #[serde(default = "local_label")]
    pub local_label: String,
}

/// Maximum length of a key in bytes. Labels of the 256 events of a call share 128 KiB, in which a key counts for each event:
/// two keys and two names of this size and [`file::MAX_NAME`] take 384 bytes of the 512 for an event.
const MAX_KEY: usize = 64;

fn check_key(setting: &str, key: &str) -> Result<()> {
    ensure!(
        (1..=MAX_KEY).contains(&key.len()),
        "{setting}: expected a key of 1 to {MAX_KEY} bytes"
    );
    Ok(())
}

fn peer_label() -> String {
    "peer_network".to_owned()
}

fn local_label() -> String {
    "local_network".to_owned()
}

/// The plugin.
#[derive(Debug)]
pub struct LabelNetworks {
    networks: PrefixMap<Rc<str>>,
    peer_label: String,
    /// `None` where the local address gets no label.
    local_label: Option<String>,
}

impl Plugin for LabelNetworks {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(
            !settings.file.is_empty(),
            "file: expected the path of a file of networks"
        );
        check_key("peer_label", &settings.peer_label)?;
        check_key("local_label", &settings.local_label)?;
        ensure!(
            !settings.local || settings.local_label != settings.peer_label,
            "local_label: expected another key than peer_label, {:?}",
            settings.peer_label
        );
        let file = &settings.file;
        Ok(LabelNetworks {
            networks: file::read(file).with_context(|| format!("file: {file}"))?,
            peer_label: settings.peer_label,
            local_label: settings.local.then_some(settings.local_label),
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        if let Some(name) = self.networks.get(event.peer_address()) {
            event.set_label(&self.peer_label, name);
        }
        if let Some(key) = &self.local_label
            && let Some(name) = self.networks.get(event.local_address())
        {
            event.set_label(key, name);
        }
        Ok(Verdict::Keep)
    }
}

export_plugin!(LabelNetworks);

#[cfg(test)]
mod tests;
