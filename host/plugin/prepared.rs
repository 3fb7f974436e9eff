//! A loaded version of a plugin, from which any number of instances are made.

use std::io;

use serde_json::Value;

use super::census_use::CensusUse;
use super::load;
use super::load::LoadError;
use super::load::Loaded;
use super::load::component;
use super::load::component::ReadError;
use super::load::engine::Engine;
use super::load::signature;
use super::runtime::fault::Cause;
use super::runtime::fault::Fault;
use super::runtime::files_read::FilesRead;
use super::runtime::instance::Instance;
use super::runtime::instance::InstanceError;
use super::runtime::instance::Snapshot;
use super::runtime::limiters::LogBudget;
use super::runtime::logs;
use super::spec::Spec;
use super::spec::digest::Digest;
use super::spec::grants::GrantError;
use super::spec::schema::Schema;
use super::spec::schema::SchemaError;
use super::spec::settings::SettingsError;
use crate::stream::moment::Moment;

/// Why a plugin could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The component cannot be used.
    #[error("plugin {0}: {1}")]
    Load(String, LoadError),
    /// A granted variable or directory does not exist.
    #[error("plugin {0}: {1}")]
    Grant(String, GrantError),
    /// The settings do not match the schema, or the plugin refused them.
    #[error("plugin {0}: {1}")]
    Settings(String, SettingsError),
    /// A call failed while the plugin was instantiated, described or configured.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl StartError {
    /// Returns whether the cause is that the plugin's file does not exist.
    pub fn is_not_found(&self) -> bool {
        let StartError::Load(_, LoadError::Read(ReadError::Io { error, .. })) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::NotFound
    }

    /// Returns the name of the limit that was exceeded, if that is the cause.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            StartError::Load(_, error) => error.limit(),
            StartError::Fault(fault) => fault.limit(),
            StartError::Grant(..) | StartError::Settings(..) => None,
        }
    }
}

/// A loaded version of a plugin, from which instances are made. Copies share the limit on log lines.
#[derive(Clone)]
pub struct Prepared {
    spec: Spec,
    loaded: Loaded,
    /// The settings, as a JSON object.
    settings: String,
    /// Whether its lines have colours.
    is_coloured: bool,
    log_lines: LogBudget,
    /// Whether a live run makes a census for it.
    asks_for_census: bool,
}

/// A loaded version of a plugin, and its running instance.
pub struct Plugin {
    /// The loaded version.
    pub prepared: Prepared,
    /// The running instance.
    pub instance: Instance,
}

impl Plugin {
    /// Loads the component, makes an instance, reads its settings schema from `describe`, and configures it.
    pub fn start(engine: &Engine, spec: &Spec) -> Result<Plugin, StartError> {
        Plugin::start_noting(engine, spec, &mut FilesRead::default())
    }

    /// The same. `read` becomes what the plugin has read of its granted files, also if it could not be configured.
    pub fn start_noting(
        engine: &Engine,
        spec: &Spec,
        read: &mut FilesRead,
    ) -> Result<Plugin, StartError> {
        let name = &spec.name;
        let load_error = |error| StartError::Load(name.clone(), error);
        let settings_error = |error| StartError::Settings(name.clone(), error);
        let loaded = load::load(engine, spec);
        let mut prepared = Prepared {
            spec: spec.clone(),
            loaded: loaded.map_err(load_error)?,
            settings: String::new(),
            is_coloured: false,
            log_lines: LogBudget::new(spec.limits.log),
            asks_for_census: false,
        };
        let mut instance = prepared.new_unconfigured(&prepared.log_lines)?;
        let described = instance.describe()?;
        let census = CensusUse::of(&prepared.loaded, &described);
        prepared.asks_for_census = census == CensusUse::Required;
        let schema = schema(&described).map_err(|error| settings_error(error.into()))?;
        let settings = spec.settings.in_force(&schema);
        let settings = settings.map_err(|error| settings_error(error.into()))?;
        prepared.is_coloured = settings.get("color") == Some(&Value::Bool(true));
        prepared.settings = Value::Object(settings).to_string();
        let configured = prepared.configure(&mut instance);
        read.clone_from(instance.files_read());
        match configured {
            Ok(()) => Ok(Plugin { prepared, instance }),
            Err(InstanceError::Fault(Fault {
                cause: Cause::PluginError(message),
                ..
            })) => Err(settings_error(SettingsError::Refused(message))),
            Err(error) => Err(error.named(name)),
        }
    }

    /// Logs which granted files the plugin has read while it was configured, if any, and what was not granted.
    pub fn log_files(&self) {
        let (name, read) = (self.name(), self.instance.files_read());
        let files = read.to_string();
        if !files.is_empty() {
            tracing::info!("plugin {name} has read {files}");
        }
        if let Some(not_granted) = read.not_granted(&self.prepared.settings) {
            tracing::info!("plugin {name} tried to open a file: {not_granted}");
        }
    }

    /// Returns the name of the instance.
    pub fn name(&self) -> &str {
        &self.prepared.spec.name
    }
}

impl Prepared {
    /// Returns the operator's specification of the plugin.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the digest of the plugin's file.
    pub fn digest(&self) -> Digest {
        self.loaded.digest
    }

    /// Returns the settings, as a JSON object.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Names the file by its digest, and the signature that fits it, if one was needed.
    pub fn identity(&self) -> String {
        let digest = format!("sha256={}", self.loaded.digest);
        match &self.loaded.signed {
            Some(signed) => format!("{digest}, signed with {signed}"),
            None => digest,
        }
    }

    /// Returns whether a live run makes a census for the plugin.
    pub fn asks_for_census(&self) -> bool {
        self.asks_for_census
    }

    /// Returns whether the plugin was told to use colours: its setting `color` is true.
    pub fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Makes another instance and configures it as the first one. If there is a snapshot, restores it. `clock` is the
    /// time that the plugin's clocks show during the restore.
    pub fn instance(
        &self,
        snapshot: Option<&Snapshot>,
        clock: Moment,
    ) -> Result<Instance, StartError> {
        self.instance_that_logs_to(&self.log_lines, snapshot, clock)
    }

    /// The same, and nothing that the instance logs is written.
    pub fn silent_instance(
        &self,
        snapshot: Option<&Snapshot>,
        clock: Moment,
    ) -> Result<Instance, StartError> {
        self.instance_that_logs_to(&LogBudget::new(0), snapshot, clock)
    }

    fn instance_that_logs_to(
        &self,
        log_lines: &LogBudget,
        snapshot: Option<&Snapshot>,
        clock: Moment,
    ) -> Result<Instance, StartError> {
        let mut instance = self.new_unconfigured(log_lines)?;
        let configured = self.configure(&mut instance);
        configured.map_err(|error| error.named(&self.spec.name))?;
        if let Some(snapshot) = snapshot {
            instance.restore(snapshot, clock)?;
        }
        Ok(instance)
    }

    /// Logs how many log lines were suppressed since the last line that was logged.
    pub fn log_suppressed(&self) {
        let suppressed = self.log_lines.take_suppressed();
        if suppressed > 0 {
            logs::log_suppressed(&self.spec.name, suppressed);
        }
    }

    /// Configures an instance. An error names the paths that the plugin tried to open without a grant.
    fn configure(&self, instance: &mut Instance) -> Result<(), InstanceError> {
        instance.configure(&self.settings).map_err(|error| {
            let not_granted = instance.files_read().not_granted(&self.settings);
            match (error, not_granted) {
                (InstanceError::Fault(mut fault), Some(not_granted)) => {
                    if let Cause::PluginError(message) | Cause::Trap(message) = &mut fault.cause {
                        message.push_str("; ");
                        message.push_str(&not_granted);
                    }
                    InstanceError::Fault(fault)
                }
                (error, _) => error,
            }
        })
    }

    fn new_unconfigured(&self, log_lines: &LogBudget) -> Result<Instance, StartError> {
        Instance::new(&self.spec, &self.loaded, log_lines)
            .map_err(|error| error.named(&self.spec.name))
    }
}

impl InstanceError {
    pub(super) fn named(self, plugin: &str) -> StartError {
        match self {
            InstanceError::Load(error) => StartError::Load(plugin.to_owned(), error),
            InstanceError::Grant(error) => StartError::Grant(plugin.to_owned(), error),
            InstanceError::Fault(fault) => fault.into(),
        }
    }
}

/// The settings schema in a plugin's description of itself.
pub(super) fn schema(described: &[(String, String)]) -> Result<Schema, SchemaError> {
    let schema = described.iter().find(|(key, _)| key == "settings");
    match schema.map_or("", |(_, schema)| schema.as_str()) {
        "" => Ok(Schema::any()),
        schema => Schema::parse(schema),
    }
}

/// What the files of a plugin are at a moment: a version that cannot be used may be of use once one of them changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDisk {
    /// Digest of the plugin's file.
    pub code: Digest,
    /// Digest of its signature; `None`: it needs none, or there is none.
    pub signature: Option<Digest>,
}

impl OnDisk {
    /// Reads the plugin's files.
    ///
    /// # Errors
    ///
    /// If the plugin itself cannot be read.
    pub fn of(spec: &Spec) -> Result<OnDisk, StartError> {
        let bytes = component::read(&spec.origin, spec.limits.file);
        let bytes = bytes.map_err(|error| StartError::Load(spec.name.clone(), error.into()))?;
        Ok(OnDisk {
            code: Digest::of(&bytes),
            signature: signature::digest(spec),
        })
    }
}
