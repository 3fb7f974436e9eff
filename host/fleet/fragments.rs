//! Reads the items of frames, whatever head they have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use retrans_fleet::consume::Frame;
use retrans_fleet::head::HeadDigest;

use crate::capture::fragment::FragmentError;
use crate::capture::fragment::FragmentReader;
use crate::stream::batch::Item;

/// Heads that are kept at most. Hosts of one version have the same one.
const MAX_HEADS: usize = 64;

/// Reads frames, each by its head.
#[derive(Default)]
pub struct Fragments(HashMap<HeadDigest, FragmentReader>);

impl Fragments {
    /// The items of a frame.
    ///
    /// # Errors
    ///
    /// [`FragmentError`] if its head or its bytes cannot be read.
    pub fn read(&mut self, frame: &Frame) -> Result<Vec<Item>, FragmentError> {
        if self.0.len() >= MAX_HEADS {
            self.0.clear();
        }
        let reader = match self.0.entry(frame.head.digest()) {
            Entry::Occupied(reader) => reader.into_mut(),
            Entry::Vacant(place) => place.insert(FragmentReader::new(frame.head.bytes())?),
        };
        reader.read(&frame.payload)
    }
}
