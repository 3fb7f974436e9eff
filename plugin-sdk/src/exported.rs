//! Description of an exported plugin.

use crate::plugin::Plugin;

/// Description of a plugin, implemented by [`export_plugin!`](crate::export_plugin).
pub trait Exported {
    /// The plugin.
    type Plugin: Plugin;
    /// Its name.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// Its purpose, in one line.
    const SUMMARY: &'static str;
}

/// The name of the package; the name of the target where the two differ, as for an example.
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
