//! The process that holds a socket, as the state keeps it.

use std::fmt;

use retrans_plugin_sdk::prelude::*;

/// A process, and its container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) comm: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) container: Option<String>,
}

impl Holder {
    pub(crate) fn of(process: &Process) -> Holder {
        Holder {
            pid: process.pid,
            comm: process.comm.to_string(),
            container: process.container.map(|name| name.to_string()),
        }
    }

    /// Is this the process, under the same name and in the same container?
    pub(crate) fn is(&self, process: &Process) -> bool {
        self.pid == process.pid
            && self.comm == process.comm.as_str()
            && self.container.as_deref() == process.container.as_ref().map(|name| name.as_str())
    }
}

/// Text such as `nginx[42] in 4c01db0b339c`. A process may give itself any name: control characters are replaced, so that it
/// cannot end the line.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", printable(&self.comm), self.pid)?;
        match &self.container {
            Some(container) => write!(f, " in {}", printable(container)),
            None => Ok(()),
        }
    }
}

fn printable(text: &str) -> String {
    let visible = |char: char| {
        if char.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            char
        }
    };
    text.chars().map(visible).collect()
}
