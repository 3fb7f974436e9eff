//! Observers of a stream, such as the recorder. They see each item before the chain does. A
//! live source and a replay drive the same list of observers.

use crate::stats::Stats;
use crate::stream::batch::Item;

/// Receives each item of a stream, in order, before it is sent to the chain.
///
/// It is called in the source's thread. While it blocks, the kernel's ring buffer fills.
pub trait Observer {
    /// Receives an item. The last item is the end of the stream.
    fn item(&mut self, item: &Item);

    /// Returns whether the run must end: the observer has failed permanently, and its output is the purpose of the run.
    fn must_end_run(&self) -> bool {
        false
    }

    /// Completes pending work. Called once, after the end of the stream.
    fn finish(&mut self);

    /// Writes the observer's statistics into its part of `stats`.
    fn report(&self, stats: &mut Stats);
}
