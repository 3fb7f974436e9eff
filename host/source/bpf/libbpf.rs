//! Set-up of libbpf: its messages go to the log, and environment variables have no effect on it.

use std::mem::size_of;

use libbpf_rs::PrintLevel;
use libbpf_rs::libbpf_sys::bpf_object_open_opts;

/// Sends the messages of libbpf to the log. After this call `LIBBPF_LOG_LEVEL` has no effect.
pub fn log() {
    libbpf_rs::set_print(Some((PrintLevel::Debug, |_level, message| {
        // The verifier's log is long, so it is shown with -vv only.
        tracing::debug!(target: "libbpf", "{}", message.trim_end());
    })));
}

/// The options with which every BPF object is opened.
pub fn options() -> bpf_object_open_opts {
    bpf_object_open_opts {
        sz: size_of::<bpf_object_open_opts>() as u64,
        // An empty path disables BPF tokens (6.9). By default libbpf reads the path from
        // `LIBBPF_BPF_TOKEN_PATH`, where a wrong path is an error.
        bpf_token_path: c"".as_ptr(),
        ..Default::default()
    }
}
