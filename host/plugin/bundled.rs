//! The plugins that are embedded in the host. build.rs builds them from plugins/.

const COMPONENTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Names of the bundled plugins.
pub const NAMES: [&str; COMPONENTS.len()] = names();

const fn names() -> [&'static str; COMPONENTS.len()] {
    let mut names = [""; COMPONENTS.len()];
    let mut index = 0;
    while index < COMPONENTS.len() {
        names[index] = COMPONENTS[index].0;
        index += 1;
    }
    names
}

/// Returns the component of the bundled plugin `name`.
pub fn component(name: &str) -> Option<&'static [u8]> {
    let found = COMPONENTS.iter().find(|(bundled, _)| *bundled == name);
    found.map(|(_, bytes)| *bytes)
}
