//! Any bytes as a plugin's file: it is started, or a clear error says why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrans_fuzz::Memory;
use retrans_fuzz::assert_clear;
use retrans_fuzz::engine;
use retrans_host::plugin::Plugin;

fuzz_target!(|bytes: &[u8]| {
    let file = Memory::new(bytes);
    if let Err(error) = Plugin::start(engine(), &file.plugin()) {
        assert_clear(&error);
    }
});
