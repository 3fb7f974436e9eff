//! The configuration of commands about plugins.

use std::path::PathBuf;
use std::time::Duration;

use super::Verbosity;
use crate::plugin::Origin;
use crate::plugin::Spec;
use crate::plugin::VerifyKey;
#[cfg(feature = "network")]
use retrans_deliver::registry::Address;

/// The configuration of a command about plugins.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginConfig {
    /// What to do.
    pub command: PluginCommand,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// A command about plugins.
#[derive(Debug, PartialEq, Eq)]
pub enum PluginCommand {
    /// List the bundled plugins, and those in a directory.
    List {
        /// The directory.
        directory: Option<PathBuf>,
        /// Keys of which one must have signed each file. Empty: none needs a signature.
        keys: Vec<VerifyKey>,
        /// Whether to print JSON.
        json: bool,
    },
    /// Describe a plugin.
    Describe {
        /// The plugin.
        origin: Origin,
        /// Keys of which one must have signed it. Empty: it needs no signature.
        keys: Vec<VerifyKey>,
        /// Whether to print JSON.
        json: bool,
    },
    /// Get a plugin from a registry.
    #[cfg(feature = "network")]
    Pull(Box<PluginPull>),
    /// Put a plugin into a registry.
    #[cfg(feature = "network")]
    Push(Box<PluginPush>),
    /// Make a project for a plugin.
    New(PluginNew),
    /// Make the component of a plugin from a core module.
    Componentize {
        /// The file of the core module.
        module: PathBuf,
        /// The file of the component.
        output: PathBuf,
    },
    /// Compare what a plugin does with what is expected.
    Test(Box<PluginTest>),
    /// Tell what each plugin of a chain did with each event.
    Explain(PluginExplain),
    /// Compare two versions of a plugin.
    Diff(Box<PluginDiff>),
    /// Measure plugins.
    Bench(PluginBench),
    /// Sample the functions of a plugin.
    Profile(Box<PluginProfile>),
}

/// A plugin to get from a registry.
#[cfg(feature = "network")]
#[derive(Debug, PartialEq, Eq)]
pub struct PluginPull {
    /// Where it is.
    pub address: Address,
    /// The file to write. `None`: the name of the plugin in the current directory.
    pub output: Option<PathBuf>,
    /// Keys of which one must have signed it. Empty: it needs no signature.
    pub keys: Vec<VerifyKey>,
    /// Whether to overwrite files.
    pub force: bool,
    /// Whether to speak HTTP without TLS.
    pub plain_http: bool,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to show progress.
    pub verbosity: Verbosity,
}

/// A plugin to put into a registry.
#[cfg(feature = "network")]
#[derive(Debug, PartialEq, Eq)]
pub struct PluginPush {
    /// The file. Its signature is beside it, if it has one.
    pub file: PathBuf,
    /// Where it goes.
    pub address: Address,
    /// Keys of which one must have signed it. Empty: it needs no signature.
    pub keys: Vec<VerifyKey>,
    /// Whether to speak HTTP without TLS.
    pub plain_http: bool,
    /// Whether to print JSON.
    pub json: bool,
}

/// A project for a plugin.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginNew {
    /// Name of the plugin, of its crate and of its directory.
    pub name: String,
    /// What the plugin does at first.
    pub template: Template,
    /// The language of its code.
    pub language: Language,
    /// The directory of the SDK. `None`: its sources are written to the project.
    pub sdk: Option<PathBuf>,
}

/// What a new plugin does at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Keeps some events.
    Filter,
    /// Labels events.
    Transform,
    /// Raises and resolves alerts.
    Alert,
    /// Keeps state, which survives a new version.
    Stateful,
}

/// A language with an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// C.
    C,
    /// Go.
    Go,
    /// Python.
    Python,
    /// JavaScript, or TypeScript.
    JavaScript,
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 5] = [
        Language::Rust,
        Language::C,
        Language::Go,
        Language::Python,
        Language::JavaScript,
    ];

    /// The name on the command line, and of the directory of its SDK.
    pub const fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::Go => "go",
            Language::Python => "python",
            Language::JavaScript => "javascript",
        }
    }
}

/// Plugins to be measured.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginBench {
    /// One, or several that are compared.
    pub plugins: Vec<Spec>,
    /// Whether to print JSON.
    pub json: bool,
}

/// A plugin whose functions are sampled.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginProfile {
    /// The plugin.
    pub plugin: Spec,
    /// Files with recorded events.
    pub events: Vec<PathBuf>,
    /// CPU time after which there are enough samples.
    pub time: Duration,
    /// Where the stacks are written; `-` is standard output.
    pub folded: Option<PathBuf>,
    /// Whether to print JSON.
    pub json: bool,
}

/// Two versions of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginDiff {
    /// The one.
    pub old: Spec,
    /// The other, with the same options.
    pub new: Spec,
    /// Files with recorded events.
    pub events: Vec<PathBuf>,
    /// Whether to print JSON.
    pub json: bool,
}

/// A chain to be explained.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginExplain {
    /// The plugins; never empty.
    pub plugins: Vec<Spec>,
    /// Files with recorded events.
    pub events: Vec<PathBuf>,
    /// Maximum number of events.
    pub count: usize,
    /// Whether to print JSON.
    pub json: bool,
}

/// A test of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginTest {
    /// The plugin.
    pub plugin: Spec,
    /// Files with recorded events.
    pub events: Vec<PathBuf>,
    /// The file with what is expected.
    pub expect: PathBuf,
    /// Whether that file is written, and not compared.
    pub bless: bool,
    /// Whether to print JSON.
    pub json: bool,
}
