//! Entry points for fuzz/: the calls that a plugin makes to the host, without WebAssembly in between.

pub use wasmtime::Result as HostResult;

use super::runtime::bad_answer::BadAnswer;
pub use super::runtime::contract::Keep;
pub use super::runtime::contract::wit as host;
use super::runtime::limiters::LogBudget;
use super::runtime::outcome::Outcome;
use super::runtime::store::Call;
use super::runtime::store::CallContext;
use super::runtime::store::HostState;
use super::spec::grants::ResolvedGrants;
use super::spec::limits::Limits;
use crate::stream::batch::Batch;

/// A call into the plugin that has not returned yet.
pub struct Running(HostState);

impl Running {
    /// Begins a call of `process` with this batch.
    pub fn begin(batch: &mut Batch, limits: Limits) -> Running {
        let mut state = HostState::new(
            "fuzz",
            limits,
            ResolvedGrants::default(),
            LogBudget::new(limits.log),
        );
        state.call = Call::with_events(batch, CallContext::default());
        Running(state)
    }

    /// Returns the functions of the host that the plugin can call.
    pub fn host(&mut self) -> &mut impl host::Host {
        &mut self.0
    }

    /// Ends the call with the plugin's answer, or with `None` for a trap. Returns the checked outcome, or `None` after
    /// a trap.
    pub fn end(self, batch: &mut Batch, keep: Option<Keep>) -> Option<Result<Outcome, BadAnswer>> {
        let HostState { call, staged, .. } = self.0;
        batch.labels = call.labels;
        Some(Outcome::check(keep?, staged, call.count))
    }
}
