//! What a plugin is in a registry: an artifact as the CNCF lays it out for WebAssembly, with the signature as a second
//! layer.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::digest::Digest;
use crate::text::quoted;

/// The media type of the manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of the configuration.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// The media type of the layer that is a component.
const WASM: &str = "application/wasm";

/// The media type of the layer that is a signature of minisign.
const SIGNATURE: &str = "application/vnd.retrans-host.minisig";

/// The annotation of a layer that names a file: `oras pull` writes it.
const TITLE: &str = "org.opencontainers.image.title";

/// The annotations of a manifest that say which version it has, and what it is.
const VERSION: &str = "org.opencontainers.image.version";
const DESCRIPTION: &str = "org.opencontainers.image.description";

/// A plugin that is put into a registry.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Name of its file.
    pub file_name: String,
    /// The component.
    pub wasm: Vec<u8>,
    /// The signature, if there is one.
    pub signature: Option<Vec<u8>>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// Its version. Empty: it says none.
    pub version: String,
    /// One line about what it does. Empty: it says none.
    pub summary: String,
    /// Full names of the interfaces that it exports.
    pub exports: Vec<String>,
    /// Full names of the interfaces that it imports.
    pub imports: Vec<String>,
}

/// Why an artifact is no plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPlugin {
    /// It has another form, such as that of an image for several platforms.
    #[error("expected the manifest of an artifact, with a component as its layer")]
    NoManifest,
    /// It has no component.
    #[error("it has no layer of the type {WASM}, but {}", quoted(.0))]
    NoComponent(String),
    /// It has several layers of a type.
    #[error("it has several layers of the type {0}, expected one")]
    Several(&'static str),
    /// A layer has a digest that is no SHA-256.
    #[error("a layer has the digest {:?}, expected a SHA-256", quoted(.0))]
    Digest(String),
}

/// What is read of a manifest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    layers: Vec<Descriptor>,
}

/// What is read of a layer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// A layer of a manifest. Other places at which it may be are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    /// Number of its bytes.
    pub(super) size: u64,
}

/// The layers of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) wasm: Layer,
    pub(super) signature: Option<Layer>,
}

/// Reads a manifest. The configuration, which says nothing that the component does not say, is not read.
pub(super) fn layers(manifest: &[u8]) -> Result<Layers, NotAPlugin> {
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|_| NotAPlugin::NoManifest)?;
    let only = |wanted: &'static str| {
        let layers = manifest.layers.iter();
        let layers: Vec<_> = layers.filter(|layer| layer.media_type == wanted).collect();
        match layers[..] {
            [] => Ok(None),
            [layer] => Layer::of(layer).map(Some),
            _ => Err(NotAPlugin::Several(wanted)),
        }
    };
    let wasm = only(WASM)?.ok_or_else(|| {
        let types = manifest.layers.iter();
        let types: Vec<_> = types.map(|layer| layer.media_type.as_str()).collect();
        NotAPlugin::NoComponent(match types.is_empty() {
            true => "none at all".to_owned(),
            false => types.join(", "),
        })
    })?;
    Ok(Layers {
        wasm,
        signature: only(SIGNATURE)?,
    })
}

impl Layer {
    fn of(descriptor: &Descriptor) -> Result<Layer, NotAPlugin> {
        let digest = Digest::parse(&descriptor.digest);
        Ok(Layer {
            digest: digest.ok_or_else(|| NotAPlugin::Digest(descriptor.digest.clone()))?,
            size: descriptor.size,
        })
    }
}

/// What is put into a registry for a plugin.
pub(super) struct Artifact {
    /// Layers and configuration.
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) manifest: Vec<u8>,
}

impl Artifact {
    /// The artifact of a plugin. The same plugin makes the same one.
    pub(super) fn of(plugin: &Plugin) -> Artifact {
        let name = &plugin.file_name;
        let mut blobs = vec![plugin.wasm.clone()];
        let mut layers = vec![layer(WASM, &plugin.wasm, name)];
        if let Some(signature) = &plugin.signature {
            blobs.push(signature.clone());
            layers.push(layer(SIGNATURE, signature, &format!("{name}.minisig")));
        }
        let digests = blobs.iter().map(|blob| Digest::of(blob).to_string());
        let config = json!({
            "created": plugin.created,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": digests.collect::<Vec<_>>(),
            "component": {"exports": plugin.exports, "imports": plugin.imports},
        });
        let config = config.to_string().into_bytes();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": layers,
        });
        let texts = [(VERSION, &plugin.version), (DESCRIPTION, &plugin.summary)];
        for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            manifest["annotations"][key] = text.as_str().into();
        }
        blobs.push(config);
        Artifact {
            blobs,
            manifest: manifest.to_string().into_bytes(),
        }
    }
}

fn layer(media_type: &str, bytes: &[u8], title: &str) -> Value {
    let mut layer = descriptor(media_type, bytes);
    layer["annotations"] = json!({TITLE: title});
    layer
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(bytes).to_string(),
        "size": bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(signature: Option<&[u8]>) -> Plugin {
        Plugin {
            file_name: "peers.wasm".to_owned(),
            wasm: b"\0asm".to_vec(),
            signature: signature.map(<[u8]>::to_vec),
            created: "2026-01-01T00:00:00Z".to_owned(),
            version: "1.2".to_owned(),
            summary: String::new(),
            exports: vec!["a:b/c@1.0.0".to_owned()],
            imports: Vec::new(),
        }
    }

    #[test]
    fn a_plugin_is_read_back_from_its_manifest() {
        for signature in [None, Some(&b"signature"[..])] {
            let artifact = Artifact::of(&plugin(signature));
            let layers = layers(&artifact.manifest).expect("a plugin");
            assert_eq!(layers.wasm.digest, Digest::of(b"\0asm"));
            assert_eq!(layers.wasm.size, 4);
            let found = layers.signature.map(|layer| layer.digest);
            assert_eq!(found, signature.map(Digest::of));
            // Each layer and the configuration are there to be put, in this order.
            assert_eq!(artifact.blobs.len(), 2 + usize::from(signature.is_some()));
        }
    }

    #[test]
    fn manifest_and_configuration_are_as_the_cncf_lays_them_out() {
        let artifact = Artifact::of(&plugin(Some(b"signature")));
        let manifest: Value = serde_json::from_slice(&artifact.manifest).expect("JSON");
        let config = &artifact.blobs[2];
        let digest = |bytes: &[u8]| Digest::of(bytes).to_string();
        let expected = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.wasm.config.v0+json",
                "digest": digest(config),
                "size": config.len(),
            },
            "layers": [
                {
                    "mediaType": "application/wasm",
                    "digest": digest(b"\0asm"),
                    "size": 4,
                    "annotations": {"org.opencontainers.image.title": "peers.wasm"},
                },
                {
                    "mediaType": "application/vnd.retrans-host.minisig",
                    "digest": digest(b"signature"),
                    "size": 9,
                    "annotations": {"org.opencontainers.image.title": "peers.wasm.minisig"},
                },
            ],
            "annotations": {"org.opencontainers.image.version": "1.2"},
        });
        assert_eq!(manifest, expected);
        let config: Value = serde_json::from_slice(config).expect("JSON");
        let expected = json!({
            "created": "2026-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [digest(b"\0asm"), digest(b"signature")],
            "component": {"exports": ["a:b/c@1.0.0"], "imports": []},
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_no_plugin_is_refused_with_the_reason() {
        let good = Artifact::of(&plugin(Some(b"signature"))).manifest;
        let good = String::from_utf8(good).expect("JSON");
        let no_manifest = "expected the manifest of an artifact";
        for (text, reason) in [
            ("", no_manifest),
            ("{}", no_manifest),
            (r#"{"schemaVersion":2,"manifests":[]}"#, no_manifest),
            (&good.replace(r#""size":4"#, r#""size":-4"#), no_manifest),
            (
                &good.replace(WASM, "application/vnd.oci.image.layer.v1.tar+gzip"),
                "no layer of the type application/wasm, but application/vnd.oci.image.layer.v1.tar+gzip, ",
            ),
            (
                &good.replace(SIGNATURE, WASM),
                "several layers of the type application/wasm",
            ),
            (
                &good.replace("sha256:", "sha512:"),
                "has the digest \"sha512:",
            ),
        ] {
            let error = layers(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
