//! The two kinds of tracepoints that the probe can be attached to.

/// How the probe is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attach {
    /// To the BTF-typed tracepoint, or to the classic one if that fails.
    Auto,
    /// To the BTF-typed tracepoint, which reads kernel memory with direct loads and needs no tracefs.
    Btf,
    /// To the classic tracepoint, which needs tracefs.
    Tracepoint,
}

impl Attach {
    /// The name on the command line, in messages and in captures.
    pub fn name(self) -> &'static str {
        match self {
            Attach::Auto => "auto",
            Attach::Btf => "btf",
            Attach::Tracepoint => "tracepoint",
        }
    }
}
