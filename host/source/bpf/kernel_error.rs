//! What the kernel refused, with the cause where this process can tell it.

use std::fmt;

use super::facts::Facts;
use super::facts::Refusal;

/// What libbpf says about a refusal, and the cause, where what is known of this process shows it.
#[derive(Debug)]
pub struct KernelError {
    error: libbpf_rs::Error,
    cause: Option<Refusal>,
}

impl KernelError {
    /// Finds the cause of an error.
    pub fn of(error: libbpf_rs::Error) -> KernelError {
        KernelError::explained(error, Facts::explain)
    }

    /// Its cause, where it is known.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.cause.as_ref()
    }

    /// Finds it by a judgement of its own.
    pub fn explained(
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
            None => write!(f, "{error:#}; -vv shows what the kernel said"),
        }
    }
}
