//! Settings: reads them from JSON, with errors that name the key, and describes them as a JSON schema.

use anyhow::anyhow;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::result::Result;

/// The settings of a plugin without settings: every key is an error.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads settings from a JSON object.
pub(crate) fn parse<S: DeserializeOwned>(json: &str) -> Result<S> {
    // By way of a `Value`: line and column in an error would refer to a text that the user never sees.
    let value: serde_json::Value = serde_json::from_str(json)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let error = error.into_inner();
        // An error about the whole object has no key, and one about an unknown key names it already.
        let named = key == "." || error.to_string().contains(&format!("`{key}`"));
        match named {
            true => anyhow!("{error}"),
            false => anyhow!("{key}: {error}"),
        }
    })
}

/// The JSON schema of settings, which the host enforces. All definitions are inline, so that readers need not follow
/// references.
pub(crate) fn schema<S: JsonSchema>() -> Schema {
    let settings = SchemaSettings::default()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(add_bounds));
    settings.into_generator().into_root_schema_for::<S>()
}

/// Adds the bounds of an integer's type, which schemars names, and for most types does not write.
fn add_bounds(schema: &mut Schema) {
    let format = schema.get("format").and_then(serde_json::Value::as_str);
    let (low, high): (i64, u64) = match format {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64") => (0, u64::MAX),
        Some("uint") => (0, usize::MAX as u64),
        Some("int8") => (i8::MIN.into(), i8::MAX as u64),
        Some("int16") => (i16::MIN.into(), i16::MAX as u64),
        Some("int32") => (i32::MIN.into(), i32::MAX as u64),
        Some("int64") => (i64::MIN, i64::MAX as u64),
        Some("int") => (isize::MIN as i64, isize::MAX as u64),
        _ => return,
    };
    if schema.get("minimum").is_none() && schema.get("exclusiveMinimum").is_none() {
        schema.insert("minimum".to_owned(), low.into());
    }
    if schema.get("maximum").is_none() && schema.get("exclusiveMaximum").is_none() {
        schema.insert("maximum".to_owned(), high.into());
    }
}

/// Declares a plugin's settings, each with its default. Requires the whole [`prelude`](crate::prelude) in
/// scope.
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// settings! {
///     /// What counts as a burst.
///     struct Settings {
///         /// Retransmits within the window.
///         threshold: u64 = 10,
///         /// Length of the window.
///         #[serde(with = "duration")]
///         window: Duration = Duration::from_secs(10),
///         /// What to count by.
///         by: By = By::Peer,
///     }
///
///     /// What to count by.
///     enum By {
///         /// Address of the peer.
///         Peer,
///         /// Port of the peer.
///         PeerPort,
///     }
/// }
/// # assert_eq!(Settings::default().threshold, 10);
/// # assert_eq!(Settings::default().window, Duration::from_secs(10));
/// # assert!(matches!(Settings::default().by, By::Peer));
/// # let _ = By::PeerPort;
/// ```
///
/// A struct gets [`serde::Deserialize`], [`schemars::JsonSchema`] and [`Default`]; unknown keys are
/// errors. An enum is one of several words, here `peer` and `peer_port`. Doc comments become descriptions in
/// the schema that the host shows to users. Attributes of serde and schemars may be added.
///
/// For settings without a default, derive `Deserialize` and `JsonSchema` instead:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(crate = "retrans_plugin_sdk::serde", deny_unknown_fields)]
/// #[schemars(crate = "retrans_plugin_sdk::schemars")]
/// struct Settings {
///     /// The network.
///     network: IpAddr,
/// }
/// # fn network(settings: Settings) -> IpAddr { settings.network }
/// # let _ = network;
/// ```
#[macro_export]
macro_rules! settings {
    () => {};
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$field_attribute:meta])*
                $field_visibility:vis $field:ident: $type:ty = $default:expr
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            $crate::serde::Deserialize,
            $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "retrans_plugin_sdk::serde", deny_unknown_fields, default)]
        #[schemars(crate = "retrans_plugin_sdk::schemars")]
        $visibility struct $name {
            $(
                $(#[$field_attribute])*
                $field_visibility $field: $type,
            )*
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        $crate::settings! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $(
                $(#[$variant_attribute:meta])*
                $variant:ident
            ),+ $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
            $crate::serde::Serialize,
            $crate::serde::Deserialize,
            $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "retrans_plugin_sdk::serde", rename_all = "snake_case")]
        #[schemars(crate = "retrans_plugin_sdk::schemars")]
        $visibility enum $name {
            $(
                $(#[$variant_attribute])*
                $variant,
            )+
        }

        $crate::settings! { $($rest)* }
    };
}
