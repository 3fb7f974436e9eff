//! Starts any bytes as the file of a plugin. The plugin starts, or a clear error states why it does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retrans_fuzz::MemoryFile;
use retrans_fuzz::assert_clear;
use retrans_fuzz::engine;
use retrans_host::plugin::Plugin;

fuzz_target!(|bytes: &[u8]| {
    let file = MemoryFile::new(bytes);
    if let Err(error) = Plugin::start(engine(), &file.plugin()) {
        assert_clear(&error);
    }
});
