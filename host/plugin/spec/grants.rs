//! What an operator grants to one plugin, each by its name: environment variables, and directories
//! to read while it is configured.
//!
//! What is granted must be there when the plugin is started. One that goes on without its token or
//! its table of networks would be wrong in silence.

use std::env;
use std::io;
use std::path::PathBuf;

/// What one plugin is granted, as the operator wrote it; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Names of environment variables, of which it sees the values.
    pub env: Vec<String>,
    /// Directories. It finds each under the path that stands here.
    pub read: Vec<PathBuf>,
}

/// Something was granted that is not there.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The host itself has no such variable.
    #[error(
        "grant env={0}: no such variable in the environment of the host; sudo passes it on with \
         --preserve-env={0}"
    )]
    NoVariable(String),
    /// A plugin's variables are text.
    #[error("grant env={0}: the value of the variable is not UTF-8")]
    VariableNotText(String),
    /// A plugin's paths are text.
    #[error("grant read={}: the path is not UTF-8", .0.display())]
    PathNotText(PathBuf),
    /// It cannot be opened, or is no directory.
    #[error("grant read={path}: {error}")]
    Directory {
        /// The path.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

/// The same, looked up.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    /// Names and values.
    pub(crate) variables: Vec<(String, String)>,
    /// Paths of directories.
    pub(crate) directories: Vec<String>,
}

impl Grants {
    /// Looks up what is granted. Directories are opened later, when the plugin is configured.
    pub(crate) fn look_up(&self) -> Result<Granted, GrantError> {
        let variable = |name: &String| match env::var(name) {
            Ok(value) => Ok((name.clone(), value)),
            Err(env::VarError::NotPresent) => Err(GrantError::NoVariable(name.clone())),
            Err(env::VarError::NotUnicode(_)) => Err(GrantError::VariableNotText(name.clone())),
        };
        let directory = |path: &PathBuf| match path.to_str() {
            Some(path) => Ok(path.to_owned()),
            None => Err(GrantError::PathNotText(path.clone())),
        };
        Ok(Granted {
            variables: self.env.iter().map(variable).collect::<Result<_, _>>()?,
            directories: self.read.iter().map(directory).collect::<Result<_, _>>()?,
        })
    }
}
