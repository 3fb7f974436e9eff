//! Alerts for unit tests.

use crate::alert::Alert;
use crate::alert::Severity;
use crate::alert::State;
use crate::moment::Moment;

/// An alert of the plugin `ratio` with the label `peer`.
pub(crate) fn alert(name: &str, state: State) -> Alert {
    Alert {
        plugin: "ratio".to_owned(),
        name: name.to_owned(),
        severity: Severity::Warning,
        state,
        summary: format!("{name} is {state}"),
        labels: vec![("peer".to_owned(), "10.0.0.2".to_owned())],
        connection: Some((([10, 0, 0, 1], 40_000).into(), ([10, 0, 0, 2], 443).into())),
        wall_time: Moment::at(0).wall,
    }
}
