//! What can be said about a plugin without running it on events: what it says about itself, what it needs, and what it
//! costs to hold.

use serde::Serialize;

use super::census_use::CensusUse;
use super::load;
use super::load::Loaded;
use super::load::engine::Engine;
use super::load::signature::Signed;
use super::prepared;
use super::prepared::StartError;
use super::runtime::instance::Instance;
use super::runtime::limiters::LogBudget;
use super::spec::Spec;
use super::spec::schema::Setting;
use crate::system::sanitize::joined;

/// The description of a plugin.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Its name, as it says.
    pub name: String,
    /// Its version, as it says. Empty if it does not.
    pub version: String,
    /// One line about what it does, as it says. Empty if it does not.
    pub summary: String,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// Whether it takes a census.
    pub census: CensusUse,
    /// What it is told beside events.
    pub exports: Exports,
    /// The grants that it can use.
    pub grants: Vec<Grant>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports, by their full names.
    #[serde(skip)]
    pub interfaces: Vec<String>,
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: String,
    /// The signature that was checked; `None`: no key was given, or the plugin is bundled.
    pub signature: Option<Signed>,
    /// Size of the component in bytes.
    pub size: u64,
    /// Linear memory of an instance before it is configured, in bytes.
    pub memory: u64,
    /// What the host needs to hold it beside linear memory, in bytes; `None` if that was not measured.
    pub footprint: Option<u64>,
}

/// Which optional interfaces a plugin exports.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Exports {
    /// It is told the time of the stream, and its end.
    pub timer: bool,
    /// Its state survives faults and new versions.
    pub state: bool,
}

/// A grant that a plugin can use, because it imports what reads it. The standard library of some languages imports
/// these in any program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Grant {
    /// Environment variables: `--allow env=NAME`.
    #[serde(rename = "env")]
    Env,
    /// Files below a directory: `--allow read=DIR`.
    #[serde(rename = "read")]
    Read,
}

impl Grant {
    /// The option that gives it.
    pub fn option(self) -> &'static str {
        match self {
            Grant::Env => "--allow env=NAME",
            Grant::Read => "--allow read=DIR",
        }
    }

    /// The interface that it is for.
    fn interface(self) -> &'static str {
        match self {
            Grant::Env => "wasi:cli/environment@",
            Grant::Read => "wasi:filesystem/preopens@",
        }
    }
}

impl Description {
    /// Loads a plugin, makes an instance, and asks it to describe itself. It is not configured.
    pub fn of(engine: &Engine, spec: &Spec) -> Result<Description, StartError> {
        let loaded = load::load(engine, spec);
        let loaded = loaded.map_err(|error| StartError::Load(spec.name.clone(), error))?;
        let mut instance = Instance::new(spec, &loaded, &LogBudget::new(spec.limits.log))
            .map_err(|error| error.named(&spec.name))?;
        let described = instance.describe()?;
        let value = |key: &str| {
            let found = described.iter().find(|(name, _)| name == key);
            found.map_or("", |(_, value)| value.as_str())
        };
        let schema = prepared::schema(&described)
            .map_err(|error| StartError::Settings(spec.name.clone(), error.into()))?;
        let imports = imports(&loaded);
        let uses = |grant: &Grant| {
            imports
                .iter()
                .any(|name| name.starts_with(grant.interface()))
        };
        let (memory, _) = instance.memory();
        Ok(Description {
            name: match value("name") {
                "" => spec.name.clone(),
                name => joined(name),
            },
            version: joined(value("version")),
            summary: joined(value("summary")),
            contract: contract(&loaded),
            settings: schema.settings(),
            census: CensusUse::of(&loaded, &described),
            exports: Exports {
                timer: instance.has_timer(),
                state: instance.has_state(),
            },
            grants: [Grant::Env, Grant::Read].into_iter().filter(uses).collect(),
            imports,
            interfaces: interfaces(&loaded),
            sha256: loaded.digest.to_string(),
            signature: loaded.signed.clone(),
            size: loaded.size,
            memory: memory as u64,
            footprint: loaded.footprint,
        })
    }
}

fn imports(loaded: &Loaded) -> Vec<String> {
    let component = loaded.pre.component();
    let types = component.component_type();
    let imports = types.imports(component.engine());
    let mut names: Vec<String> = imports.map(|(name, _)| joined(name)).collect();
    names.sort();
    names
}

fn interfaces(loaded: &Loaded) -> Vec<String> {
    let component = loaded.pre.component();
    let types = component.component_type();
    let exports = types.exports(component.engine());
    let mut names: Vec<String> = exports.map(|(name, _)| joined(name)).collect();
    names.sort();
    names
}

/// The contract in the name of the interface that every plugin exports.
fn contract(loaded: &Loaded) -> String {
    let component = loaded.pre.component();
    let types = component.component_type();
    let mut exports = types.exports(component.engine());
    let processor = exports.find_map(|(name, _)| {
        let (interface, version) = name.split_once('@')?;
        let package = interface.strip_suffix("/processor")?;
        Some(format!("{package}@{version}"))
    });
    processor.unwrap_or_default()
}
