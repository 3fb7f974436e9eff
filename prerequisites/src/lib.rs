//! Empty: what this crate is for happens in its build script.
//!
//! libbpf's own build would stop at the first missing header, with a page of compiler output. This
//! crate has no dependencies, so that cargo runs it among the first.
