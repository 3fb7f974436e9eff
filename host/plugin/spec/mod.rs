//! The specification of one plugin, as the operator gives it.

pub mod digest;
pub mod grants;
pub mod limits;
pub mod origin;
pub mod schema;
pub mod settings;
pub mod verify_key;

use std::fmt;

use self::digest::Digest;
use self::grants::Grants;
use self::limits::Limits;
use self::origin::Origin;
use self::settings::Settings;
use self::verify_key::VerifyKey;

/// The specification of one plugin of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Name of the instance, unique in the chain.
    pub name: String,
    /// Where its component comes from.
    pub origin: Origin,
    /// Digest of the only file that may run. `None`: any file may.
    pub digest: Option<Digest>,
    /// Keys of which one must have signed the file; a bundled plugin needs no signature. Empty: neither does a file.
    pub keys: Vec<VerifyKey>,
    /// The settings, as the operator gives them.
    pub settings: Settings,
    /// Limits of the resources that the plugin may use.
    pub limits: Limits,
    /// What the plugin is granted.
    pub grants: Grants,
    /// Action for events on which the plugin fails.
    pub on_fault: OnFault,
}

impl Spec {
    /// Returns a specification with this name and origin, and defaults for everything else.
    pub fn new(name: &str, origin: Origin) -> Spec {
        Spec {
            name: name.to_owned(),
            origin,
            digest: None,
            keys: Vec::new(),
            settings: Settings::default(),
            limits: Limits::default(),
            grants: Grants::default(),
            on_fault: OnFault::default(),
        }
    }
}

/// Action for events on which a plugin fails, and for events that arrive while it is in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFault {
    /// The events go on to the next plugin, unseen by this one. This is the default, because a plugin that only
    /// observes must not hide events when it fails.
    #[default]
    Pass,
    /// The events do not go on, and are counted as lost.
    Drop,
    /// The host ends.
    Stop,
}

/// The word of the command line.
impl fmt::Display for OnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            OnFault::Pass => "pass",
            OnFault::Drop => "drop",
            OnFault::Stop => "stop",
        })
    }
}
