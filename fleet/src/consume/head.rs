//! A head whose content has been checked against its digest.

use crate::head::HeadDigest;

/// A head whose content has been checked against its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    digest: HeadDigest,
    bytes: Vec<u8>,
}

impl Head {
    /// The head of these bytes.
    pub fn new(bytes: Vec<u8>) -> Head {
        Head {
            digest: HeadDigest::of(&bytes),
            bytes,
        }
    }

    /// Its digest.
    pub fn digest(&self) -> HeadDigest {
        self.digest
    }

    /// Its content, as the agent wrote it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
