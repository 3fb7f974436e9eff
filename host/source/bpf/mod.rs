//! The BPF objects and their types, which build.rs generates from `bpf/`.

pub mod iterator;
pub mod kernel_error;
pub mod libbpf;
pub mod permissions;
pub mod recursion;

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
pub mod retrans {
    include!(concat!(env!("OUT_DIR"), "/retrans.skel.rs"));
}

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
pub mod holders {
    include!(concat!(env!("OUT_DIR"), "/holders.skel.rs"));
}

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
pub mod namespaces {
    include!(concat!(env!("OUT_DIR"), "/namespaces.skel.rs"));
}

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
pub mod census {
    include!(concat!(env!("OUT_DIR"), "/census.skel.rs"));
}
