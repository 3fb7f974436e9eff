//! What watches a stream before the chain sees it, such as the recorder. A live source and a replay drive the same
//! list of observers.

use crate::stats::Stats;
use crate::stream::batch::Item;

/// Sees each item of a stream, in order, before it is sent to the chain.
///
/// It is called in the source's thread: while it is busy, the kernel's ring fills.
pub trait Observer {
    /// An item. The last one is the stream's end.
    fn item(&mut self, item: &Item);

    /// Has it failed for good, and is it what the run is for? The source then ends.
    fn is_over(&self) -> bool {
        false
    }

    /// The stream has ended: whatever is pending is completed.
    fn finish(&mut self);

    /// Puts its statistics where they belong.
    fn report(&self, stats: &mut Stats);
}
