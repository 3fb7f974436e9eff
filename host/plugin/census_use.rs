//! Whether a plugin takes a census.

use serde::Serialize;

use super::load::Loaded;

/// Whether a plugin takes a census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CensusUse {
    /// It takes none.
    None,
    /// It takes one that is made anyway.
    Optional,
    /// A live run makes one for it.
    Required,
}

impl CensusUse {
    /// The use that a plugin makes, by its imports and its description of itself.
    pub(super) fn of(loaded: &Loaded, described: &[(String, String)]) -> CensusUse {
        let is_optional = |(key, value): &(String, String)| key == "census" && value == "optional";
        match loaded.imports_census {
            false => CensusUse::None,
            true if described.iter().any(is_optional) => CensusUse::Optional,
            true => CensusUse::Required,
        }
    }
}
