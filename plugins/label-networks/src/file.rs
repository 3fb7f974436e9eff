//! Reads a file of networks, with bounds on everything that it can make the plugin keep.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::rc::Rc;
use std::str;

use retrans_plugin_sdk::prelude::*;

/// Maximum number of networks. With 1,000,000 of IPv4 and few names the plugin takes about 30 MB.
const MAX_NETWORKS: usize = 1_000_000;

/// Maximum size of the file in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Maximum length of a name in bytes: labels of the 256 events of a call share 128 KiB.
pub(crate) const MAX_NAME: usize = 128;

/// Reads the networks of a file with their names.
///
/// # Errors
///
/// Where the file cannot be read, is too large, or has a line that is not a network with a name. The message has the
/// number of the line.
pub(crate) fn read(path: &str) -> Result<PrefixMap<Rc<str>>> {
    let file = File::open(path).context(
        "cannot open it; a plugin can read only below a directory that --allow read=DIR grants",
    )?;
    parse(BufReader::new(file))
}

/// Reads networks with their names.
pub(crate) fn parse(from: impl BufRead) -> Result<PrefixMap<Rc<str>>> {
    let mut from = from.take(MAX_BYTES + 1);
    let mut networks = PrefixMap::new();
    // Each name once: there may be a million networks with few names.
    let mut names = BTreeSet::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let length = from.read_until(b'\n', &mut line);
        let length = length.with_context(|| format!("cannot read line {number}"))?;
        ensure!(from.limit() > 0, "expected at most {MAX_BYTES} bytes");
        if length == 0 {
            break;
        }
        add(&mut networks, &mut names, &line).with_context(|| format!("line {number}"))?;
    }
    Ok(networks)
}

/// Adds the network of a line, if it has one.
fn add(
    networks: &mut PrefixMap<Rc<str>>,
    names: &mut BTreeSet<Rc<str>>,
    line: &[u8],
) -> Result<()> {
    let text = str::from_utf8(line).context("expected text in UTF-8")?;
    let text = text.trim_start_matches('\u{feff}');
    let text = text
        .split_once('#')
        .map_or(text, |(before, _)| before)
        .trim();
    if text.is_empty() {
        return Ok(());
    }
    let (network, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let network: Cidr = network.parse()?;
    let name = name.trim_start();
    ensure!(!name.is_empty(), "expected a name after {network}");
    ensure!(
        name.len() <= MAX_NAME,
        "expected a name of at most {MAX_NAME} bytes"
    );
    ensure!(
        !name.contains(char::is_control),
        "expected a name without control characters"
    );
    let name = names.get(name).cloned().unwrap_or_else(|| {
        let name: Rc<str> = name.into();
        names.insert(Rc::clone(&name));
        name
    });
    if let Some(other) = networks.insert(network, Rc::clone(&name)) {
        ensure!(
            other == name,
            "{network} has two names, {other:?} and {name:?}"
        );
    }
    ensure!(
        networks.len() <= MAX_NETWORKS,
        "expected at most {MAX_NETWORKS} networks"
    );
    Ok(())
}
