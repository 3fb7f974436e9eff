//! How libbpf is used: what it says goes to the log, and the environment does not steer it.

use std::mem::size_of;

use libbpf_rs::PrintLevel;
use libbpf_rs::libbpf_sys::bpf_object_open_opts;

/// Sends what libbpf says to the log; from then on `LIBBPF_LOG_LEVEL` has no effect.
pub fn log() {
    libbpf_rs::set_print(Some((PrintLevel::Debug, |_level, message| {
        // The verifier's log is long: shown by -vv only.
        tracing::debug!(target: "libbpf", "{}", message.trim_end());
    })));
}

/// Options with which every BPF object is opened.
pub fn options() -> bpf_object_open_opts {
    bpf_object_open_opts {
        sz: size_of::<bpf_object_open_opts>() as u64,
        // Empty: no BPF token (6.9). By default `LIBBPF_BPF_TOKEN_PATH` names one, and a wrong path
        // there is an error.
        bpf_token_path: c"".as_ptr(),
        ..Default::default()
    }
}
