//! What the operator says about one plugin.

pub mod digest;
pub mod grants;
pub mod limits;
pub mod origin;
pub mod settings;

use self::digest::Digest;
use self::grants::Grants;
use self::limits::Limits;
use self::origin::Origin;

/// One plugin of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Name of the instance: no two have the same.
    pub name: String,
    /// Where its component comes from.
    pub origin: Origin,
    /// The only file that may run, if one was named.
    pub digest: Option<Digest>,
    /// Keys and values, as they were written.
    pub settings: Vec<(String, String)>,
    /// What it may use.
    pub limits: Limits,
    /// What it may do.
    pub grants: Grants,
    /// What becomes of events that it fails on.
    pub on_fault: OnFault,
}

impl Spec {
    /// A plugin with nothing said about it but where it is.
    pub fn new(name: &str, origin: Origin) -> Spec {
        Spec {
            name: name.to_owned(),
            origin,
            digest: None,
            settings: Vec::new(),
            limits: Limits::default(),
            grants: Grants::default(),
            on_fault: OnFault::default(),
        }
    }
}

/// What becomes of events that a plugin fails on, or that come while it is in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFault {
    /// They go on to the next plugin, unseen by this one: an observer hides nothing.
    #[default]
    Pass,
    /// They do not go on, and are counted as lost.
    Drop,
    /// The host ends.
    Stop,
}
