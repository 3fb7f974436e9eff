//! The two ways to attach the probe.

/// How the probe is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attach {
    /// BTF-typed, or else the classic tracepoint.
    Auto,
    /// The BTF-typed tracepoint: direct loads, no tracefs needed.
    Btf,
    /// The classic tracepoint: needs tracefs.
    Tracepoint,
}

impl Attach {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Attach::Auto => "auto",
            Attach::Btf => "btf",
            Attach::Tracepoint => "tracepoint",
        }
    }
}
