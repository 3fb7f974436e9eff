//! Keeps every event: the cost of the contract and of the SDK, which `retrans-host plugin bench` measures beside a
//! plugin.

use retrans_plugin_sdk::prelude::*;

struct PassThrough;

impl Plugin for PassThrough {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(PassThrough)
    }

    fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }
}

export_plugin!(PassThrough);
