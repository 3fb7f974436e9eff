//! The plugins that are embedded in the host, built by build.rs from plugins/.

const COMPONENTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Their names.
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

/// The component of that name.
pub fn component(name: &str) -> Option<&'static [u8]> {
    let found = COMPONENTS.iter().find(|(bundled, _)| *bundled == name);
    found.map(|(_, bytes)| *bytes)
}
