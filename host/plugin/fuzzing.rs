//! For fuzz/: what a plugin says in a call, without WebAssembly in between.

pub use wasmtime::Result as Heard;

use super::runtime::bad_answer::BadAnswer;
pub use super::runtime::contract::Keep;
pub use super::runtime::contract::wit as host;
use super::runtime::instance::Outcome;
use super::runtime::meter::LogBudget;
use super::runtime::store::Call;
use super::runtime::store::Earlier;
use super::runtime::store::HostState;
use super::spec::grants::Granted;
use super::spec::limits::Limits;
use crate::stream::batch::Batch;

/// A call that has not returned yet.
pub struct Running(HostState);

impl Running {
    /// Hands a batch over.
    pub fn begin(batch: &mut Batch, limits: Limits) -> Running {
        let mut state = HostState::new(
            "fuzz",
            limits,
            Granted::default(),
            LogBudget::new(limits.log),
        );
        state.call = Call::about(batch, Earlier::default());
        Running(state)
    }

    /// What the plugin can call.
    pub fn host(&mut self) -> &mut impl host::Host {
        &mut self.0
    }

    /// The call is over; `None`: it trapped.
    pub fn end(self, batch: &mut Batch, keep: Option<Keep>) -> Option<Result<Outcome, BadAnswer>> {
        let HostState { call, staged, .. } = self.0;
        batch.labels = call.labels;
        Some(Outcome::check(keep?, staged, call.count))
    }
}
