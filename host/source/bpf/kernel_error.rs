//! Errors of libbpf, with the cause of the kernel's refusal if it can be determined.

use std::fmt;

use super::permissions::Facts;
use super::permissions::Refusal;

/// An error of libbpf. It includes the cause if the [`Facts`] about this process show it.
#[derive(Debug)]
pub struct KernelError {
    error: libbpf_rs::Error,
    cause: Option<Refusal>,
}

impl KernelError {
    /// Determines the cause of an error with [`Facts::explain`].
    pub fn of(error: libbpf_rs::Error) -> KernelError {
        KernelError::explained_by(error, Facts::explain)
    }

    /// The cause, if it is known.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.cause.as_ref()
    }

    /// Determines the cause of an error with the given function.
    pub fn explained_by(
        error: libbpf_rs::Error,
        explain: impl Fn(&Facts, libbpf_rs::ErrorKind) -> Option<Refusal>,
    ) -> KernelError {
        let facts = Facts::gather().ok();
        let cause = facts.and_then(|facts| explain(&facts, error.kind()));
        KernelError { error, cause }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KernelError { error, cause } = self;
        match cause {
            Some(cause) => write!(f, "{cause} ({error:#})"),
            None => write!(f, "{error:#}; -vv shows libbpf's messages"),
        }
    }
}
