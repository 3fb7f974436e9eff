//! What an exported plugin says about itself.

use crate::plugin::Plugin;

/// What [`export_plugin!`](crate::export_plugin) says about a plugin.
pub trait Exported {
    /// The plugin.
    type Plugin: Plugin;
    /// Its name.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// What it does, in a line.
    const SUMMARY: &'static str;
}

/// The name of a package, or that of its target where it is another, as for an example.
pub const fn plugin_name(package: &'static str, target: &'static str) -> &'static str {
    let (a, b) = (package.as_bytes(), target.as_bytes());
    if a.len() != b.len() {
        return target;
    }
    let mut i = 0;
    while i < a.len() {
        let same = a[i] == b[i] || (a[i] == b'-' && b[i] == b'_');
        if !same {
            return target;
        }
        i += 1;
    }
    package
}
