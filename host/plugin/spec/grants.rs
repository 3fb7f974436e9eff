//! What an operator grants to a plugin, each item by name: environment variables, and directories whose files it may
//! read while it is configured.
//!
//! A granted item must exist when the plugin is started. A plugin that ran without its token or its table of networks
//! would give wrong results without an error.

use std::env;
use std::io;
use std::path::PathBuf;

/// The grants of one plugin, as the operator wrote them. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Names of the environment variables that the plugin sees.
    pub env: Vec<String>,
    /// Directories whose files the plugin may read. It finds each under the path given here.
    pub read: Vec<PathBuf>,
}

/// Why a grant cannot be fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The host's environment has no such variable.
    #[error(
        "grant env={0}: no such variable in the environment of the host; sudo passes it on with \
         --preserve-env={0}"
    )]
    NoVariable(String),
    /// The value of the variable is not UTF-8, and a plugin sees text only.
    #[error("grant env={0}: the value of the variable is not UTF-8")]
    VariableNotUtf8(String),
    /// The path is not UTF-8, and a plugin sees text only.
    #[error("grant read={}: the path is not UTF-8", .0.display())]
    PathNotUtf8(PathBuf),
    /// The path cannot be opened, or is not a directory.
    #[error("grant read={path}: {error}")]
    Directory {
        /// Path of the directory.
        path: String,
        /// Error of the system.
        error: io::Error,
    },
}

/// Grants whose variables were read.
#[derive(Debug, Default)]
pub(crate) struct ResolvedGrants {
    /// Names and values of environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Paths of directories.
    pub(crate) directories: Vec<String>,
}

impl Grants {
    /// Reads the granted variables. Directories are opened later, when the plugin is configured.
    pub(crate) fn resolve(&self) -> Result<ResolvedGrants, GrantError> {
        let variable = |name: &String| match env::var(name) {
            Ok(value) => Ok((name.clone(), value)),
            Err(env::VarError::NotPresent) => Err(GrantError::NoVariable(name.clone())),
            Err(env::VarError::NotUnicode(_)) => Err(GrantError::VariableNotUtf8(name.clone())),
        };
        let directory = |path: &PathBuf| match path.to_str() {
            Some(path) => Ok(path.to_owned()),
            None => Err(GrantError::PathNotUtf8(path.clone())),
        };
        Ok(ResolvedGrants {
            variables: self.env.iter().map(variable).collect::<Result<_, _>>()?,
            directories: self.read.iter().map(directory).collect::<Result<_, _>>()?,
        })
    }
}
