//! The plugins that are embedded in the host. build.rs builds them from plugins/.

const COMPONENTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The plugin that keeps every event: what others are measured beside. It is embedded, and not offered.
pub const PASS_THROUGH: &str = "pass-through";

/// Names of the bundled plugins. [`PASS_THROUGH`], the last component, is not one.
pub const NAMES: [&str; COMPONENTS.len().saturating_sub(1)] = names();

const fn names() -> [&'static str; COMPONENTS.len().saturating_sub(1)] {
    let mut names = [""; COMPONENTS.len().saturating_sub(1)];
    let mut index = 0;
    while index < names.len() {
        names[index] = COMPONENTS[index].0;
        index += 1;
    }
    names
}

/// The bundled plugins for which a live run makes a census. json-print prints one that is made anyway.
pub const ASKING_FOR_CENSUS: &[&str] = &["ratio-alert"];

/// The bundled plugins that resolve each of their alerts.
pub const RESOLVING_ALERTS: &[&str] = &["ratio-alert", "threshold-alert"];

/// Returns the component of the bundled plugin `name`.
pub fn component(name: &str) -> Option<&'static [u8]> {
    let found = COMPONENTS.iter().find(|(bundled, _)| *bundled == name);
    found.map(|(_, bytes)| *bytes)
}
