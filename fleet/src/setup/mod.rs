//! Sets the broker up: streams, buckets, settings of the fleet, and the configuration of the server.

mod configuration;
mod init;
mod settings;
mod shape;

pub use configuration::Secret;
pub use configuration::ServerOptions;
pub use configuration::server_configuration;
pub use init::InitError;
pub use init::InitReport;
pub use init::State;
pub use init::init;
pub use settings::Settings;
pub use settings::SettingsError;
pub use settings::read_settings;
pub use shape::InitOptions;
