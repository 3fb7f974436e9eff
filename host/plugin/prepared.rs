//! A version of a plugin that is ready: loaded, described, and instantiated as often as need be.

use std::io;

use super::load;
use super::load::LoadError;
use super::load::Loaded;
use super::load::component;
use super::load::component::ReadError;
use super::load::engine::Engine;
use super::runtime::fault::Cause;
use super::runtime::fault::Fault;
use super::runtime::instance::Instance;
use super::runtime::instance::NoInstance;
use super::runtime::instance::Snapshot;
use super::runtime::logs;
use super::runtime::meter::LogBudget;
use super::spec::Spec;
use super::spec::digest::Digest;
use super::spec::grants::GrantError;
use super::spec::settings;
use super::spec::settings::SettingsError;
use crate::stream::batch::Moment;

/// Why a plugin could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its component cannot be used.
    #[error("plugin {0}: {1}")]
    Load(String, LoadError),
    /// Something was granted to it that is not there.
    #[error("plugin {0}: {1}")]
    Grant(String, GrantError),
    /// The settings do not fit, in the plugin's own words.
    #[error("plugin {0}: {1}")]
    Settings(String, SettingsError),
    /// It failed while it was instantiated, described or configured.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl StartError {
    /// Is there no file?
    pub fn is_not_found(&self) -> bool {
        let StartError::Load(_, LoadError::Read(ReadError::Io { error, .. })) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::NotFound
    }

    /// The limit that was exceeded, if that is the cause.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            StartError::Load(_, error) => error.limit(),
            StartError::Fault(fault) => fault.limit(),
            StartError::Grant(..) | StartError::Settings(..) => None,
        }
    }
}

/// A version of a plugin from which instances are made.
pub struct Prepared {
    spec: Spec,
    loaded: Loaded,
    /// A JSON object.
    settings: String,
    log_lines: LogBudget,
}

/// A version of a plugin, and its running instance.
pub struct Plugin {
    /// The version.
    pub prepared: Prepared,
    /// The instance.
    pub instance: Instance,
}

impl Plugin {
    /// Loads a component, makes an instance of it, asks it what settings it has, and configures it.
    pub fn start(engine: &Engine, spec: &Spec) -> Result<Plugin, StartError> {
        let name = &spec.name;
        let load_error = |error| StartError::Load(name.clone(), error);
        let wrong = |error| StartError::Settings(name.clone(), error);
        let loaded = load::load(engine, spec);
        let mut prepared = Prepared {
            spec: spec.clone(),
            loaded: loaded.map_err(load_error)?,
            settings: String::new(),
            log_lines: LogBudget::new(spec.limits.log),
        };
        let mut instance = prepared.unconfigured()?;
        let described = instance.describe()?;
        let schema = described.iter().find(|(key, _)| key == "settings");
        let schema = schema.map_or("{}", |(_, schema)| schema);
        prepared.settings = settings::to_json(schema, &spec.settings).map_err(wrong)?;
        match instance.configure(&prepared.settings) {
            Ok(()) => Ok(Plugin { prepared, instance }),
            Err(NoInstance::Fault(Fault {
                cause: Cause::Refused(words),
                ..
            })) => Err(wrong(SettingsError::Refused(words))),
            Err(none) => Err(none.named(name)),
        }
    }

    /// Name of the instance.
    pub fn name(&self) -> &str {
        &self.prepared.spec.name
    }
}

impl Prepared {
    /// What the operator says about it.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Which file it is.
    pub fn digest(&self) -> Digest {
        self.loaded.digest
    }

    /// A new instance, configured as the first one was. With a snapshot it knows what that one knew.
    pub fn instance(
        &self,
        snapshot: Option<&Snapshot>,
        clock: Moment,
    ) -> Result<Instance, StartError> {
        let mut instance = self.unconfigured()?;
        let configured = instance.configure(&self.settings);
        configured.map_err(|none| none.named(&self.spec.name))?;
        if let Some(snapshot) = snapshot {
            instance.restore(snapshot, clock)?;
        }
        Ok(instance)
    }

    /// Logs how many log lines were suppressed since the last one that was not.
    pub fn log_suppressed(&self) {
        let suppressed = self.log_lines.take_suppressed();
        if suppressed > 0 {
            logs::suppressed(&self.spec.name, suppressed);
        }
    }

    fn unconfigured(&self) -> Result<Instance, StartError> {
        Instance::new(&self.spec, &self.loaded, &self.log_lines)
            .map_err(|none| none.named(&self.spec.name))
    }
}

impl NoInstance {
    fn named(self, plugin: &str) -> StartError {
        match self {
            NoInstance::Load(error) => StartError::Load(plugin.to_owned(), error),
            NoInstance::Grant(error) => StartError::Grant(plugin.to_owned(), error),
            NoInstance::Fault(fault) => fault.into(),
        }
    }
}

/// Which file is there now, where there is one.
pub fn digest_now(spec: &Spec) -> Result<Digest, StartError> {
    let bytes = component::read(&spec.origin, spec.limits.file);
    bytes
        .map(|bytes| Digest::of(&bytes))
        .map_err(|error| StartError::Load(spec.name.clone(), error.into()))
}
