//! What is asked of a registry, in which order, and what is checked.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::StatusCode;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::address::Address;
use super::artifact;
use super::artifact::Artifact;
use super::artifact::Layer;
use super::artifact::Plugin;
use super::digest::Digest;
use super::error::RegistryError;
use super::requests::Answer;
use super::requests::Ask;
use super::requests::Requests;

/// Time for a request. 64 MiB take it at 1 Mbit/s.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Maximum size of a manifest in bytes: that of most registries.
const MAX_MANIFEST: u64 = 4 << 20;

/// Maximum size in bytes of an answer that has nothing to say.
const MAX_EMPTY: u64 = 64 << 10;

/// The media type of anything.
const ANYTHING: &str = "application/octet-stream";

/// How large what is got may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The component.
    pub wasm: u64,
    /// The signature.
    pub signature: u64,
}

/// A plugin that came from a registry.
#[derive(Debug)]
pub struct Pulled {
    /// SHA-256 of its manifest.
    pub manifest: Digest,
    /// The component.
    pub wasm: Vec<u8>,
    /// The signature, if there is one.
    pub signature: Option<Vec<u8>>,
}

/// A registry, for one plugin.
#[derive(Debug, Clone)]
pub struct Registry<'a> {
    /// Where the plugin is, or will be.
    pub address: &'a Address,
    /// Whether requests are made without TLS. A password is sent to this machine alone then.
    pub plain_http: bool,
}

impl Registry<'_> {
    /// Gets the plugin. `progress` is told how many bytes of the component have come, and how many there are.
    ///
    /// # Errors
    ///
    /// If the registry cannot be reached, does not have the plugin, or sends something that does not have the digest that
    /// was asked for.
    pub fn pull(
        &self,
        limits: Limits,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Pulled, RegistryError> {
        let mut talk = self.talk("pull")?;
        let what = self.address.to_string();
        let manifest = Ask {
            accept: Some(artifact::MANIFEST),
            max_size: MAX_MANIFEST,
            ..self.get(&format!("manifests/{}", self.address.version()), &what)
        };
        let manifest = talk.send(&manifest, &mut |_| {})?.body;
        let digest = Digest::of(&manifest);
        check(&what, self.address.digest().unwrap_or(&digest), &manifest)?;
        let layers = artifact::layers(&manifest);
        let layers = layers.map_err(|cause| RegistryError::NotAPlugin(what, cause))?;
        let size = layers.wasm.size;
        within("the plugin", size, limits.wasm)?;
        if let Some(signature) = &layers.signature {
            within("the signature", signature.size, limits.signature)?;
        }
        let mut progress = |bytes| progress(bytes, size);
        let wasm = self.layer(&mut talk, "the plugin", &layers.wasm, &mut progress)?;
        let signature = layers.signature;
        let signature = signature
            .map(|layer| self.layer(&mut talk, "the signature", &layer, &mut |_| {}))
            .transpose()?;
        Ok(Pulled {
            manifest: digest,
            wasm,
            signature,
        })
    }

    /// Gets a layer, which has its digest.
    fn layer(
        &self,
        talk: &mut Talk,
        what: &str,
        layer: &Layer,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, RegistryError> {
        let ask = Ask {
            max_size: layer.size,
            ..self.get(&format!("blobs/{}", layer.digest), what)
        };
        let bytes = talk.send(&ask, progress)?.body;
        check(what, &layer.digest, &bytes)?;
        Ok(bytes)
    }

    /// Puts a plugin there, with the manifest at last. Returns the digest of the manifest.
    ///
    /// # Errors
    ///
    /// If the registry cannot be reached, or does not take it.
    pub fn push(&self, plugin: &Plugin) -> Result<Digest, RegistryError> {
        let mut talk = self.talk("pull,push")?;
        let what = self.address.to_string();
        let artifact = Artifact::of(plugin);
        let unfit = |why| RegistryError::NoRegistry(self.address.registry().to_owned(), why);
        for blob in artifact.blobs {
            let begin = Ask {
                method: Method::POST,
                ..self.get("blobs/uploads/", &what)
            };
            let answer = talk.send(&begin, &mut |_| {})?;
            let to = answer
                .location
                .filter(|_| answer.status == StatusCode::ACCEPTED)
                .ok_or_else(|| unfit("an upload that begins without a place"))?;
            let separator = if to.contains('?') { '&' } else { '?' };
            let put = Ask {
                method: Method::PUT,
                target: format!("{to}{separator}digest={}", Digest::of(&blob)),
                body: Some((ANYTHING, Bytes::from(blob))),
                ..begin
            };
            talk.send(&put, &mut |_| {})?;
        }
        let digest = Digest::of(&artifact.manifest);
        let put = Ask {
            method: Method::PUT,
            body: Some((artifact::MANIFEST, Bytes::from(artifact.manifest))),
            ..self.get(&format!("manifests/{}", self.address.version()), &what)
        };
        talk.send(&put, &mut |_| {})?;
        Ok(digest)
    }

    /// A request for something of the plugin.
    fn get(&self, path: &str, what: &str) -> Ask {
        Ask {
            method: Method::GET,
            target: format!("/v2/{}/{path}", self.address.name()),
            what: what.to_owned(),
            accept: None,
            body: None,
            max_size: MAX_EMPTY,
        }
    }

    fn talk(&self, actions: &str) -> Result<Talk, RegistryError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Talk {
            runtime: runtime.map_err(|error| RegistryError::Setup(error.to_string()))?,
            requests: Requests::new(self.address, self.plain_http, actions)?,
        })
    }
}

/// Requests, one after the other, that the thread of the caller waits for.
struct Talk {
    runtime: Runtime,
    requests: Requests,
}

impl Talk {
    fn send(&mut self, ask: &Ask, progress: &mut dyn FnMut(u64)) -> Result<Answer, RegistryError> {
        let requests = &mut self.requests;
        let answer = async { timeout(TIMEOUT, requests.send(ask, progress)).await };
        let slow = |_| RegistryError::Slow("the registry".to_owned(), TIMEOUT.as_secs());
        self.runtime.block_on(answer).map_err(slow)?
    }
}

fn within(what: &'static str, size: u64, max: u64) -> Result<(), RegistryError> {
    match size <= max {
        true => Ok(()),
        false => Err(RegistryError::TooLarge { what, size, max }),
    }
}

fn check(what: &str, expected: &Digest, bytes: &[u8]) -> Result<(), RegistryError> {
    let found = Digest::of(bytes);
    match found == *expected {
        true => Ok(()),
        false => Err(RegistryError::OtherBytes {
            what: what.to_owned(),
            found,
            expected: expected.clone(),
        }),
    }
}
