//! What an error of the host means for the command line: which option would change it.

use crate::capture::RecordError;
use crate::chain::ChainError;
use crate::plugin::StartError;
use crate::source::live::preflight::ProbeError;

/// How to avoid an error, where an option does.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<StartError>() {
        return error.limit().map(limit);
    }
    if let Some(ChainError::Fault(blame)) = error.downcast_ref() {
        return blame.fault.limit().map(limit);
    }
    match error.downcast_ref() {
        Some(RecordError::Exists(file)) => {
            return Some(format!(
                "--force overwrites it, --record-rotate moves the capture of an earlier run to {}.1",
                file.display()
            ));
        }
        Some(RecordError::NotACapture(_)) => {
            return Some("take it away, or allow that with --force".to_owned());
        }
        Some(RecordError::Io { .. }) | None => {}
    }
    let error = error.downcast_ref::<ProbeError>()?;
    error
        .is_of_classic_tracepoint()
        .then(|| "--attach btf does so".to_owned())
}

fn limit(name: &str) -> String {
    format!("--limit {name}=… sets another one")
}
