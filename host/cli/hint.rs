//! Hints for errors: the command-line option with which the user can avoid an error of the host.

use crate::capture::RecordError;
use crate::chain::ChainError;
use crate::plugin::StartError;
use crate::source::live::preflight::ProbeError;

/// Returns how to avoid this error, or `None` if no option does.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<StartError>() {
        return error.limit().map(limit_hint);
    }
    if let Some(ChainError::Fault(blame)) = error.downcast_ref() {
        return blame.fault.limit().map(limit_hint);
    }
    match error.downcast_ref() {
        Some(RecordError::Exists(file)) => {
            return Some(format!(
                "--force overwrites it, --record-rotate moves a capture to {}.1",
                file.display()
            ));
        }
        Some(RecordError::NotACapture(_)) => {
            return Some("remove it, or overwrite it with --force".to_owned());
        }
        Some(RecordError::Unreadable { .. }) => {
            return Some("move it away, or let the user of the host read it".to_owned());
        }
        Some(RecordError::Io { .. }) | None => {}
    }
    let error = error.downcast_ref::<ProbeError>()?;
    error
        .is_of_classic_tracepoint()
        .then(|| "or use --attach btf, which needs neither tracefs nor perf events".to_owned())
}

fn limit_hint(name: &str) -> String {
    format!("--limit {name}=… changes this limit")
}
